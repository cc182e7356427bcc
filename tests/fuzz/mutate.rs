//! Inputs made of a corpus, each by its seed and number alone: a process that dies over one leaves nothing but the number.

use facetui::fuzz::Target;

use super::corpus::Corpus;

/// No input is longer, but for those of [`swell`].
const LONGEST: usize = 128 << 10;

/// Bytes of an input that is made of one part many times.
const SWOLLEN: usize = 384 << 10;

/// Numbers at the edges of what fits.
const EDGES: [u64; 18] = [
    0,
    1,
    2,
    3,
    4,
    7,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0xffff,
    0x1fff_ffff,
    0x2000_0000,
    0x7fff_ffff,
    0xffff_ffff,
    1 << 32,
    i64::MAX as u64,
    u64::MAX,
];

/// `SplitMix64`.
struct Dice(u64);

impl Dice {
    const fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Below `end`; 0 where that is 0.
    const fn below(&mut self, end: usize) -> usize {
        (self.roll() % if end == 0 { 1 } else { end as u64 }) as usize
    }

    /// A range of `bytes`, short more often than long.
    fn range(&mut self, bytes: &[u8]) -> std::ops::Range<usize> {
        let from = self.below(bytes.len());
        let most = (bytes.len() - from).min(1 << self.below(15));
        from..from + self.below(most + 1)
    }
}

/// A file. Those beyond [`LONGEST`] take as long to read as hundreds of others: they come now and then only.
fn pick<'a>(dice: &mut Dice, corpus: &'a Corpus) -> &'a [u8] {
    let picked = &corpus[dice.below(corpus.len())].1;
    if picked.len() <= LONGEST || dice.below(100) == 0 {
        return picked;
    }
    let from = dice.below(corpus.len());
    let (before, behind) = corpus.split_at(from);
    behind.iter().chain(before).map(|(_, bytes)| bytes).find(|bytes| bytes.len() <= LONGEST).unwrap_or(picked)
}

/// The input of a number.
pub fn input(target: &Target, corpus: &Corpus, seed: u64, index: u64) -> Vec<u8> {
    let mut dice = Dice(seed.wrapping_mul(0x5851_f42d_4c95_7f2d) ^ index);
    let mut bytes = pick(&mut dice, corpus).to_vec();
    if dice.below(2000) == 0 {
        return swell(&mut dice, &bytes);
    }
    for _ in 0..1 << dice.below(5) {
        change(&mut dice, target, corpus, &mut bytes);
    }
    bytes.truncate(LONGEST);
    // A sum that no longer fits hides whatever lies behind it.
    if bytes.starts_with(b"\x89PNG") && dice.below(4) > 0 {
        mend_png(&mut bytes);
    }
    bytes
}

/// One change.
fn change(dice: &mut Dice, target: &Target, corpus: &Corpus, bytes: &mut Vec<u8>) {
    let at = dice.below(bytes.len());
    match dice.below(if target.text { 14 } else { 12 }) {
        0 => bytes.truncate(at),
        1 | 2 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << dice.below(8);
            }
        }
        3 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = dice.roll() as u8;
            }
        }
        4 | 5 => number(dice, bytes),
        6 => drop(bytes.drain(dice.range(bytes))),
        7 => {
            // A part again, in another place.
            let part = bytes[dice.range(bytes)].to_vec();
            bytes.splice(at..at, part);
        }
        8 => {
            // The rest of another file.
            let other = pick(dice, corpus);
            let from = dice.below(other.len());
            bytes.truncate(at);
            bytes.extend_from_slice(&other[from..]);
        }
        9 => {
            let other = pick(dice, corpus);
            let part = other[dice.range(other)].to_vec();
            let end = (at + part.len()).min(bytes.len());
            bytes.splice(at..end, part);
        }
        10 | 11 => {
            let word = target.words[dice.below(target.words.len())];
            let end = if dice.below(2) == 0 { at } else { (at + word.len()).min(bytes.len()) };
            bytes.splice(at..end, word.iter().copied());
        }
        _ => written_number(dice, bytes),
    }
}

/// Puts a number at an edge over two, four or eight bytes, in either order; or adds a little to what is there.
fn number(dice: &mut Dice, bytes: &mut [u8]) {
    let width = [1, 2, 4, 8][dice.below(4)];
    if bytes.len() < width {
        return;
    }
    let mut at = dice.below(bytes.len() - width + 1);
    if dice.below(2) == 0 {
        at -= at % width;
    }
    let big = dice.below(2) == 0;
    let place = &mut bytes[at..at + width];
    let mut held = [0; 8];
    held[..width].copy_from_slice(place);
    if big {
        held[..width].reverse();
    }
    let value = match dice.below(4) {
        0 => u64::from_le_bytes(held).wrapping_add(dice.below(9) as u64).wrapping_sub(4),
        _ => EDGES[dice.below(EDGES.len())],
    };
    let mut made = value.to_le_bytes();
    if big {
        made[..width].reverse();
    }
    place.copy_from_slice(&made[..width]);
}

/// Puts another number, a long one at times, over one that is written in digits.
fn written_number(dice: &mut Dice, bytes: &mut Vec<u8>) {
    let begin = dice.below(bytes.len());
    let Some(from) = bytes[begin..].iter().position(u8::is_ascii_digit).map(|from| begin + from) else { return };
    let to = bytes[from..].iter().position(|byte| !byte.is_ascii_digit()).map_or(bytes.len(), |length| from + length);
    let text = match dice.below(6) {
        0 => "9".repeat(1 + dice.below(400)),
        1 => format!("-{}", EDGES[dice.below(EDGES.len())]),
        2 => "0.0".to_owned(),
        3 => "1e309".to_owned(),
        _ => EDGES[dice.below(EDGES.len())].to_string(),
    };
    bytes.splice(from..to, text.into_bytes());
}

/// A file whose one part comes again and again.
fn swell(dice: &mut Dice, bytes: &[u8]) -> Vec<u8> {
    let part = dice.range(bytes);
    let part = if part.is_empty() { 0..bytes.len().min(1) } else { part };
    let mut swollen = bytes[..part.end].to_vec();
    while swollen.len() < SWOLLEN && !part.is_empty() {
        swollen.extend_from_slice(&bytes[part.clone()]);
    }
    swollen.extend_from_slice(&bytes[part.end..]);
    swollen
}

/// Makes the sums of a PNG's chunks right.
fn mend_png(bytes: &mut [u8]) {
    let mut at = 8;
    while let Some(length) = bytes.get(at..at + 4).and_then(|length| length.first_chunk::<4>()) {
        let end = at + 8 + u32::from_be_bytes(*length) as usize;
        if end + 4 > bytes.len() {
            return;
        }
        let mut sum = flate2::Crc::new();
        sum.update(&bytes[at + 4..end]);
        let sum = sum.sum().to_be_bytes();
        bytes[end..end + 4].copy_from_slice(&sum);
        at = end + 4;
    }
}
