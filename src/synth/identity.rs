//! What stays the same over all pictures of one person: bones, features, colouring, habits.
//!
//! Lengths are in pixels of an aligned 112 x 112 picture, in the frame of a head seen from the front: eyes at `y = 52`,
//! mouth near `y = 92`, `x` counted from the middle of the face. Every parameter is drawn on its own over a wide range,
//! so that no single one (least of all a colour) gives a person away.

use super::random::Dice;
use super::vector::{Rgb, mix3};

/// Bone structure and outline.
#[derive(Debug, Clone)]
pub struct Head {
    /// Half the width at the cheekbones.
    pub width: f32,
    /// Forehead, cheek, jaw and chin width, each as a factor on the outline of an oval.
    pub forehead: f32,
    pub cheek: f32,
    pub jaw: f32,
    pub chin: f32,
    /// Exponent of the lower outline: 2 is an oval, 3 is square.
    pub squareness: f32,
    /// `y` of the chin.
    pub chin_y: f32,
    /// How far the chin stands out.
    pub chin_out: f32,
    /// How far the brow ridge stands out.
    pub brow_ridge: f32,
    /// How far the cheekbones stand out.
    pub cheekbones: f32,
    /// Roundness of the cheeks, negative when hollow.
    pub fullness: f32,
    /// Depth from the ears to the front of the face.
    pub depth: f32,
    /// Depth of a cleft in the chin, 0 for most.
    pub cleft: f32,
}

/// Colour and marks of the skin.
#[derive(Debug, Clone)]
pub struct Skin {
    /// 0 is the lightest, 1 the darkest tone.
    pub tone: f32,
    pub colour: Rgb,
    pub blush: f32,
    pub freckles: f32,
    /// Position and radius of each mole.
    pub moles: Vec<[f32; 3]>,
    /// Seed of the freckles' and pores' places.
    pub grain: u32,
}

/// Shape and colour of the eyes.
#[derive(Debug, Clone)]
pub struct Eyes {
    /// Distance of each eye's centre from the middle of the face.
    pub spacing: f32,
    /// Half width and half height of the open eye.
    pub width: f32,
    pub height: f32,
    /// Slant in radians, positive when the outer corner is higher.
    pub slant: f32,
    /// Where the upper lid peaks, -1 (inner) to 1 (outer).
    pub peak: f32,
    pub iris: Rgb,
    pub iris_radius: f32,
    /// Height of the crease above the lid, 0 for none.
    pub crease: f32,
    /// Depth of the sockets.
    pub socket: f32,
    /// Weight of the lashes and lid line.
    pub lashes: f32,
    /// Darkness of the rings under the eyes.
    pub rings: f32,
}

/// Eyebrows.
#[derive(Debug, Clone)]
pub struct Brows {
    /// Height above the eyes.
    pub height: f32,
    pub thickness: f32,
    pub length: f32,
    /// Distance of the inner end from the middle.
    pub inner: f32,
    pub arch: f32,
    pub slant: f32,
    pub density: f32,
}

/// Nose.
#[derive(Debug, Clone)]
pub struct Nose {
    /// `y` of the tip.
    pub tip_y: f32,
    /// Half width at the wings.
    pub width: f32,
    /// Height of the bridge and of the tip above the face.
    pub bridge: f32,
    pub tip: f32,
    /// Half width of the ridge.
    pub ridge: f32,
    /// Size of a hump on the ridge, negative for a hollow.
    pub hump: f32,
    /// Roundness of the tip.
    pub bulb: f32,
    pub nostrils: f32,
    /// Sideways bend.
    pub bend: f32,
}

/// Mouth.
#[derive(Debug, Clone)]
pub struct Mouth {
    pub y: f32,
    /// Half width.
    pub width: f32,
    pub upper: f32,
    pub lower: f32,
    /// Depth of the dip of the upper lip.
    pub cupid: f32,
    /// Height of the corners at rest, positive when they point up.
    pub corners: f32,
    /// Share of the lips' own colour over the skin's.
    pub redness: f32,
    /// Depth of the groove between nose and lip.
    pub philtrum: f32,
}

/// Ears.
#[derive(Debug, Clone)]
pub struct Ears {
    pub size: f32,
    /// Angle away from the head, in radians.
    pub spread: f32,
    pub y: f32,
}

/// Kinds of hair cuts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HairCut {
    Bald,
    Buzzed,
    Short,
    Quiff,
    Curly,
    Bob,
    Long,
    TiedBack,
}

/// A hair cut with its measures.
#[derive(Debug, Clone)]
pub struct Hair {
    pub cut: HairCut,
    pub colour: Rgb,
    /// `y` of the hairline in the middle of the forehead.
    pub hairline: f32,
    /// How far the hairline climbs at the temples.
    pub temples: f32,
    /// A widow's peak, in pixels.
    pub peak: f32,
    /// Thickness at the crown and at the sides.
    pub volume: f32,
    pub sides: f32,
    /// How far a fringe hangs below the hairline.
    pub fringe: f32,
    /// Side and strength of the parting, -1 to 1.
    pub parting: f32,
    /// `y` at which long hair ends.
    pub length: f32,
    /// Azimuth at which long hair begins beside the face, in radians.
    pub curtain: f32,
    pub waviness: f32,
    /// Age at which half of the hair is grey.
    pub grey_age: f32,
    /// How much the hairline recedes with age, 0 to 1.
    pub receding: f32,
}

