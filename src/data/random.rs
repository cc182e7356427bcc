//! Random numbers that depend on nothing but their address: a seed, an epoch, an item and what they are for.
//!
//! A stream is ChaCha8 keyed with that address, so any epoch can be drawn without replaying the ones before it, on any
//! thread. The two distributions needed are written out here: those of `rand` may change from version to version.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// What a stream of random numbers is for; streams of different uses are independent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// The order of an epoch's images.
    Order = 1,
    /// The variations of one image.
    Augment = 2,
    /// The groups of a triplet epoch.
    Groups = 3,
    /// Pairs of images to evaluate on.
    Pairs = 4,
    /// The parts of a set.
    Shards = 5,
    /// libtorch's generator in one step: dropout and its kin.
    Step = 6,
}

/// A stream of random numbers.
#[derive(Debug, Clone)]
pub struct Stream(ChaCha8Rng);

impl Stream {
    /// The stream of one use, item and epoch.
    pub fn new(seed: u64, epoch: u64, use_of: Use, item: u64) -> Self {
        let mut key = [0; 32];
        for (place, word) in key.chunks_exact_mut(8).zip([seed, epoch, use_of as u64, item]) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        Self(ChaCha8Rng::from_seed(key))
    }

    /// A whole number below `bound`; 0 when `bound` is 0. The bias is below `bound / 2^64`.
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.0.next_u64()) * u128::from(bound)) >> 64) as u64
    }

    /// Any 64 bits.
    pub fn word(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number from `low` to `high`, `high` left out.
    pub fn between(&mut self, low: f32, high: f32) -> f32 {
        let unit = (self.0.next_u32() >> 8) as f32 / (1 << 24) as f32;
        low + (high - low) * unit
    }

    /// A fair coin.
    pub fn coin(&mut self) -> bool {
        self.0.next_u32() >> 31 == 1
    }

    /// Shuffles in place (Fisher-Yates): every order is equally likely.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last as u64 + 1) as usize);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_a_function_of_its_address() {
        let draw = |seed, epoch, item| {
            let mut stream = Stream::new(seed, epoch, Use::Augment, item);
            (stream.below(1 << 40), stream.coin(), stream.between(-1.0, 1.0).to_bits())
        };
        assert_eq!(draw(1, 2, 3), draw(1, 2, 3));
        assert_ne!(draw(1, 2, 3), draw(1, 2, 4));
        assert_ne!(draw(1, 2, 3), draw(1, 3, 3));
        assert_ne!(draw(1, 2, 3), draw(2, 2, 3));
    }

    #[test]
    fn every_order_of_three_is_about_equally_frequent() {
        let mut counts = std::collections::BTreeMap::new();
        for item in 0..6000 {
            let mut items = [0, 1, 2];
            Stream::new(7, 0, Use::Order, item).shuffle(&mut items);
            *counts.entry(items).or_insert(0) += 1;
        }
        assert_eq!(counts.len(), 6);
        assert!(counts.values().all(|count| (850..1150).contains(count)), "{counts:?}");
    }

    #[test]
    fn bounds_are_kept() {
        let mut stream = Stream::new(0, 0, Use::Order, 0);
        assert_eq!(stream.below(0), 0);
        assert!((0..1000).all(|_| stream.below(13) < 13));
        assert!((0..1000).all(|_| (0.8..1.2).contains(&stream.between(0.8, 1.2))));
    }
}
