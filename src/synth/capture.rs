//! What differs from one picture of a person to the next: pose, light, expression, age, occlusion, backdrop, camera.

use std::f32::consts::TAU;

use super::identity::{Hair, HairCut, Identity};
use super::random::Dice;
use super::vector::Rgb;

/// The kind of picture asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scene {
    /// A mixture of all the others, mostly near frontal: the training folder.
    Any,
    /// Near frontal, the person near their usual age.
    Frontal,
    /// A strong turn of the head to one side, 38 to 62 degrees.
    Profile,
    /// Near frontal, 18 to 30 years old.
    Young,
    /// Near frontal, 55 to 75 years old.
    Old,
}

/// Angles in radians. Positive yaw turns the face to the viewer's right, positive pitch lowers the chin.
#[derive(Debug, Clone)]
pub struct Pose {
    pub yaw: f32,
    pub pitch: f32,
    /// What the alignment left of the head's tilt.
    pub roll: f32,
    /// What the alignment left of shift (pixels) and scale.
    pub shift: [f32; 2],
    pub scale: f32,
    /// Distance of the camera, in pixels: small distances exaggerate the nose.
    pub distance: f32,
}

/// One main light over an even one.
#[derive(Debug, Clone)]
pub struct Light {
    /// Direction towards the light, unit length, in camera axes (x right, y down, z to the viewer).
    pub direction: [f32; 3],
    pub key: Rgb,
    pub ambient: Rgb,
    /// Strength of the highlights on the skin.
    pub gloss: f32,
}

/// What the face does.
#[derive(Debug, Clone)]
pub struct Expression {
    /// -1 (corners down) to 1 (broad smile).
    pub smile: f32,
    /// 0 (closed) to 1 (wide open).
    pub mouth_open: f32,
    /// -1 (frown) to 1 (raised).
    pub brows: f32,
    /// Openness of the eyelids, 0 (closed) to 1.15 (wide).
    pub lids: f32,
    /// Where the eyes look, each -1 to 1.
    pub gaze: [f32; 2],
}

/// Something in front of the face.
#[derive(Debug, Clone)]
pub enum Cover {
    /// Dark glasses.
    Sunglasses,
    /// A cap drawn over the hair, down to the given `y` on the forehead.
    Cap { colour: Rgb, edge: f32 },
    /// A scarf from below up to the given `y`.
    Scarf { colour: Rgb, edge: f32 },
    /// A hand from one side (-1 or 1) whose fingertips reach the given point of the picture.
    Hand { side: f32, x: f32, y: f32 },
}

/// The backdrop: two colours, a direction and some blurred spots.
#[derive(Debug, Clone)]
pub struct Backdrop {
    pub colours: [Rgb; 2],
    pub angle: f32,
    /// Centre, radius and colour of each spot.
    pub spots: Vec<([f32; 3], Rgb)>,
    pub clothes: Rgb,
}

/// The camera.
#[derive(Debug, Clone)]
pub struct Camera {
    /// Radius of the blur, in pixels.
    pub blur: f32,
    /// Standard deviation of the noise, on a scale of 0 to 1.
    pub noise: f32,
    pub exposure: f32,
    pub contrast: f32,
    pub saturation: f32,
    /// JPEG quality, 1 to 100.
    pub quality: u8,
    pub noise_seed: u32,
}

/// One picture.
#[derive(Debug, Clone)]
pub struct Capture {
    pub pose: Pose,
    pub light: Light,
    pub expression: Expression,
    /// In years.
    pub age: f32,
    pub cover: Option<Cover>,
    pub glasses: bool,
    /// The hair as worn that day.
    pub hair: Hair,
    /// Growth of the beard relative to the usual, 0 to 1.3.
    pub beard: f32,
    pub make_up: f32,
    pub backdrop: Backdrop,
    pub camera: Camera,
}

impl Capture {
    /// Draws the circumstances of one picture of `identity`.
    pub fn draw(identity: &Identity, scene: Scene, dice: &mut Dice) -> Self {
        let scene = match scene {
            Scene::Any => [Scene::Frontal, Scene::Profile, Scene::Young, Scene::Old, Scene::Any]
                [dice.weighted(&[44.0, 18.0, 9.0, 9.0, 20.0])],
            fixed => fixed,
        };
        let yaw = match scene {
            Scene::Profile => dice.sign() * dice.range(0.66, 1.08),
            Scene::Any => dice.around(0.0, 0.85),
            _ => dice.around(0.0, 0.26),
        };
        let age = match scene {
            Scene::Young => dice.range(18.0, 30.0),
            Scene::Old => dice.range(55.0, 75.0),
            _ => dice.around(identity.age, 8.0),
        };
        let loose = scene == Scene::Any;
        Self {
            pose: Pose {
                yaw,
                pitch: dice.around(0.0, if loose { 0.35 } else { 0.20 }),
                roll: dice.around(0.0, 0.06),
                shift: [dice.around(0.0, 2.0), dice.around(0.0, 2.0)],
                scale: dice.around(1.0, 0.05),
                distance: dice.range(260.0, 700.0),
            },
            light: light(dice, loose),
            expression: expression(dice),
            age,
            cover: if dice.chance(if loose { 0.25 } else { 0.03 }) { Some(cover(dice)) } else { None },
            glasses: dice.chance(identity.glasses.habit),
            hair: hair_of_the_day(identity, dice),
            beard: dice.range(0.6, 1.25),
            make_up: dice.range(0.0, 1.0),
            backdrop: backdrop(dice),
            camera: Camera {
                blur: if dice.chance(0.3) { dice.range(0.2, 1.1) } else { 0.0 },
                noise: dice.range(0.003, 0.03),
                exposure: dice.around(1.0, 0.28),
                contrast: dice.around(1.0, 0.18),
                saturation: dice.around(0.95, 0.3),
                quality: dice.range(70.0, 95.0) as u8,
                noise_seed: dice.below(1 << 24),
            },
        }
    }
}

