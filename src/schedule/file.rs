//! The schedule as it was written: what each field says and where, nothing judged beyond its type.
//!
//! The tables of this file are the whole vocabulary of fields, the reference's spellings included.

use super::call::Call;
use super::names::{self, Name};
use super::reader::{Field, Fields, Reader};
use super::recovery::RecoveryFile;
use super::snapshot::SnapshotFile;
use super::source::{At, Span};
use super::tree::{Entry, Node, Value};
use super::{center, loss, optimizer};

/// The fields at the top. The reference gives the data's and the learning rate's parts here too.
pub(super) const TOP: &[Name] = &[
    Name::new("name", &["save_path"]),
    Name::new("model", &[]),
    Name::new("data", &[]),
    Name::new("batch_size", &[]),
    Name::new("seed", &[]),
    Name::new("learning_rate", &["lr"]),
    Name::new("initial_epoch", &[]),
    Name::new("precision", &[]),
    Name::new("device", &[]),
    Name::new("checkpoints", &[]),
    Name::new("runs", &[]),
    Name::new("stages", &["schedule", "sch"]),
    Name::new("branches", &["alternatives"]),
    Name::new("snapshot", &["snapshots"]),
    Name::new("recovery", &[]),
    Name::new("lr_base", &[]),
    Name::new("lr_decay", &[]),
    Name::new("data_path", &[]),
    Name::new("eval_paths", &[]),
    Name::new("random_status", &[]),
];

pub(super) const MODEL: &[Name] = &[
    Name::new("backbone", &[]),
    Name::new("embedding", &["emb_shape", "embedding_size", "basic_model"]),
    Name::new("dropout", &[]),
    Name::new("width", &["alpha"]),
    Name::new("weight_decay", &[]),
    Name::new("pretrained", &["weights"]),
    Name::new("file", &[]),
    Name::new("compile", &[]),
    Name::new("custom_objects", &[]),
];

pub(super) const DATA: &[Name] = &[
    Name::new("train", &["data_path"]),
    Name::new("bins", &["eval_paths"]),
    Name::new("augment", &["random_status"]),
    Name::new("workers", &[]),
    Name::new("classes", &["num_classes"]),
    Name::new("most_bad", &[]),
];

pub(super) const TRAIN: &[Name] = &[Name::new("path", &[]), Name::new("labels", &[])];

pub(super) const RATE: &[Name] =
    &[Name::new("base", &["lr_base"]), Name::new("decay", &["lr_decay"]), Name::new("hold", &[])];

pub(super) const STAGE: &[Name] = &[
    Name::new("name", &[]),
    Name::new("loss", &[]),
    Name::new("optimizer", &["optimiser"]),
    Name::new("epochs", &["epoch"]),
    Name::new("bottleneck_only", &[]),
    Name::new("type", &[]),
    Name::new("centerloss", &["center_loss"]),
    Name::new("batch_size", &[]),
    Name::new("learning_rate", &["lr"]),
    Name::new("augment", &["random_status"]),
    Name::new("sample", &["sample_rate"]),
];

pub(super) const BRANCH: &[Name] = &[Name::new("name", &[]), Name::new("stages", &["schedule", "sch"])];

/// Whether two names mean the same field, loss or optimiser.
pub(super) fn same_name(a: &str, b: &str) -> bool {
    let fields = [TOP, MODEL, DATA, RATE, STAGE, BRANCH].into_iter().flatten();
    let losses = loss::TABLE.iter().map(|row| &row.name);
    let optimizers = optimizer::TABLE.iter().map(|row| &row.name);
    fields.chain(losses).chain(optimizers).any(|name| name.is(a) && name.is(b))
}

/// Where a field belongs that stands in the wrong map: `data.augment`.
fn belongs(written: &str) -> Option<String> {
    [(TOP, ""), (MODEL, "model."), (DATA, "data."), (RATE, "learning_rate."), (STAGE, "stages.")]
        .into_iter()
        .find_map(|(known, prefix)| names::find(written, known).map(|name| format!("{prefix}{}", name.name)))
}

/// The whole file.
pub(super) struct ScheduleFile {
    pub name: Field<String>,
    pub model: Field<ModelFile>,
    pub train: Field<Vec<TrainFile>>,
    pub bins: Field<Vec<At<String>>>,
    pub augment: Field<i128>,
    pub workers: Field<Count>,
    pub batch_size: Field<Count>,
    pub seed: Field<i128>,
    pub learning_rate: RateFile,
    pub initial_epoch: Field<i128>,
    pub precision: Field<String>,
    pub device: Field<String>,
    pub checkpoints: Field<String>,
    pub runs: Field<String>,
    pub stages: Field<Stages>,
    pub branches: Field<Vec<At<Option<BranchFile>>>>,
    pub classes: Field<i128>,
    pub most_bad: Field<f64>,
    pub snapshot: SnapshotFile,
    pub recovery: RecoveryFile,
    /// Where to point when something is missing: the first name.
    pub start: Span,
    /// Where to point when something is missing of the data.
    pub data_at: Span,
}

