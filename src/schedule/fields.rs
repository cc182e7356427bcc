//! The whole vocabulary of a schedule's fields, the reference's spellings included: a table a map.

use super::names::{self, Name};
use super::{loss, optimizer};

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
pub(super) fn belongs(written: &str) -> Option<String> {
    [(TOP, ""), (MODEL, "model."), (DATA, "data."), (RATE, "learning_rate."), (STAGE, "stages.")]
        .into_iter()
        .find_map(|(known, prefix)| names::find(written, known).map(|name| format!("{prefix}{}", name.name)))
}
