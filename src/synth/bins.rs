//! Evaluation bins: pairs of pictures of people who are not in the training folder, and whether each is one person.
//!
//! As in LFW's bins, each of ten contiguous folds holds its pairs of one person first and then as many of two. Every
//! person appears in few pairs, so that no single face decides the figure.

use rayon::prelude::*;

use super::capture::Scene;
use super::draw::draw_jpeg;
use super::error::SynthError;
use super::random::Purpose;

/// Contiguous folds over which the accuracy is averaged.
const FOLDS: u32 = 10;

/// One of the bins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bin {
    /// Two pictures near frontal.
    Frontal,
    /// One near frontal, one strongly turned.
    Pose,
    /// One young, one old.
    Age,
}

/// A bin's content.
pub struct Pairs {
    /// The two pictures of each pair, one pair after the other.
    pub jpegs: Vec<Vec<u8>>,
    /// For each pair, whether both pictures show one person.
    pub same: Vec<bool>,
}

/// One side of a pair: which person, which of their pictures, in which kind of scene.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sitting {
    pub identity: u32,
    pub picture: u32,
    pub scene: Scene,
}

impl Bin {
    /// All of them, in the order in which they are written.
    pub const ALL: [Self; 3] = [Self::Frontal, Self::Pose, Self::Age];

    /// File name.
    pub const fn file(self) -> &'static str {
        match self {
            Self::Frontal => "frontal.bin",
            Self::Pose => "pose.bin",
            Self::Age => "age.bin",
        }
    }

    const fn purpose(self) -> Purpose {
        match self {
            Self::Frontal => Purpose::Frontal,
            Self::Pose => Purpose::Pose,
            Self::Age => Purpose::Age,
        }
    }

    const fn scenes(self) -> [Scene; 2] {
        match self {
            Self::Frontal => [Scene::Frontal, Scene::Frontal],
            Self::Pose => [Scene::Frontal, Scene::Profile],
            Self::Age => [Scene::Young, Scene::Old],
        }
    }

    /// Who sits for each pair of `pairs` (a multiple of 20), and whether it is one person.
    ///
    /// The pool has half as many people as there are pairs. Person `k` sits for the `k`-th pair of one person; a pair of
    /// two puts person `k` beside one of the next fold's, so that no picture is used twice.
    pub fn plan(self, pairs: u32) -> Vec<([Sitting; 2], bool)> {
        let half = pairs / FOLDS / 2;
        let people = half * FOLDS;
        let [first, second] = self.scenes();
        let mut plan = Vec::with_capacity(pairs as usize);
        for fold in 0..FOLDS {
            for same in [true, false] {
                for k in fold * half..(fold + 1) * half {
                    let other = if same { k } else { (k + half) % people };
                    let shift = if same { 0 } else { 2 };
                    let a = Sitting { identity: k, picture: shift, scene: first };
                    let b = Sitting { identity: other, picture: shift + 1, scene: second };
                    plan.push(([a, b], same));
                }
            }
        }
        plan
    }

    /// Draws the whole bin.
    pub fn draw(self, seed: u64, pairs: u32, step: &(dyn Fn() + Sync)) -> Result<Pairs, SynthError> {
        let plan = self.plan(pairs);
        let sittings: Vec<Sitting> = plan.iter().flat_map(|(pair, _)| *pair).collect();
        let jpegs = sittings
            .par_iter()
            .map(|s| {
                let jpeg = draw_jpeg(seed, self.purpose(), s.identity, s.picture, s.scene);
                step();
                jpeg
            })
            .collect::<Result<_, _>>()?;
        Ok(Pairs { jpegs, same: plan.iter().map(|(_, same)| *same).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_fold_holds_both_kinds_equally() {
        for bin in Bin::ALL {
            let plan = bin.plan(600);
            assert_eq!(plan.len(), 600);
            for fold in plan.chunks(60) {
                assert_eq!(fold.iter().filter(|(_, same)| *same).count(), 30);
            }
        }
    }

    #[test]
    fn labels_are_true_and_no_picture_is_used_twice() {
        for bin in Bin::ALL {
            let mut seen = HashSet::new();
            for ([a, b], same) in bin.plan(600) {
                assert_eq!(a.identity == b.identity, same);
                assert_eq!([a.scene, b.scene], bin.scenes());
                assert!(seen.insert((a.identity, a.picture)) && seen.insert((b.identity, b.picture)));
            }
        }
    }
}