/// A list of stages; none where one is no map.
pub(super) type Stages = Vec<At<Option<StageFile>>>;

/// One of `branches`: stages with a name, or one stage alone.
pub(super) struct BranchFile {
    pub name: Field<String>,
    pub stages: Field<Stages>,
    /// Whether it is one stage alone, without a list.
    pub single: bool,
}

/// The field `model`.
pub(super) struct ModelFile {
    pub backbone: Field<String>,
    pub file: Field<String>,
    pub embedding: Field<Embedding>,
    pub dropout: Field<f64>,
    pub width: Field<f64>,
    pub compile: Field<bool>,
    pub weight_decay: Field<f64>,
    /// None where it says that there is none.
    pub pretrained: Field<Option<String>>,
}

/// What `embedding` says: a length for a backbone, a position or a name for a file.
pub(super) enum Embedding {
    Number(i128),
    Text(String),
}

/// One of `data.train`.
pub(super) struct TrainFile {
    pub path: At<String>,
    pub labels: Field<String>,
}

/// A number, or `auto`: `data.workers`, `batch_size`.
#[derive(Clone, Copy)]
pub(super) enum Count {
    Auto,
    Number(i128),
}

impl Count {
    fn read(reader: &mut Reader, name: &str, node: &Node) -> Option<Self> {
        match &node.value {
            Value::Text(text) if text.eq_ignore_ascii_case("auto") => Some(Self::Auto),
            _ => reader.integer(name, node).map(Self::Number),
        }
    }
}

/// The field `learning_rate`, long or short, or its parts at the top.
pub(super) struct RateFile {
    pub base: Field<f64>,
    pub decay: Field<f64>,
    pub hold: Field<i128>,
}

/// One of `stages`.
pub(super) struct StageFile {
    pub name: Field<String>,
    pub batch_size: Field<Count>,
    pub learning_rate: RateFile,
    pub augment: Field<i128>,
    pub loss: Field<Call>,
    /// None where it says that the last one is kept.
    pub optimizer: Field<Option<Call>>,
    pub epochs: Field<i128>,
    pub bottleneck_only: Field<bool>,
    pub sample: Field<f64>,
    pub head: Field<String>,
    /// None where it says that there is none.
    pub centerloss: Field<Option<Call>>,
}

impl ScheduleFile {
    /// Reads the tree; what is wrong is noted in `reader`. Without any fields, all are absent.
    pub(super) fn read(root: &Node, reader: &mut Reader) -> Self {
        let empty = Node { value: Value::Map(Vec::new()), at: root.at };
        let root = if root.value == Value::Null { &empty } else { root };
        let top = reader.fields("the schedule", root, TOP, &belongs);
        let sound = top.is_some();
        let top = top.unwrap_or_default();
        let start = match &root.value {
            Value::Map(entries) => entries.first().map_or(Span { len: 0, ..root.at }, |entry| entry.key.at),
            _ => root.at,
        };

        let data_field = reader.field("data", top.all("data"), |_, _, node| Some(node));
        let data = data_field.given().and_then(|given| reader.fields("`data`", given.value, DATA, &belongs));
        let data_at = data_field.given().map_or(start, |given| given.at);
        let data_broken = matches!(data_field, Field::Broken) || (data_field.given().is_some() && data.is_none());
        let data = data.unwrap_or_default();

        let stages = or_broken(sound, read_stages(reader, top.all("stages"), ""));
        let branches = or_broken(sound, read_branches(reader, top.all("branches")));

        Self {
            name: reader.field("name", top.all("name"), Reader::text),
            model: or_broken(
                sound,
                reader.field("model", top.all("model"), |reader, _, node| ModelFile::read(node, reader)),
            ),
            train: or_broken(sound && !data_broken, read_train(reader, data.all("train").chain(top.all("data_path")))),
            bins: read_bins(reader, data.all("bins").chain(top.all("eval_paths"))),
            augment: reader.field("augment", data.all("augment").chain(top.all("random_status")), Reader::integer),
            workers: reader.field("workers", data.all("workers"), Count::read),
            batch_size: reader.field("batch_size", top.all("batch_size"), Count::read),
            seed: reader.field("seed", top.all("seed"), Reader::integer),
            learning_rate: RateFile::read(&top, reader),
            initial_epoch: reader.field("initial_epoch", top.all("initial_epoch"), Reader::integer),
            precision: reader.field("precision", top.all("precision"), Reader::text),
            device: reader.field("device", top.all("device"), Reader::text),
            checkpoints: reader.field("checkpoints", top.all("checkpoints"), Reader::text),
            runs: reader.field("runs", top.all("runs"), Reader::text),
            stages,
            branches,
            classes: reader.field("classes", data.all("classes"), Reader::integer),
            most_bad: reader.field("most_bad", data.all("most_bad"), Reader::number),
            snapshot: SnapshotFile::read(top.all("snapshot"), reader, &belongs),
            recovery: RecoveryFile::read(top.all("recovery"), reader, &belongs),
            start,
            data_at,
        }
    }
}

