//! `data`: the training sets and the evaluation bins.

use std::collections::HashMap;
use std::path::PathBuf;

use serde::Serialize;

use super::fields::TRAIN;
use super::names::Name;
use super::reader::{Field, Reader};
use super::scalars::{check_path, choice};
use super::span::{At, Span};
use super::tree::{Entry, Node, Value};

/// What a run reads.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Data {
    /// The training sets, at least one, in order: folders of folders of images, or records.
    pub train: Vec<TrainSet>,
    /// Evaluation bins, in order; the last one decides which basic model is best.
    pub bins: Vec<PathBuf>,
    /// The reference's `random_status`, 0 to 3.
    pub augment: u8,
    /// Threads that decode images; none means all cores but one.
    pub workers: Option<usize>,
    /// Share of unreadable images above which the run stops, 0 to 1; 0.01 unless given.
    pub most_bad: f64,
}

/// A training set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TrainSet {
    /// A folder of class folders, a folder with `train.rec`, or a `.rec` file.
    pub path: PathBuf,
    /// How its classes go with those of the sets before it.
    pub labels: Labels,
}

/// How the classes of a training set go with those of the sets before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Labels {
    /// All of them are new.
    #[default]
    Offset,
    /// Those whose name (the folder's, or the number) is known are the same class; the others are new.
    Merge,
}

/// Keys of the history that no bin may be called.
const HISTORY_KEYS: [&str; 3] = ["loss", "accuracy", "lr"];

/// One of `data.train`.
pub(super) struct TrainFile {
    pub path: At<String>,
    pub labels: Field<String>,
}

/// The training sets: one path, or a list of paths and of maps with one.
pub(super) fn read_train<'n>(
    reader: &mut Reader,
    entries: impl IntoIterator<Item = &'n Entry>,
) -> Field<Vec<TrainFile>> {
    reader.field("data.train", entries, |reader, name, node| match &node.value {
        Value::List(items) if items.is_empty() => {
            reader.mismatch(name, node, "a path or a list of them", None);
            None
        }
        Value::List(items) => {
            let sets: Vec<_> =
                items.iter().filter_map(|item| TrainFile::read("a set of `data.train`", item, reader)).collect();
            (sets.len() == items.len()).then_some(sets)
        }
        _ => Some(vec![TrainFile::read(name, node, reader)?]),
    })
}

impl TrainFile {
    /// Reads a path, or a map with one.
    fn read(what: &str, node: &Node, reader: &mut Reader) -> Option<Self> {
        let Value::Map(_) = &node.value else {
            return Some(Self { path: At { value: reader.text(what, node)?, at: node.at }, labels: Field::Absent });
        };
        let fields = reader.fields(what, node, TRAIN, &|_| None)?;
        match reader.field("path", fields.all("path"), Reader::text) {
            Field::Given(path) => {
                Some(Self { path, labels: reader.field("labels", fields.all("labels"), Reader::text) })
            }
            Field::Broken => None,
            Field::Absent => {
                let help = "name the set: - {path: /datasets/faces, labels: offset}".to_owned();
                reader.problems.error(node.at, format!("{what} has no `path`"), "`path` is missing", help);
                None
            }
        }
    }
}

/// The list of bins; a list whose lines are all commented out is empty, a single path is a list of one.
pub(super) fn read_bins<'n>(reader: &mut Reader, entries: impl Iterator<Item = &'n Entry>) -> Field<Vec<At<String>>> {
    match reader.choose("bins", entries) {
        Field::Given(At { value: node, at }) => match &node.value {
            Value::Null => Field::Given(At { value: Vec::new(), at }),
            Value::List(items) => {
                let bins: Vec<_> = items
                    .iter()
                    .filter_map(|item| Some(At { value: reader.text("a path of `bins`", item)?, at: item.at }))
                    .collect();
                if bins.len() == items.len() { Field::Given(At { value: bins, at }) } else { Field::Broken }
            }
            Value::Text(_) => match reader.text("bins", node) {
                Some(bin) => Field::Given(At { value: vec![At { value: bin, at: node.at }], at }),
                None => Field::Broken,
            },
            _ => {
                reader.mismatch("bins", node, "a list of paths", None);
                Field::Broken
            }
        },
        Field::Absent => Field::Absent,
        Field::Broken => Field::Broken,
    }
}

/// The training sets.
pub(super) fn check_train(sets: &[TrainFile], reader: &mut Reader) -> Option<Vec<TrainSet>> {
    const KNOWN: &[Name] = &[Name::new("offset", &[]), Name::new("merge", &["merged"])];
    let mut checked = Vec::with_capacity(sets.len());
    for set in sets {
        let path = check_path("data.train", &set.path, reader)?;
        let labels = match choice("labels", &set.labels, KNOWN, reader) {
            Some("merge") => Labels::Merge,
            _ => Labels::Offset,
        };
        checked.push(TrainSet { path, labels });
    }
    Some(checked)
}

/// The bins; their stems name the history's lists and so must differ. `data_at` is where to point when there are none.
pub(super) fn check_bins(
    bins: &Field<Vec<At<String>>>,
    data_at: Span,
    reader: &mut Reader,
) -> Option<Vec<At<PathBuf>>> {
    let given = match bins {
        Field::Given(given) => given,
        Field::Broken => return None,
        Field::Absent => {
            reader.problems.warn(
                data_at,
                "without bins nothing is evaluated, and no best basic model is kept",
                "`data.bins` is missing",
                "name evaluation files, or write bins: [] to say that none is meant".to_owned(),
            );
            return Some(Vec::new());
        }
    };
    let mut stems: HashMap<String, Span> = HashMap::new();
    let mut bins = Vec::with_capacity(given.value.len());
    for bin in &given.value {
        let path = check_path("bins", bin, reader)?;
        let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        if HISTORY_KEYS.contains(&stem.as_str()) {
            reader.problems.error(
                bin.at,
                format!("a bin cannot be called `{stem}`"),
                format!("the history has a list `{stem}` of its own"),
                "rename the file, or link to it under another name".to_owned(),
            );
        }
        if let Some(first) = stems.insert(stem.clone(), bin.at) {
            let (line, _) = reader.sources.line_column(first);
            reader.problems.error(
                bin.at,
                format!("two bins are called `{stem}`"),
                format!("the other is on line {line}"),
                "the history keeps one list a name: rename one of the files, or link to it under another name"
                    .to_owned(),
            );
        }
        bins.push(At { value: path, at: bin.at });
    }
    Some(bins)
}
