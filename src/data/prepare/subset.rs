//! A part of a data set: its first classes that have enough images, numbered anew from 0; names stay.

use std::sync::Arc;

use super::PrepareError;
use crate::data::source::{ImageError, Source};

/// Which part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wanted {
    /// Classes at most; none means all.
    pub classes: Option<usize>,
    /// Images a class must have.
    pub least_images: u64,
}

/// A part of a source, itself a source.
pub struct Subset {
    source: Arc<dyn Source>,
    /// Images of the source, in its order.
    images: Vec<u32>,
    labels: Vec<u32>,
    names: Vec<String>,
}

impl Subset {
    /// The part of `source` that is `wanted`.
    ///
    /// # Errors
    /// Fewer than two classes are left.
    pub fn new(source: Arc<dyn Source>, wanted: Wanted) -> Result<Self, PrepareError> {
        let all = source.labels();
        let mut counts = vec![0u64; source.classes()];
        for label in &all {
            counts[*label as usize] += 1;
        }
        let least = wanted.least_images.max(1);
        let kept = counts.iter().enumerate().filter(|(_, count)| **count >= least).map(|(label, _)| label);
        let kept: Vec<usize> = kept.take(wanted.classes.unwrap_or(usize::MAX)).collect();
        if kept.len() < 2 {
            let present = counts.iter().filter(|count| **count > 0).count();
            return Err(PrepareError::NothingLeft { classes: kept.len(), least, all: present });
        }
        let mut new = vec![None; counts.len()];
        for (label, old) in kept.iter().enumerate() {
            new[*old] = Some(label as u32);
        }
        let old_names = source.names_of_classes();
        let names = kept.iter().map(|old| old_names[*old].clone()).collect();
        let (images, labels) = (0..).zip(&all).filter_map(|(image, old)| Some((image, new[*old as usize]?))).unzip();
        Ok(Self { source, images, labels, names })
    }
}

impl Source for Subset {
    fn len(&self) -> usize {
        self.images.len()
    }

    fn classes(&self) -> usize {
        self.names.len()
    }

    fn label(&self, index: usize) -> u32 {
        self.labels[index]
    }

    fn names_of_classes(&self) -> Vec<String> {
        self.names.clone()
    }

    fn has_names(&self) -> bool {
        self.source.has_names()
    }

    fn number(&self, index: usize) -> u64 {
        self.source.number(self.images[index] as usize)
    }

    fn name(&self, index: usize) -> String {
        self.source.name(self.images[index] as usize)
    }

    fn encoded(&self, index: usize, bytes: &mut Vec<u8>) -> Result<(), ImageError> {
        self.source.encoded(self.images[index] as usize, bytes)
    }
}