/// A field that is absent because the map it would stand in could not be read is broken: that is said already.
fn or_broken<T>(sound: bool, field: Field<T>) -> Field<T> {
    match field {
        Field::Absent if !sound => Field::Broken,
        field => field,
    }
}

/// A list of stages; `of` says of which branch in messages.
fn read_stages<'n>(reader: &mut Reader, entries: impl Iterator<Item = &'n Entry>, of: &str) -> Field<Stages> {
    match reader.choose("stages", entries) {
        Field::Given(At { value: node, at }) => match &node.value {
            Value::List(items) => {
                let stages = items.iter().enumerate();
                let stages =
                    stages.map(|(index, item)| StageFile::read(&format!("{of}stage {}", index + 1), item, reader));
                Field::Given(At { value: stages.collect(), at })
            }
            Value::Null => Field::Given(At { value: Vec::new(), at }),
            _ => {
                let help = "each stage begins with a dash: - {loss: softmax, epochs: 15}".to_owned();
                reader.mismatch("stages", node, "a list of stages", Some(help));
                Field::Broken
            }
        },
        Field::Absent => Field::Absent,
        Field::Broken => Field::Broken,
    }
}

/// The list of branches.
fn read_branches<'n>(
    reader: &mut Reader,
    entries: impl Iterator<Item = &'n Entry>,
) -> Field<Vec<At<Option<BranchFile>>>> {
    match reader.choose("branches", entries) {
        Field::Given(At { value: node, at }) => match &node.value {
            Value::List(items) => {
                let branches = items.iter().enumerate();
                let branches = branches.map(|(index, item)| BranchFile::read(index, item, reader)).collect();
                Field::Given(At { value: branches, at })
            }
            Value::Null => Field::Given(At { value: Vec::new(), at }),
            _ => {
                let help = "each branch begins with a dash: - {loss: softmax, optimizer: adam, epochs: 1}".to_owned();
                reader.mismatch("branches", node, "a list of branches", Some(help));
                Field::Broken
            }
        },
        Field::Absent => Field::Absent,
        Field::Broken => Field::Broken,
    }
}

impl BranchFile {
    /// Reads the branch at `index`, counted from 0; none where it is no map.
    fn read(index: usize, node: &Node, reader: &mut Reader) -> At<Option<Self>> {
        let what = format!("branch {}", index + 1);
        let Value::Map(entries) = &node.value else {
            let stage = StageFile::read(&what, node, reader);
            return At { value: None, at: stage.at };
        };
        let at = entries.first().map_or(node.at, |entry| entry.key.at);
        let listed = entries.iter().any(|entry| names::find(&entry.key.value, &BRANCH[1..]).is_some());
        if listed {
            let Some(fields) = reader.fields(&what, node, BRANCH, &belongs) else { return At { value: None, at } };
            let branch = Self {
                name: reader.field("name", fields.all("name"), Reader::text),
                stages: read_stages(reader, fields.all("stages"), &format!("{what}, ")),
                single: false,
            };
            return At { value: Some(branch), at };
        }
        let stage = StageFile::read(&what, node, reader);
        let name = match &stage.value {
            Some(StageFile { name: Field::Given(name), .. }) => Field::Given(name.clone()),
            Some(StageFile { name: Field::Broken, .. }) => Field::Broken,
            _ => Field::Absent,
        };
        At { value: Some(Self { name, stages: Field::Given(At { value: vec![stage], at }), single: true }), at }
    }
}

impl RateFile {
    /// The learning rate of the schedule or of a stage: long, short (`learning_rate: 0.001` is the base), or in parts.
    fn read(fields: &Fields, reader: &mut Reader) -> Self {
        let field = reader.field("learning_rate", fields.all("learning_rate"), |_, _, node| Some(node));
        let parts = match field.given() {
            Some(At { value: node @ Node { value: Value::Map(_), .. }, .. }) => {
                reader.fields("`learning_rate`", node, RATE, &belongs).unwrap_or_default()
            }
            _ => Fields::default(),
        };
        // The short form is the field itself.
        let is_short = |entry: &&Entry| !matches!(entry.value.value, Value::Map(_) | Value::Null);
        let short = field.given().and_then(|_| fields.all("learning_rate").max_by_key(|entry| entry.key.at.source));
        let base = short.filter(is_short).into_iter().chain(parts.all("base")).chain(fields.all("lr_base"));
        Self {
            base: reader.field("learning_rate", base, Reader::number),
            decay: reader.field("decay", parts.all("decay").chain(fields.all("lr_decay")), Reader::number),
            hold: reader.field("hold", parts.all("hold"), Reader::integer),
        }
    }
}

