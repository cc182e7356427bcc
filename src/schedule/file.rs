//! The schedule as it was written: what each field says and where, nothing judged beyond its type.
//!
//! The tables of this file are the whole vocabulary of fields, the reference's spellings included.

use super::call::Call;
use super::names::{self, Name};
use super::reader::{Field, Fields, Reader};
use super::source::{At, Span};
use super::tree::{Entry, Node, Value};
use super::{loss, optimizer};

/// The fields at the top. The reference gives the data's and the learning rate's parts here too.
const TOP: &[Name] = &[
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
    Name::new("lr_base", &[]),
    Name::new("lr_decay", &[]),
    Name::new("data_path", &[]),
    Name::new("eval_paths", &[]),
    Name::new("random_status", &[]),
];

const MODEL: &[Name] = &[
    Name::new("backbone", &[]),
    Name::new("embedding", &["emb_shape", "embedding_size"]),
    Name::new("dropout", &[]),
    Name::new("width", &["alpha"]),
    Name::new("weight_decay", &[]),
    Name::new("pretrained", &["weights"]),
    Name::new("file", &[]),
];

const DATA: &[Name] = &[
    Name::new("train", &["data_path"]),
    Name::new("bins", &["eval_paths"]),
    Name::new("augment", &["random_status"]),
    Name::new("workers", &[]),
];

const RATE: &[Name] = &[Name::new("base", &["lr_base"]), Name::new("decay", &["lr_decay"]), Name::new("hold", &[])];

const STAGE: &[Name] = &[
    Name::new("loss", &[]),
    Name::new("optimizer", &["optimiser"]),
    Name::new("epochs", &["epoch"]),
    Name::new("bottleneck_only", &[]),
    Name::new("type", &[]),
    Name::new("centerloss", &["center_loss"]),
];

/// Whether two names mean the same field, loss or optimiser.
pub(super) fn same_name(a: &str, b: &str) -> bool {
    let fields = [TOP, MODEL, DATA, RATE, STAGE].into_iter().flatten();
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
    pub train: Field<String>,
    pub bins: Field<Vec<At<String>>>,
    pub augment: Field<i128>,
    pub workers: Field<Workers>,
    pub batch_size: Field<i128>,
    pub seed: Field<i128>,
    pub learning_rate: RateFile,
    pub initial_epoch: Field<i128>,
    pub precision: Field<String>,
    pub device: Field<String>,
    pub checkpoints: Field<String>,
    pub runs: Field<String>,
    pub stages: Field<Vec<At<Option<StageFile>>>>,
    /// Where to point when something is missing: the first name.
    pub start: Span,
    /// Where to point when something is missing of the data.
    pub data_at: Span,
}

/// The field `model`.
pub(super) struct ModelFile {
    pub backbone: Field<String>,
    pub file: Field<String>,
    pub embedding: Field<Embedding>,
    pub dropout: Field<f64>,
    pub width: Field<f64>,
    pub weight_decay: Field<f64>,
    /// None where it says that there is none.
    pub pretrained: Field<Option<String>>,
}

/// What `embedding` says: a length for a backbone, a position or a name for a file.
pub(super) enum Embedding {
    Number(i128),
    Text(String),
}

/// The field `data.workers`.
pub(super) enum Workers {
    Auto,
    Number(i128),
}

/// The field `learning_rate`, long or short, or its parts at the top.
pub(super) struct RateFile {
    pub base: Field<f64>,
    pub decay: Field<f64>,
    pub hold: Field<i128>,
}

/// One of `stages`.
pub(super) struct StageFile {
    pub loss: Field<Call>,
    /// None where it says that the last one is kept.
    pub optimizer: Field<Option<Call>>,
    pub epochs: Field<i128>,
    pub bottleneck_only: Field<bool>,
    pub head: Field<String>,
    pub centerloss: Field<bool>,
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

