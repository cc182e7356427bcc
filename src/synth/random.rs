//! Reproducible chance: one `ChaCha` stream for every (seed, purpose, identity, picture), so that any picture can be drawn
//! alone, in any order and on any thread, and always comes out the same.

use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What a stream is for. Streams of different purposes never meet, which is what makes the identities of the evaluation
/// bins unseen ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The training folder.
    Training = 0,
    /// `frontal.bin`.
    Frontal = 1,
    /// `pose.bin`.
    Pose = 2,
    /// `age.bin`.
    Age = 3,
}

/// A source of numbers for one identity or one picture.
pub struct Dice(ChaCha8Rng);

impl Dice {
    /// The stream that draws an identity's lasting parameters.
    pub fn for_identity(seed: u64, purpose: Purpose, identity: u32) -> Self {
        Self::keyed(seed, purpose, identity, 0)
    }

    /// The stream that draws one picture (`picture` counts from 0) of an identity.
    pub fn for_picture(seed: u64, purpose: Purpose, identity: u32, picture: u32) -> Self {
        Self::keyed(seed, purpose, identity, u64::from(picture) + 1)
    }

    /// The four numbers are the cipher's key itself: no hashing, hence no collisions.
    fn keyed(seed: u64, purpose: Purpose, identity: u32, item: u64) -> Self {
        let mut key = [0_u8; 32];
        for (slot, word) in key.chunks_exact_mut(8).zip([seed, purpose as u64, u64::from(identity), item]) {
            slot.copy_from_slice(&word.to_le_bytes());
        }
        Self(ChaCha8Rng::from_seed(key))
    }

    /// Uniform in `[0, 1)`, of 24 bits.
    pub fn unit(&mut self) -> f32 {
        (self.0.next_u32() >> 8) as f32 / 16_777_216.0
    }

    /// Uniform in `[low, high)`.
    pub fn range(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// Bell-shaped around `mean`, never further from it than `reach`.
    pub fn around(&mut self, mean: f32, reach: f32) -> f32 {
        let sum = self.unit() + self.unit() + self.unit();
        mean + reach * (sum / 1.5 - 1.0)
    }

    /// True with probability `p`.
    pub fn chance(&mut self, p: f32) -> bool {
        self.unit() < p
    }

    /// -1 or 1.
    pub fn sign(&mut self) -> f32 {
        if self.chance(0.5) { 1.0 } else { -1.0 }
    }

    /// A whole number in `0..n`; `n` must not be 0.
    pub fn below(&mut self, n: u32) -> u32 {
        ((u64::from(self.0.next_u32()) * u64::from(n)) >> 32) as u32
    }

    /// An index drawn in proportion to `weights`.
    pub fn weighted(&mut self, weights: &[f32]) -> usize {
        let mut left = self.unit() * weights.iter().sum::<f32>();
        for (index, weight) in weights.iter().enumerate() {
            left -= weight;
            if left < 0.0 {
                return index;
            }
        }
        weights.len() - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(mut dice: Dice) -> Vec<u32> {
        (0..4).map(|_| dice.below(u32::MAX)).collect()
    }

    #[test]
    fn a_stream_repeats_and_differs_from_every_neighbour() {
        let here = || first(Dice::for_picture(1, Purpose::Training, 2, 3));
        assert_eq!(here(), here());
        assert_ne!(here(), first(Dice::for_picture(2, Purpose::Training, 2, 3)));
        assert_ne!(here(), first(Dice::for_picture(1, Purpose::Frontal, 2, 3)));
        assert_ne!(here(), first(Dice::for_picture(1, Purpose::Training, 3, 3)));
        assert_ne!(here(), first(Dice::for_picture(1, Purpose::Training, 2, 4)));
        assert_ne!(here(), first(Dice::for_identity(1, Purpose::Training, 2)));
    }

    #[test]
    fn numbers_stay_in_their_ranges() {
        let mut dice = Dice::for_identity(9, Purpose::Age, 0);
        for _ in 0..2000 {
            assert!((2.0..3.0).contains(&dice.range(2.0, 3.0)));
            assert!((dice.around(5.0, 2.0) - 5.0).abs() <= 2.0);
            assert!(dice.below(7) < 7);
            assert!(dice.weighted(&[0.0, 1.0, 2.0]) > 0);
        }
    }
}