/// The training sets: one path, or a list of paths and of maps with one.
fn read_train<'n>(reader: &mut Reader, entries: impl IntoIterator<Item = &'n Entry>) -> Field<Vec<TrainFile>> {
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
fn read_bins<'n>(reader: &mut Reader, entries: impl Iterator<Item = &'n Entry>) -> Field<Vec<At<String>>> {
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

impl ModelFile {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        // The short form, as the reference has it: model: checkpoints/NAME.h5
        if let Value::Text(text) = &node.value
            && std::path::Path::new(text.trim_end()).extension().is_some_and(|kind| kind.eq_ignore_ascii_case("h5"))
        {
            return Some(Self {
                backbone: Field::Absent,
                file: reader
                    .text("model", node)
                    .map_or(Field::Broken, |path| Field::Given(At { value: path, at: node.at })),
                embedding: Field::Absent,
                dropout: Field::Absent,
                width: Field::Absent,
                weight_decay: Field::Absent,
                pretrained: Field::Absent,
                compile: Field::Absent,
            });
        }
        let fields = reader.fields("`model`", node, MODEL, &belongs)?;
        Some(Self {
            backbone: reader.field("backbone", fields.all("backbone"), Reader::text),
            file: reader.field("model.file", fields.all("file"), Reader::text),
            embedding: reader.field("embedding", fields.all("embedding"), |reader, name, node| match &node.value {
                Value::Int(number) => Some(Embedding::Number(*number)),
                Value::Text(_) => {
                    let text = reader.text(name, node)?;
                    Some(text.trim().parse().map_or(Embedding::Text(text), Embedding::Number))
                }
                _ => {
                    reader.mismatch(name, node, "a length, a layer's name or a layer's position", None);
                    None
                }
            }),
            dropout: reader.field("dropout", fields.all("dropout"), Reader::number),
            width: reader.field("width", fields.all("width"), Reader::number),
            compile: reader.field("compile", fields.all("compile"), Reader::flag),
            weight_decay: reader.field("weight_decay", fields.all("weight_decay"), Reader::number),
            pretrained: match reader.choose("pretrained", fields.all("pretrained")) {
                Field::Given(At { value: node, at }) if is_none(node) => Field::Given(At { value: None, at }),
                Field::Given(At { value: node, at }) => match reader.text("pretrained", node) {
                    Some(path) => Field::Given(At { value: Some(path), at }),
                    None => Field::Broken,
                },
                Field::Absent => Field::Absent,
                Field::Broken => Field::Broken,
            },
        })
    }
}

impl StageFile {
    /// Reads a stage that messages call `what`; none where it is no map.
    fn read(what: &str, node: &Node, reader: &mut Reader) -> At<Option<Self>> {
        let Some(fields) = reader.fields(what, node, STAGE, &belongs) else {
            return At { value: None, at: node.at };
        };
        let at = match &node.value {
            Value::Map(entries) => entries.first().map_or(node.at, |entry| entry.key.at),
            _ => node.at,
        };
        let optimizer = match reader.choose("optimizer", fields.all("optimizer")) {
            Field::Absent | Field::Broken => Field::Absent,
            Field::Given(At { value: node, at }) if is_none(node) => Field::Given(At { value: None, at }),
            Field::Given(At { value: node, at }) => match Call::read(reader, "optimizer", node) {
                Some(call) => Field::Given(At { value: Some(call), at }),
                None => Field::Broken,
            },
        };
        let stage = Self {
            name: reader.field("name", fields.all("name"), Reader::text),
            batch_size: reader.field("batch_size", fields.all("batch_size"), Count::read),
            learning_rate: RateFile::read(&fields, reader),
            augment: reader.field("augment", fields.all("augment"), Reader::integer),
            loss: reader.field("loss", fields.all("loss"), Call::read),
            optimizer,
            epochs: reader.field("epochs", fields.all("epochs"), Reader::integer),
            bottleneck_only: reader.field("bottleneck_only", fields.all("bottleneck_only"), Reader::flag),
            sample: reader.field("sample", fields.all("sample"), Reader::number),
            head: reader.field("type", fields.all("type"), Reader::text),
            centerloss: center::read(reader, fields.all("centerloss")),
        };
        At { value: Some(stage), at }
    }
}

/// Whether a value says that there is none, in YAML's or Python's word.
fn is_none(node: &Node) -> bool {
    match &node.value {
        Value::Null => true,
        Value::Text(text) => text.eq_ignore_ascii_case("none"),
        _ => false,
    }
}