fn light(dice: &mut Dice, loose: bool) -> Light {
    let reach = if loose { 1.35 } else { 0.9 };
    let azimuth = dice.around(0.0, reach);
    let elevation = dice.range(0.0, 0.95);
    let warmth = dice.around(0.0, 0.22);
    let power = dice.range(0.55, 1.15);
    let even = dice.range(0.22, 0.6);
    let cast = dice.around(0.0, 0.14);
    Light {
        direction: [azimuth.sin() * elevation.cos(), -elevation.sin(), azimuth.cos() * elevation.cos()],
        key: [power * (1.0 + warmth), power, power * (1.0 - warmth)],
        ambient: [even * (1.0 - cast), even, even * (1.0 + cast)],
        gloss: dice.range(0.02, 0.22),
    }
}

fn expression(dice: &mut Dice) -> Expression {
    let smile = if dice.chance(0.45) { dice.range(0.3, 1.0) } else { dice.around(0.0, 0.5) };
    let mouth_open = if dice.chance(0.4) { dice.range(0.15, 0.8) } else { 0.0 };
    let lids = if dice.chance(0.03) { 0.08 } else { dice.range(0.8, 1.12) };
    Expression {
        smile,
        mouth_open,
        brows: dice.around(0.0, 1.0),
        lids: lids - 0.08 * smile.max(0.0),
        gaze: [dice.around(0.0, 0.8), dice.around(0.0, 0.4)],
    }
}

fn any_colour(dice: &mut Dice) -> Rgb {
    let grey = dice.range(0.08, 0.85);
    let strength = dice.range(0.0, 0.35);
    [0, 1, 2].map(|_| (grey + dice.range(-strength, strength)).clamp(0.02, 0.97))
}

fn cover(dice: &mut Dice) -> Cover {
    match dice.weighted(&[3.0, 2.5, 2.0, 2.5]) {
        0 => Cover::Sunglasses,
        1 => Cover::Cap { colour: any_colour(dice), edge: dice.range(14.0, 32.0) },
        2 => Cover::Scarf { colour: any_colour(dice), edge: dice.range(80.0, 102.0) },
        _ => {
            let side = dice.sign();
            Cover::Hand { side, x: 56.0 + side * dice.range(8.0, 34.0), y: dice.range(62.0, 100.0) }
        }
    }
}

/// Most days the usual hair; some days another fringe or volume, or long hair tied back.
fn hair_of_the_day(identity: &Identity, dice: &mut Dice) -> Hair {
    let mut hair = identity.hair.clone();
    hair.volume = (hair.volume + dice.around(0.0, 0.25)).clamp(0.0, 1.0);
    hair.sides = (hair.sides + dice.around(0.0, 0.2)).clamp(0.0, 1.0);
    hair.parting = (hair.parting + dice.around(0.0, 0.2)).clamp(-1.0, 1.0);
    if dice.chance(0.2) {
        hair.fringe = if dice.chance(0.5) { dice.range(4.0, 20.0) } else { 0.0 };
        hair.length = dice.range(96.0, 150.0);
        hair.cut = match hair.cut {
            HairCut::Long | HairCut::Bob => HairCut::TiedBack,
            HairCut::TiedBack => HairCut::Long,
            HairCut::Short => HairCut::Quiff,
            HairCut::Quiff => HairCut::Short,
            HairCut::Bald => HairCut::Buzzed,
            other => other,
        };
    }
    hair
}

fn backdrop(dice: &mut Dice) -> Backdrop {
    let first = any_colour(dice);
    let second = any_colour(dice);
    let spots = (0..dice.below(6))
        .map(|_| ([dice.range(0.0, 112.0), dice.range(0.0, 112.0), dice.range(8.0, 30.0)], any_colour(dice)))
        .collect();
    Backdrop { colours: [first, second], angle: dice.range(0.0, TAU), spots, clothes: any_colour(dice) }
}
