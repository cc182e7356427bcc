//! Several data sets as one: their images one after the other, their classes side by side or merged by name.

use std::collections::HashMap;
use std::sync::Arc;

use super::source::{ImageError, Source};
use crate::schedule::Labels;

/// Several sources in a row.
pub struct Concat {
    parts: Vec<Part>,
    names: Vec<String>,
    images: usize,
    notes: Vec<String>,
}

/// A source that is to be put behind others.
pub struct Set {
    /// What messages call it.
    pub name: String,
    /// Its images.
    pub source: Arc<dyn Source>,
    /// What becomes of its classes.
    pub labels: Labels,
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

impl Concat {
    /// Puts sources in a row. The classes of a source are new ones ([`Labels::Offset`]), or those of the same name in the
    /// sources before it and new ones else ([`Labels::Merge`]). A class is called as its folder, or by its number.
    ///
    /// # Errors
    /// More images than can be numbered.
    pub fn new(sets: &[Set]) -> Result<Self, TooMany> {
        let parts = Vec::with_capacity(sets.len());
        let mut joined = Self { parts, names: Vec::new(), images: 0, notes: Vec::new() };
        let mut known: HashMap<String, u32> = HashMap::new();
        for (number, set) in sets.iter().enumerate() {
            let mut labels = Vec::with_capacity(set.source.classes());
            let mut merged = 0;
            for name in set.source.names_of_classes() {
                let next = joined.names.len() as u32;
                let label = if set.labels == Labels::Merge { known.get(&name).copied().unwrap_or(next) } else { next };
                if label == next {
                    joined.names.push(name.clone());
                    known.entry(name).or_insert(label);
                } else {
                    merged += 1;
                }
                labels.push(label);
            }
            if set.labels == Labels::Merge {
                joined.notes.extend(doubt(set, &sets[..number], merged));
            }
            let first = joined.images;
            joined.images += set.source.len();
            joined.parts.push(Part { source: Arc::clone(&set.source), first, labels });
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

/// Why `merged` classes that `set` shares with the sets before it may not be what was meant; none when all is well.
fn doubt(set: &Set, before: &[Set], merged: usize) -> Option<String> {
    let (named, classes) = (set.source.has_names(), set.source.classes());
    let advice =
        "give all of them names (`facetui prepare records` keeps those of folders), or leave `labels: merge` out";
    if let Some(other) = before.iter().find(|other| other.source.has_names() != named) {
        let (with, without) = if named { (set, other) } else { (other, set) };
        let (label, name) = example(&*with.source)?;
        return Some(format!(
            "`{}` is merged by the names of its classes, but those of `{}` have names and those of `{}` only numbers: \
             class {label} is `{name}` in one and `{label}` in the other; {merged} of its {classes} classes were merged, \
             the others are new: {advice}",
            set.name, with.name, without.name
        ));
    }
    let first = set.source.names_of_classes().into_iter().next()?;
    (merged == 0 && !before.is_empty()).then(|| {
        format!(
            "`{}` is merged by the names of its classes, but none of its {classes}, as `{first}`, is in the sets before it: \
             all of them are new",
            set.name
        )
    })
}

/// The first class whose name is not its number.
fn example(source: &dyn Source) -> Option<(usize, String)> {
    source.names_of_classes().into_iter().enumerate().find(|(label, name)| *name != label.to_string())
}

impl Source for Concat {
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

    fn notes(&self) -> Vec<String> {
        self.notes.clone()
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
        fn has_names(&self) -> bool {
            example(self).is_some()
        }
        fn name(&self, index: usize) -> String {
            format!("{}-{index}", self.1)
        }
        fn encoded(&self, index: usize, bytes: &mut Vec<u8>) -> Result<(), ImageError> {
            *bytes = vec![self.1, index as u8];
            Ok(())
        }
    }

    fn set(name: &str, source: Named, labels: Labels) -> Set {
        Set { name: name.to_owned(), source: Arc::new(source), labels }
    }

    fn join(second: Labels) -> Concat {
        let (a, b) = (Named(&[("ann", 2), ("bob", 1)], 1), Named(&[("bob", 2), ("eve", 1)], 2));
        Concat::new(&[set("a", a, Labels::Offset), set("b", b, second)]).expect("few")
    }

    #[test]
    fn merging_names_with_numbers_or_nothing_is_told() {
        let told = |second: Named, labels| {
            let first = set("a", Named(&[("ann", 2), ("bob", 1)], 1), Labels::Offset);
            Concat::new(&[first, set("b", second, labels)]).expect("few").notes()
        };
        assert_eq!((join(Labels::Merge).notes(), join(Labels::Offset).notes()), (vec![], vec![]));
        let numbers = || Named(&[("0", 1), ("1", 1)], 2);
        assert_eq!(told(numbers(), Labels::Offset), Vec::<String>::new());
        let notes = told(numbers(), Labels::Merge);
        assert_eq!(notes.len(), 1);
        for words in ["of `a` have names and those of `b`", "class 0 is `ann` in one and `0`", "0 of its 2 classes"] {
            assert!(notes[0].contains(words), "{notes:?}");
        }
        let notes = told(Named(&[("Ann", 1)], 2), Labels::Merge);
        assert!(notes.len() == 1 && notes[0].contains("none of its 1, as `Ann`"), "{notes:?}");
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