/// Facial hair: densities from 0 (none) to 1.
#[derive(Debug, Clone)]
pub struct Beard {
    pub moustache: f32,
    pub chin: f32,
    pub cheeks: f32,
    pub stubble: f32,
}

/// Spectacles and how often they are worn.
#[derive(Debug, Clone)]
pub struct Glasses {
    /// Probability that a picture shows them.
    pub habit: f32,
    pub width: f32,
    pub height: f32,
    /// Roundness exponent of the frame: 2 is round, 6 nearly rectangular.
    pub shape: f32,
    pub rim: f32,
    pub colour: Rgb,
}

/// One person.
#[derive(Debug, Clone)]
pub struct Identity {
    pub head: Head,
    pub skin: Skin,
    pub eyes: Eyes,
    pub brows: Brows,
    pub nose: Nose,
    pub mouth: Mouth,
    pub ears: Ears,
    pub hair: Hair,
    pub beard: Beard,
    pub glasses: Glasses,
    /// The age around which most pictures of the person are taken, in years.
    pub age: f32,
    /// Depth of the wrinkles that age brings.
    pub wrinkling: f32,
}

const SKIN: [Rgb; 5] =
    [[0.98, 0.83, 0.75], [0.92, 0.74, 0.62], [0.80, 0.60, 0.45], [0.60, 0.41, 0.29], [0.38, 0.25, 0.18]];
const HAIR: [Rgb; 7] = [
    [0.09, 0.07, 0.07],
    [0.20, 0.13, 0.09],
    [0.34, 0.22, 0.14],
    [0.50, 0.34, 0.20],
    [0.74, 0.58, 0.34],
    [0.88, 0.76, 0.52],
    [0.60, 0.26, 0.12],
];
const IRIS: [Rgb; 6] = [
    [0.20, 0.12, 0.07],
    [0.38, 0.23, 0.11],
    [0.46, 0.38, 0.18],
    [0.30, 0.46, 0.28],
    [0.34, 0.52, 0.68],
    [0.50, 0.56, 0.60],
];
const RIMS: [Rgb; 5] =
    [[0.06, 0.06, 0.07], [0.30, 0.18, 0.10], [0.55, 0.12, 0.14], [0.62, 0.60, 0.58], [0.16, 0.22, 0.42]];

impl Identity {
    /// Draws a person.
    pub fn draw(dice: &mut Dice) -> Self {
        // One loose axis ties brows, jaw, beard and hair together, as it does in people, without deciding any of them.
        let rugged = dice.unit();
        let skin = skin(dice);
        Self {
            head: Head {
                width: dice.range(34.0, 42.5),
                forehead: dice.range(0.88, 1.09),
                cheek: dice.range(0.94, 1.06),
                jaw: dice.range(0.82, 1.06) + 0.08 * rugged,
                chin: dice.range(0.70, 1.15) + 0.10 * rugged,
                squareness: dice.range(1.95, 2.7) + 0.35 * rugged,
                chin_y: dice.range(107.0, 119.0),
                chin_out: dice.range(0.0, 6.5),
                brow_ridge: dice.range(0.2, 2.0) + 2.0 * rugged,
                cheekbones: dice.range(0.0, 4.5),
                fullness: dice.range(-2.5, 3.5),
                depth: dice.range(42.0, 52.0),
                cleft: if dice.chance(0.2) { dice.range(0.5, 1.0) } else { 0.0 },
            },
            eyes: eyes(dice, skin.tone),
            brows: Brows {
                height: dice.range(9.0, 15.5) - 1.5 * rugged,
                thickness: dice.range(1.0, 2.5) + 1.1 * rugged,
                length: dice.range(16.0, 24.0),
                inner: dice.range(4.0, 10.0),
                arch: dice.range(0.0, 4.5),
                slant: dice.range(-0.20, 0.22),
                density: dice.range(0.45, 0.85) + 0.15 * rugged,
            },
            nose: Nose {
                tip_y: dice.range(69.5, 78.5),
                width: dice.range(5.8, 11.0),
                bridge: dice.range(1.5, 6.0),
                tip: dice.range(6.5, 13.0),
                ridge: dice.range(2.4, 4.6),
                hump: dice.range(-2.0, 3.2),
                bulb: dice.range(0.0, 2.4),
                nostrils: dice.range(0.6, 1.3),
                bend: dice.around(0.0, 1.6),
            },
            mouth: Mouth {
                y: dice.range(87.0, 94.5),
                width: dice.range(10.5, 18.5),
                upper: dice.range(1.5, 4.8),
                lower: dice.range(2.6, 6.4),
                cupid: dice.range(0.0, 1.8),
                corners: dice.around(0.0, 1.8),
                redness: dice.range(0.25, 0.9),
                philtrum: dice.range(0.1, 1.0),
            },
            ears: Ears { size: dice.range(0.8, 1.3), spread: dice.range(0.15, 1.0), y: dice.range(58.0, 68.0) },
            hair: hair(dice, rugged, skin.tone),
            beard: beard(dice, rugged),
            glasses: Glasses {
                habit: [0.02, 0.35, 0.9][dice.weighted(&[0.72, 0.12, 0.16])],
                width: dice.range(11.0, 15.0),
                height: dice.range(7.5, 12.0),
                shape: dice.range(2.0, 5.5),
                rim: dice.range(0.6, 1.7),
                colour: RIMS[dice.below(RIMS.len() as u32) as usize],
            },
            age: dice.range(22.0, 58.0),
            wrinkling: dice.range(0.6, 1.3),
            skin,
        }
    }
}

