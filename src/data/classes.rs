//! Which class has which label, kept in a file beside a run's checkpoints: class folders need not be numbers, and the
//! order of their names changes when one is added. Training that goes on keeps the labels that its network learnt.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::checkpoint::json_checksum;

use super::source::{ImageError, ImageRead, Source};

/// The file that holds the names of a set of records, beside `train.rec`.
pub const BESIDE_RECORDS: &str = "classes.json";

/// Bytes of such a file that are read: 16 million names fit.
const LARGEST: u64 = 1 << 30;

/// The names of the classes, by label.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Classes {
    /// Counts the changes of the file.
    pub version: u32,
    /// The first is class 0.
    pub classes: Vec<String>,
}

impl Classes {
    /// Those of a source.
    pub fn of(source: &dyn Source) -> Self {
        Self { version: 1, classes: source.names_of_classes() }
    }

    /// The file's text, its checksum included.
    ///
    /// # Errors
    /// None that names of classes can give.
    pub fn to_text(&self) -> std::io::Result<Vec<u8>> {
        Ok(json_checksum::to_text(self)?)
    }

    /// Reads a file; none when it is not there.
    ///
    /// # Errors
    /// A file that cannot be read, or holds something else, in words.
    pub fn read(path: &Path) -> Result<Option<Self>, String> {
        let failed = |reason: String| format!("`{}` holds no names of classes: {reason}", path.display());
        let facts = match std::fs::metadata(path) {
            Ok(facts) => facts,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error.to_string())),
        };
        if facts.len() > LARGEST {
            return Err(failed(format!("it has {} bytes", facts.len())));
        }
        let text = std::fs::read(path).map_err(|error| failed(error.to_string()))?;
        let found: Self = json_checksum::parse(&text).map_err(failed)?;
        if found.version != 1 {
            let version = found.version;
            return Err(failed(format!("its version is {version}; this facetui knows 1: a newer one wrote it")));
        }
        Ok(Some(found))
    }
}

/// What became of the labels of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Changes {
    /// Classes whose label is now another than the source's own.
    pub moved: usize,
    /// Classes that the kept names do not hold: they come behind them.
    pub new: usize,
    /// Kept names that the source does not hold: classes without images.
    pub missing: usize,
}

/// A source under the labels of kept names.
struct Relabelled {
    source: Arc<dyn Source>,
    /// Label of each of its classes.
    labels: Vec<u32>,
    names: Vec<String>,
}

/// Gives `source` the labels of `kept`, by name; classes of other names get new labels behind them. What changed.
pub fn relabel(source: Arc<dyn Source>, kept: &Classes) -> (Arc<dyn Source>, Changes) {
    let mut names = kept.classes.clone();
    let known: HashMap<String, u32> = names.iter().cloned().zip(0..).collect();
    let mut changes = Changes { moved: 0, new: 0, missing: 0 };
    let own = source.names_of_classes();
    let labels: Vec<u32> = (0..)
        .zip(own)
        .map(|(label, name)| {
            let kept = known.get(&name).copied().unwrap_or_else(|| {
                changes.new += 1;
                names.push(name);
                names.len() as u32 - 1
            });
            changes.moved += usize::from(kept != label);
            kept
        })
        .collect();
    changes.missing = names.len() - labels.len();
    if changes.moved == 0 && changes.missing == 0 {
        return (source, changes);
    }
    (Arc::new(Relabelled { source, labels, names }), changes)
}

impl Source for Relabelled {
    fn len(&self) -> usize {
        self.source.len()
    }

    fn classes(&self) -> usize {
        self.names.len()
    }

    fn label(&self, index: usize) -> u32 {
        self.labels[self.source.label(index) as usize]
    }

    fn labels(&self) -> Vec<u32> {
        self.source.labels().into_iter().map(|label| self.labels[label as usize]).collect()
    }

    fn names_of_classes(&self) -> Vec<String> {
        self.names.clone()
    }

    fn has_names(&self) -> bool {
        true
    }

    fn number(&self, index: usize) -> u64 {
        self.source.number(index)
    }

    fn name(&self, index: usize) -> String {
        self.source.name(index)
    }

    fn encoded(&self, index: usize, bytes: &mut Vec<u8>) -> Result<(), ImageError> {
        self.source.encoded(index, bytes)
    }

    fn read(
        &self,
        index: usize,
        size: (u32, u32),
        scratch: &mut Vec<u8>,
        pixels: &mut [u8],
    ) -> Result<ImageRead, ImageError> {
        self.source.read(index, size, scratch, pixels)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Named(&'static [&'static str]);

    impl Source for Named {
        fn len(&self) -> usize {
            self.0.len()
        }
        fn classes(&self) -> usize {
            self.0.len()
        }
        fn label(&self, index: usize) -> u32 {
            index as u32
        }
        fn names_of_classes(&self) -> Vec<String> {
            self.0.iter().map(|name| (*name).to_owned()).collect()
        }
        fn name(&self, index: usize) -> String {
            self.0[index].to_owned()
        }
        fn encoded(&self, _: usize, _: &mut Vec<u8>) -> Result<(), ImageError> {
            Err(ImageError::Decoder)
        }
    }

    #[test]
    fn known_classes_keep_their_labels_and_new_ones_come_behind() {
        let kept = Classes::of(&Named(&["bob", "eve"]));
        let (same, changes) = relabel(Arc::new(Named(&["bob", "eve"])), &kept);
        assert_eq!((same.labels(), changes), (vec![0, 1], Changes { moved: 0, new: 0, missing: 0 }));
        let (more, changes) = relabel(Arc::new(Named(&["ann", "bob", "eve"])), &kept);
        assert_eq!((more.labels(), more.classes()), (vec![2, 0, 1], 3));
        assert_eq!((more.names_of_classes().join(" "), changes.new, changes.moved), ("bob eve ann".to_owned(), 1, 3));
        let (fewer, changes) = relabel(Arc::new(Named(&["eve"])), &kept);
        assert_eq!((fewer.labels(), fewer.classes(), changes.missing), (vec![1], 2, 1));
    }

    #[test]
    fn a_file_of_names_is_read_and_others_are_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x_classes.json");
        assert_eq!(Classes::read(&path), Ok(None));
        for (text, words) in [("[]", "no names"), (r#"{"version": 2, "classes": []}"#, "version is 2")] {
            std::fs::write(&path, text).expect("writes");
            assert!(Classes::read(&path).expect_err("is refused").contains(words));
        }
        let kept = Classes::of(&Named(&["ann", "b\"ob\n"]));
        std::fs::write(&path, serde_json::to_vec(&kept).expect("JSON")).expect("writes");
        assert_eq!(Classes::read(&path), Ok(Some(kept.clone())));
        let mut text = kept.to_text().expect("JSON");
        std::fs::write(&path, &text).expect("writes");
        assert_eq!(Classes::read(&path), Ok(Some(kept)));
        let letter = text.windows(3).position(|name| name == b"ann").expect("is there");
        text[letter] = b'e';
        std::fs::write(&path, &text).expect("writes");
        let error = Classes::read(&path).expect_err("is damaged");
        assert!(error.contains("x_classes.json`") && error.contains("it is damaged"), "{error}");
    }
}
