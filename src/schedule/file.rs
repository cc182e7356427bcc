//! The schedule as it was written: what each field says and where, nothing judged beyond its type.

use super::batch_size::Count;
use super::branches::{Branches, read_branches};
use super::data::{TrainFile, read_bins, read_train};
use super::fields::{DATA, TOP, belongs};
use super::learning_rate::RateFile;
use super::model::ModelFile;
use super::reader::{Field, Reader};
use super::recovery::RecoveryFile;
use super::snapshot::SnapshotFile;
use super::span::{At, Span};
use super::stage::{Stages, read_stages};
use super::tree::{Node, Value};

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
    pub branches: Field<Branches>,
    pub classes: Field<i128>,
    pub most_bad: Field<f64>,
    pub snapshot: SnapshotFile,
    pub recovery: RecoveryFile,
    /// Where to point when something is missing: the first name.
    pub start: Span,
    /// Where to point when something is missing of the data.
    pub data_at: Span,
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
