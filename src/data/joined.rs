//! Several data sets as one: their images one after the other, their classes side by side or merged by name.

use std::collections::HashMap;
use std::sync::Arc;

use super::source::{ImageError, Source};
use crate::schedule::Labels;

/// Several sources in a row.
pub struct Joined {
    parts: Vec<Part>,
    names: Vec<String>,
    images: usize,
}

struct Part {
    source: Arc<dyn Source>,
    /// Images of the parts before it.
    first: usize,
    /// Class of each of its classes.
    labels: Vec<u32>,
}

/// Too many images in all.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[error("the training sets hold {0} images together, more than {most} can be numbered", most = u32::MAX)]
#[diagnostic(help("leave one of them out"))]
pub struct TooMany(usize);

impl Joined {
    /// Puts sources in a row. The classes of a source are new ones ([`Labels::Offset`]), or those of the same name in the
    /// sources before it and new ones else ([`Labels::Merge`]). A class is called as its folder, or by its number.
    ///
    /// # Errors
    /// More images than can be numbered.
    pub fn new(sources: Vec<(Arc<dyn Source>, Labels)>) -> Result<Self, TooMany> {
        let mut joined = Self { parts: Vec::with_capacity(sources.len()), names: Vec::new(), images: 0 };
        let mut known: HashMap<String, u32> = HashMap::new();
        for (source, rule) in sources {
            let mut labels = Vec::with_capacity(source.classes());
            for name in source.names_of_classes() {
                let next = joined.names.len() as u32;
                let label = if rule == Labels::Merge { known.get(&name).copied().unwrap_or(next) } else { next };
                if label == next {
                    joined.names.push(name.clone());
                    known.entry(name).or_insert(label);
                }
                labels.push(label);
            }
            let first = joined.images;
            joined.images += source.len();
            joined.parts.push(Part { source, first, labels });
        }
        if u32::try_from(joined.images).is_err() {
            return Err(TooMany(joined.images));
        }
        Ok(joined)
    }

    /// The part of image `index`, and its number there.
    fn part(&self, index: usize) -> (&Part, usize) {
        let at = self.parts.partition_point(|part| part.first <= index).saturating_sub(1);
        (&self.parts[at], index - self.parts[at].first)
    }
}

impl Source for Joined {
    fn len(&self) -> usize {
        self.images
    }

    fn classes(&self) -> usize {
        self.names.len()
    }

    fn label(&self, index: usize) -> u32 {
        let (part, index) = self.part(index);
        part.labels[part.source.label(index) as usize]
    }

    fn names_of_classes(&self) -> Vec<String> {
        self.names.clone()
    }

    fn has_names(&self) -> bool {
        self.parts.iter().any(|part| part.source.has_names())
    }

    fn name(&self, index: usize) -> String {
        let (part, index) = self.part(index);
        part.source.name(index)
    }

    fn encoded(&self, index: usize, bytes: &mut Vec<u8>) -> Result<(), ImageError> {
        let (part, index) = self.part(index);
        part.source.encoded(index, bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Classes by name, each of the given number of images.
    struct Named(&'static [(&'static str, usize)], u8);

    impl Source for Named {
        fn len(&self) -> usize {
            self.0.iter().map(|(_, images)| images).sum()
        }
        fn classes(&self) -> usize {
            self.0.len()
        }
        fn label(&self, index: usize) -> u32 {
            let all = (0..).zip(self.0).flat_map(|(label, (_, images))| vec![label; *images]);
            all.collect::<Vec<u32>>()[index]
        }
        fn names_of_classes(&self) -> Vec<String> {
            self.0.iter().map(|(name, _)| (*name).to_owned()).collect()
        }
        fn name(&self, index: usize) -> String {
            format!("{}-{index}", self.1)
        }
        fn encoded(&self, index: usize, bytes: &mut Vec<u8>) -> Result<(), ImageError> {
            *bytes = vec![self.1, index as u8];
            Ok(())
        }
    }

    fn join(second: Labels) -> Joined {
        let (a, b) = (Named(&[("ann", 2), ("bob", 1)], 1), Named(&[("bob", 2), ("eve", 1)], 2));
        Joined::new(vec![(Arc::new(a), Labels::Offset), (Arc::new(b), second)]).expect("few")
    }

    #[test]
    fn labels_are_offset_or_merged_by_name() {
        let offset = join(Labels::Offset);
        assert_eq!((offset.labels(), offset.classes()), (vec![0, 0, 1, 2, 2, 3], 4));
        let merged = join(Labels::Merge);
        assert_eq!((merged.labels(), merged.classes()), (vec![0, 0, 1, 1, 1, 2], 3));
        assert_eq!(merged.names_of_classes(), ["ann", "bob", "eve"]);
        let mut bytes = Vec::new();
        merged.encoded(4, &mut bytes).expect("reads");
        assert_eq!((bytes, merged.name(2), merged.name(3)), (vec![2, 1], "1-2".to_owned(), "2-0".to_owned()));
    }
}
