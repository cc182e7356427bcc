//! The order of an epoch's images.
//!
//! An order is a function of the seed and the epoch, so a run that continues at epoch 30 sees what it would have seen.
//! The reference's shuffle is frozen after its first epoch; ours is drawn anew for each. The last batch may be short, as
//! in the reference: 89 images in batches of 16 are 6 steps.

use std::sync::Arc;

use crate::data::random::{Stream, Use};
use crate::data::source::Source;
use crate::schedule::{HeadKind, Stage};

/// Images of one class that stand together in a triplet batch.
pub const GROUP: usize = 4;

/// Why no order can be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, miette::Diagnostic)]
pub enum SamplerError {
    /// A batch of nothing.
    #[error("a batch size of {batch_size} leaves no images in a batch")]
    #[diagnostic(help("set `batch_size` to {least} or more"))]
    Batch {
        /// The batch size that was asked for.
        batch_size: usize,
        /// The smallest that works.
        least: usize,
    },
    /// Triplet training finds no groups.
    #[error("no class has more than {GROUP} images, so triplet training finds no group of {GROUP}")]
    #[diagnostic(help("give at least two classes {} images or more, or leave the triplet stages out", GROUP + 1))]
    NoGroups,
    /// Triplet training finds no negatives.
    #[error("only one class has more than {GROUP} images, so triplet training finds no other class to compare with")]
    #[diagnostic(help("give at least two classes {} images or more, or leave the triplet stages out", GROUP + 1))]
    OneClass,
}

/// One epoch's order, cut into batches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EpochPlan {
    /// The epoch, as the caller counts; also the address of the augmentation's random numbers.
    pub epoch: u64,
    /// The seed.
    pub seed: u64,
    /// Images a batch; the last one may have fewer.
    pub batch: usize,
    /// Numbers of the images, in order.
    pub order: Vec<u32>,
}

impl EpochPlan {
    /// Number of batches.
    pub fn steps(&self) -> usize {
        self.order.len().div_ceil(self.batch.max(1))
    }

    /// The images of batch `step`, counted from 0; none beyond the last.
    pub fn step(&self, step: usize) -> &[u32] {
        let start = (step * self.batch).min(self.order.len());
        &self.order[start..(start + self.batch).min(self.order.len())]
    }
}

/// What an order leaves out of the training set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LeftOut {
    /// Classes with too few images for a group.
    pub classes: usize,
    /// Images an epoch: those of these classes, and the ones that fill no group.
    pub images: usize,
}

/// Draws the order of any epoch.
#[derive(Debug, Clone)]
pub struct Sampler {
    seed: u64,
    batch: usize,
    kind: Kind,
    left_out: LeftOut,
}

#[derive(Debug, Clone)]
enum Kind {
    /// All images in any order.
    Shuffled { images: u32 },
    /// Groups of images of one class; the classes that are large enough, each with its images.
    Groups { classes: Arc<[Vec<u32>]>, groups: usize },
}

impl Sampler {
    /// The order of a stage's images in a training set.
    ///
    /// # Errors
    /// A training set that has no triplets.
    pub fn for_stage(data: &dyn Source, stage: &Stage, seed: u64) -> Result<Self, SamplerError> {
        let size = stage.batch_size as usize;
        match stage.head {
            HeadKind::Triplet => Self::triplet(data.labels(), size, seed),
            HeadKind::Softmax | HeadKind::Arcface => Self::shuffled(data.len(), size, seed),
        }
    }

    /// All of `images` images in any order, `batch_size` a step.
    pub fn shuffled(images: usize, batch_size: usize, seed: u64) -> Result<Self, SamplerError> {
        if batch_size == 0 {
            return Err(SamplerError::Batch { batch_size, least: 1 });
        }
        Ok(Self {
            seed,
            batch: batch_size,
            kind: Kind::Shuffled { images: images as u32 },
            left_out: LeftOut::default(),
        })
    }

    /// Groups of four images of one class for triplet losses: `int(batch_size / 4 * 1.5)` groups a step (192 images for
    /// a `batch_size` of 128). Classes with four images or fewer are left out; in the others, each epoch draws the
    /// groups anew and leaves out the one to three images that fill no group.
    ///
    /// `labels` holds the class of every image, in order.
    pub fn triplet(labels: impl IntoIterator<Item = u32>, batch_size: usize, seed: u64) -> Result<Self, SamplerError> {
        let groups_a_step = batch_size * 3 / (2 * GROUP);
        if groups_a_step == 0 {
            return Err(SamplerError::Batch { batch_size, least: 3 });
        }
        let mut pairs: Vec<(u32, u32)> = labels.into_iter().zip(0..).collect();
        pairs.sort_unstable();
        let all = pairs.chunk_by(|one, other| one.0 == other.0).count();
        let classes: Vec<Vec<u32>> = pairs
            .chunk_by(|one, other| one.0 == other.0)
            .filter(|class| class.len() > GROUP)
            .map(|class| class.iter().map(|(_, image)| *image).collect())
            .collect();
        match classes.len() {
            0 => return Err(SamplerError::NoGroups),
            1 => return Err(SamplerError::OneClass),
            _ => {}
        }
        let groups: usize = classes.iter().map(|images| images.len() / GROUP).sum();
        let left_out = LeftOut { classes: all - classes.len(), images: pairs.len() - groups * GROUP };
        let kind = Kind::Groups { classes: classes.into(), groups };
        Ok(Self { seed, batch: groups_a_step * GROUP, kind, left_out })
    }