fn skin(dice: &mut Dice) -> Skin {
    let tone = dice.unit();
    let place = tone * (SKIN.len() - 1) as f32;
    let low = (place as usize).min(SKIN.len() - 2);
    let mut colour = mix3(SKIN[low], SKIN[low + 1], place - low as f32);
    let warmth = dice.around(0.0, 0.04);
    colour = [colour[0] + warmth, colour[1], colour[2] - warmth];
    let moles = (0..dice.weighted(&[4.0, 3.0, 2.0, 1.0]))
        .map(|_| [dice.range(-32.0, 32.0), dice.range(24.0, 104.0), dice.range(0.7, 1.7)])
        .collect();
    let freckles = if dice.chance(0.22) { dice.range(0.3, 1.0) * (1.0 - 0.6 * tone) } else { 0.0 };
    Skin { tone, colour, blush: dice.range(0.0, 1.0), freckles, moles, grain: dice.below(1 << 20) }
}

fn eyes(dice: &mut Dice, tone: f32) -> Eyes {
    let mut weights = [3.0, 3.0, 1.5, 1.2, 1.8, 0.8];
    for light in &mut weights[2..] {
        *light *= (1.05 - tone).max(0.08);
    }
    Eyes {
        spacing: dice.range(15.8, 21.0),
        width: dice.range(6.2, 9.2),
        height: dice.range(2.5, 5.0),
        slant: dice.range(-0.14, 0.22),
        peak: dice.range(-0.45, 0.45),
        iris: IRIS[dice.weighted(&weights)],
        iris_radius: dice.range(3.0, 4.1),
        crease: if dice.chance(0.3) { 0.0 } else { dice.range(1.0, 3.4) },
        socket: dice.range(1.0, 5.0),
        lashes: dice.range(0.35, 1.0),
        rings: dice.range(0.0, 0.8),
    }
}

fn hair(dice: &mut Dice, rugged: f32, tone: f32) -> Hair {
    let long = 1.15 - rugged;
    let cut = [
        HairCut::Bald,
        HairCut::Buzzed,
        HairCut::Short,
        HairCut::Quiff,
        HairCut::Curly,
        HairCut::Bob,
        HairCut::Long,
        HairCut::TiedBack,
    ][dice.weighted(&[0.9 * rugged, rugged, 2.0 * rugged + 0.3, rugged, 0.9, 1.6 * long, 2.2 * long, 1.2 * long])];
    let light = (1.1 - 1.2 * tone).max(0.04);
    let colour = HAIR[dice.weighted(&[2.2, 2.2, 2.0 * light, 2.0 * light, 1.6 * light, 1.2 * light, 1.1 * light])];
    Hair {
        cut,
        colour,
        hairline: dice.range(6.0, 23.0),
        temples: dice.range(0.0, 7.0),
        peak: if dice.chance(0.25) { dice.range(1.5, 5.0) } else { 0.0 },
        volume: dice.range(0.0, 1.0),
        sides: dice.range(0.0, 1.0),
        fringe: if dice.chance(0.35) { dice.range(6.0, 22.0) } else { 0.0 },
        parting: dice.range(-1.0, 1.0),
        length: dice.range(100.0, 150.0),
        curtain: dice.range(0.95, 1.45),
        waviness: dice.unit(),
        grey_age: dice.range(48.0, 74.0),
        receding: (dice.range(-0.4, 1.0) * (0.3 + rugged)).clamp(0.0, 1.0),
    }
}

fn beard(dice: &mut Dice, rugged: f32) -> Beard {
    let bearded = rugged > 0.42;
    let kind = if bearded { dice.weighted(&[4.0, 1.5, 1.2, 1.2, 1.6]) } else { 0 };
    let full = dice.range(0.6, 1.0);
    let (moustache, chin, cheeks) = match kind {
        1 => (full, 0.0, 0.0),
        2 => (full, full, 0.0),
        3 => (0.15, full, 0.0),
        4 => (full, full, full),
        _ => (0.0, 0.0, 0.0),
    };
    Beard { moustache, chin, cheeks, stubble: if bearded { dice.range(0.0, 0.4) } else { 0.0 } }
}
