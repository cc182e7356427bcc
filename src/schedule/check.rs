//! From what was written to what will be run: defaults, ranges, and what goes together.

use std::path::{Path, PathBuf};

use super::batch_size::{self, BATCH_SIZE, Count};
use super::data::{Data, check_bins, check_train};
use super::device::{check_device, check_precision};
use super::file::ScheduleFile;
use super::learning_rate::{self, LearningRate};
use super::model::ModelSource;
use super::places::Places;
use super::range::Range;
use super::reader::{Field, Reader};
use super::scalars::{file_name, folder, share, whole};
use super::span::At;
use super::stage::Defaults;
use super::{Schedule, branches, model};

/// Share of unreadable images that a run bears unless given.
const MOST_BAD: f64 = 0.01;

/// The schedule that `file` describes, with the places of its paths. None, or a schedule that must not be used, when
/// `reader` has noted errors.
pub(super) fn check(source_name: &str, file: &ScheduleFile, reader: &mut Reader) -> Option<(Schedule, Places)> {
    let name = check_name(source_name, &file.name, reader);
    let model = model::check(&file.model, file.start, reader);
    let train = match &file.train {
        Field::Given(given) => check_train(&given.value, reader),
        Field::Broken => None,
        Field::Absent => {
            reader.problems.error(
                file.data_at,
                "the schedule does not say what to train on",
                "`data.train` is missing",
                "name the folder of the training set: data: {train: /datasets/faces}, or --set data.train=/datasets/faces"
                    .to_owned(),
            );
            None
        }
    };
    let bins = check_bins(&file.bins, file.data_at, reader);
    let initial_epoch = whole(reader, "initial_epoch", &file.initial_epoch, 0, 0, 1_000_000);
    let learning_rate =
        learning_rate::check(&file.learning_rate, LearningRate { base: 0.001, decay: 0.05, hold: 10 }, reader);
    let (batch_size, auto_batch) = batch_size::check(&file.batch_size, (BATCH_SIZE, false), reader);
    let checkpoints = folder("checkpoints", &file.checkpoints, reader);
    let runs = folder("runs", &file.runs, reader);
    let augment = whole(reader, "augment", &file.augment, 0, 0, 3) as u8;
    let workers = match &file.workers {
        Field::Given(At { value: Count::Number(number), at }) => {
            let given = Field::Given(At { value: *number, at: *at });
            Some(whole(reader, "workers", &given, 1, 1, 1024) as usize)
        }
        _ => None,
    };
    let most_bad = share(reader, "most_bad", &file.most_bad, MOST_BAD, Range::closed(0.0, 1.0));
    let seed = whole(reader, "seed", &file.seed, 0, 0, u64::MAX);
    let precision = check_precision(&file.precision, reader);
    let device = check_device(&file.device, reader);
    let mut classes = branches::said_classes(&file.stages, &file.branches);
    if let Some(given) = file.classes.given() {
        let value = whole(reader, "classes", &file.classes, 2, 2, u64::from(u32::MAX));
        classes.insert(0, At { value, at: given.at });
    }
    let scratch = matches!(model, Some((ModelSource::Backbone(_), _)));
    let defaults = Defaults { batch_size: (batch_size, auto_batch), learning_rate, augment, scratch };
    let stages = branches::check(&file.stages, &file.branches, file.start, &defaults, reader);

    let (stages, branches) = stages?;

    let (model, model_at) = model?;
    let train = train?;
    let bins = bins?;
    let places = Places {
        sources: reader.sources.clone(),
        train: file.train.given()?.value.iter().map(|set| set.path.at).collect(),
        bins: bins.iter().map(|bin| bin.at).collect(),
        model: model_at,
        embedding: file.model.given().and_then(|model| model.value.embedding.given()).map(|given| given.at),
        classes,
    };
    if let (ModelSource::Backbone(_), Some(given)) = (&model, file.initial_epoch.given())
        && initial_epoch > 0
    {
        reader.problems.warn(
            given.at,
            format!("the numbering starts after epoch {initial_epoch}, but the network starts from scratch"),
            "meant for continuing an earlier run",
            "name the saved model, as in model: {file: checkpoints/NAME.h5}, or leave `initial_epoch` out".to_owned(),
        );
    }
    let schedule = Schedule {
        path: PathBuf::from(source_name),
        name: name?,
        model,
        data: Data { train, bins: bins.into_iter().map(|bin| bin.value).collect(), augment, workers, most_bad },
        batch_size,
        auto_batch,
        seed,
        learning_rate,
        initial_epoch: initial_epoch as u32,
        precision,
        device,
        checkpoints: checkpoints?,
        runs: runs?,
        stages,
        branches,
        snapshot: file.snapshot.check(reader),
        recovery: file.recovery.check(reader),
    };
    Some((schedule, places))
}

/// The run's name, without `.h5`; the file's stem unless given.
fn check_name(source_name: &str, field: &Field<String>, reader: &mut Reader) -> Option<String> {
    let Field::Given(given) = field else {
        let stem = Path::new(source_name).file_stem().map(|stem| stem.to_string_lossy().into_owned());
        return Some(stem.unwrap_or_else(|| "run".to_owned()));
    };
    file_name(given, reader)
}