    /// What it leaves out; nothing but in triplet batches.
    pub const fn left_out(&self) -> LeftOut {
        self.left_out
    }

    /// Images a step; the last step of an epoch may have fewer.
    pub const fn batch(&self) -> usize {
        self.batch
    }

    /// Images an epoch; the same in every epoch.
    pub const fn images(&self) -> usize {
        match &self.kind {
            Kind::Shuffled { images } => *images as usize,
            Kind::Groups { groups, .. } => *groups * GROUP,
        }
    }

    /// Steps an epoch; the same in every epoch.
    pub const fn steps(&self) -> usize {
        self.images().div_ceil(self.batch)
    }

    /// The order of epoch `epoch`.
    pub fn plan(&self, epoch: u64) -> EpochPlan {
        let order = match &self.kind {
            Kind::Shuffled { images } => {
                let mut order: Vec<u32> = (0..*images).collect();
                Stream::new(self.seed, epoch, Use::Order, 0).shuffle(&mut order);
                order
            }
            Kind::Groups { classes, groups } => {
                let mut stream = Stream::new(self.seed, epoch, Use::Groups, 0);
                let mut drawn: Vec<[u32; GROUP]> = Vec::with_capacity(*groups);
                let mut shuffled = Vec::new();
                for images in classes.iter() {
                    shuffled.clone_from(images);
                    stream.shuffle(&mut shuffled);
                    drawn.extend_from_slice(shuffled.as_chunks().0);
                }
                stream.shuffle(&mut drawn);
                drawn.into_flattened()
            }
        };
        EpochPlan { epoch, seed: self.seed, batch: self.batch, order }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The reference's tiny data set: one class of 5 images, seven of 12.
    fn tiny_labels() -> Vec<u32> {
        (0..8).flat_map(|class| vec![class; if class == 0 { 5 } else { 12 }]).collect()
    }

    #[test]
    fn an_epoch_holds_every_image_once_and_the_last_batch_is_short() {
        let sampler = Sampler::shuffled(89, 16, 1).expect("is valid");
        let plan = sampler.plan(0);
        assert_eq!((sampler.steps(), plan.steps()), (6, 6));
        assert_eq!(plan.step(5).len(), 9);
        assert!(plan.step(6).is_empty());
        let mut sorted = plan.order.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..89).collect::<Vec<_>>());
        assert_ne!(plan.order, sorted);
    }

    #[test]
    fn epochs_differ_and_come_back() {
        let sampler = Sampler::shuffled(100, 10, 5).expect("is valid");
        assert_eq!(sampler.plan(7), sampler.plan(7));
        assert_ne!(sampler.plan(7).order, sampler.plan(8).order);
        assert_ne!(sampler.plan(7).order, Sampler::shuffled(100, 10, 6).expect("is valid").plan(7).order);
    }

    #[test]
    fn triplet_batches_are_the_references() {
        let sampler = Sampler::triplet(tiny_labels(), 16, 1).expect("is valid");
        assert_eq!((sampler.batch(), sampler.images(), sampler.steps()), (24, 88, 4));
        assert_eq!(Sampler::triplet(tiny_labels(), 128, 1).expect("is valid").batch(), 192);
        // int(10 / 4 * 1.5) = int(3.75)
        assert_eq!(Sampler::triplet(tiny_labels(), 10, 1).expect("is valid").batch(), 12);
    }

    #[test]
    fn groups_are_of_one_class_and_hold_no_image_twice() {
        let labels = tiny_labels();
        let sampler = Sampler::triplet(labels.iter().copied(), 16, 3).expect("is valid");
        let plan = sampler.plan(2);
        for group in plan.order.chunks(GROUP) {
            assert!(group.iter().all(|image| labels[*image as usize] == labels[group[0] as usize]));
        }
        let mut images = plan.order.clone();
        images.sort_unstable();
        images.dedup();
        assert_eq!(images.len(), 88);
        assert_ne!(plan.order, sampler.plan(3).order);
    }

    #[test]
    fn classes_of_four_images_are_left_out() {
        let labels: Vec<u32> = [(0, 4), (1, 5), (2, 9)].iter().flat_map(|(class, n)| vec![*class; *n]).collect();
        let sampler = Sampler::triplet(labels.iter().copied(), 8, 3).expect("is valid");
        assert_eq!(sampler.images(), 12);
        assert_eq!(sampler.left_out(), LeftOut { classes: 1, images: 6 });
        assert!(sampler.plan(0).order.iter().all(|image| labels[*image as usize] != 0));
        assert_eq!(Sampler::triplet(vec![0, 0, 0, 0, 1], 8, 3).err(), Some(SamplerError::NoGroups));
        assert_eq!(Sampler::triplet(vec![0; 9], 8, 3).err(), Some(SamplerError::OneClass));
        assert!(matches!(Sampler::triplet(labels, 2, 3), Err(SamplerError::Batch { least: 3, .. })));
        assert!(Sampler::shuffled(3, 0, 1).is_err());
    }
}