        let rate_field = reader.field("learning_rate", top.all("learning_rate"), |_, _, node| Some(node));
        let rate = match rate_field.given() {
            Some(At { value: node @ Node { value: Value::Map(_), .. }, .. }) => {
                reader.fields("`learning_rate`", node, RATE, &belongs).unwrap_or_default()
            }
            _ => Fields::default(),
        };
        // The short form, `learning_rate: 0.001`, is the field itself.
        let is_short = |entry: &&Entry| !matches!(entry.value.value, Value::Map(_) | Value::Null);
        let short = rate_field.given().and_then(|_| top.all("learning_rate").max_by_key(|entry| entry.key.at.source));
        let base = short.filter(is_short).into_iter().chain(rate.all("base")).chain(top.all("lr_base"));

        let stages = match reader.choose("stages", top.all("stages")) {
            Field::Absent | Field::Broken if sound => Field::Absent,
            Field::Absent | Field::Broken => Field::Broken,
            Field::Given(At { value: node, at }) => match &node.value {
                Value::List(items) => {
                    let stages = items.iter().enumerate();
                    let stages = stages.map(|(index, item)| StageFile::read(index, item, reader)).collect();
                    Field::Given(At { value: stages, at })
                }
                Value::Null => Field::Given(At { value: Vec::new(), at }),
                _ => {
                    reader.mismatch(
                        "stages",
                        node,
                        "a list of stages",
                        Some("each stage begins with a dash: - {loss: softmax, epochs: 15}".to_owned()),
                    );
                    Field::Broken
                }
            },
        };

        Self {
            name: reader.field("name", top.all("name"), Reader::text),
            model: or_broken(
                sound,
                reader.field("model", top.all("model"), |reader, _, node| ModelFile::read(node, reader)),
            ),
            train: or_broken(
                sound && !data_broken,
                reader.field("data.train", data.all("train").chain(top.all("data_path")), Reader::text),
            ),
            bins: read_bins(reader, data.all("bins").chain(top.all("eval_paths"))),
            augment: reader.field("augment", data.all("augment").chain(top.all("random_status")), Reader::integer),
            workers: reader.field("workers", data.all("workers"), |reader, name, node| match &node.value {
                Value::Text(text) if text.eq_ignore_ascii_case("auto") => Some(Workers::Auto),
                _ => reader.integer(name, node).map(Workers::Number),
            }),
            batch_size: reader.field("batch_size", top.all("batch_size"), Reader::integer),
            seed: reader.field("seed", top.all("seed"), Reader::integer),
            learning_rate: RateFile {
                base: reader.field("learning_rate", base, Reader::number),
                decay: reader.field("decay", rate.all("decay").chain(top.all("lr_decay")), Reader::number),
                hold: reader.field("hold", rate.all("hold"), Reader::integer),
            },
            initial_epoch: reader.field("initial_epoch", top.all("initial_epoch"), Reader::integer),
            precision: reader.field("precision", top.all("precision"), Reader::text),
            device: reader.field("device", top.all("device"), Reader::text),
            checkpoints: reader.field("checkpoints", top.all("checkpoints"), Reader::text),
            runs: reader.field("runs", top.all("runs"), Reader::text),
            stages,
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
    /// Reads the stage at `index`, counted from 0; none where it is no map.
    fn read(index: usize, node: &Node, reader: &mut Reader) -> At<Option<Self>> {
        let what = format!("stage {}", index + 1);
        let Some(fields) = reader.fields(&what, node, STAGE, &belongs) else {
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
            loss: reader.field("loss", fields.all("loss"), Call::read),
            optimizer,
            epochs: reader.field("epochs", fields.all("epochs"), Reader::integer),
            bottleneck_only: reader.field("bottleneck_only", fields.all("bottleneck_only"), Reader::flag),
            head: reader.field("type", fields.all("type"), Reader::text),
            // Anything but a no asks for it: the reference takes an instance too.
            centerloss: match reader.choose("centerloss", fields.all("centerloss")) {
                Field::Given(At { value: node, at }) => {
                    let off = is_none(node) || matches!(node.value, Value::Bool(false));
                    Field::Given(At { value: !off, at })
                }
                _ => Field::Absent,
            },
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
