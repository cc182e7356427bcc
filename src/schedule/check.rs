//! From what was written to what will be run: defaults, ranges, and what goes together.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::call::Call;
use super::expand::home;
use super::file::{Count, RateFile, ScheduleFile, StageFile, TrainFile};
use super::names::{Name, any_of, fold, nearest};
use super::params::{self, real};
use super::paths::Places;
use super::range::Range;
use super::reader::{Field, Reader};
use super::source::{At, Span};
use super::{
    Data, DeviceChoice, HeadKind, Labels, LearningRate, Loss, ModelSource, Optimizer, Precision, Schedule, Stage,
    TrainSet, branches, center, loss, model, optimizer,
};

/// Images a step unless given; the reference's.
const BATCH_SIZE: u64 = 128;
/// Share of unreadable images that a run bears unless given.
const MOST_BAD: f64 = 0.01;
/// Images of one class in a group of a triplet batch.
const TRIPLET_GROUP: f64 = 4.0;
/// Keys of the history that no bin may be called.
const HISTORY_KEYS: [&str; 3] = ["loss", "accuracy", "lr"];

/// The schedule that `file` describes, with the places of its paths. None, or a schedule that must not be used, when
/// `reader` has noted errors.
pub(super) fn check(source_name: &str, file: &ScheduleFile, reader: &mut Reader) -> Option<(Schedule, Places)> {
    let name = check_name(source_name, &file.name, reader);
    let model = model::check(file, reader);
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
    let bins = check_bins(file, reader);
    let initial_epoch = whole(reader, "initial_epoch", &file.initial_epoch, 0, 0, 1_000_000);
    let learning_rate = check_rate(&file.learning_rate, LearningRate { base: 0.001, decay: 0.05, hold: 10 }, reader);
    let (batch_size, auto_batch) = check_batch(&file.batch_size, (BATCH_SIZE, false), reader);
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
    let mut classes = branches::said_classes(file);
    if let Some(given) = file.classes.given() {
        let value = whole(reader, "classes", &file.classes, 2, 2, u64::from(u32::MAX));
        classes.insert(0, At { value, at: given.at });
    }
    let scratch = matches!(model, Some((ModelSource::Backbone(_), _)));
    let defaults = Defaults { batch_size: (batch_size, auto_batch), learning_rate, augment, scratch };
    let stages = branches::check(file, &defaults, reader);

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

/// What stages do not say themselves.
pub(super) struct Defaults {
    /// With whether facetui finds it.
    pub batch_size: (u64, bool),
    pub learning_rate: LearningRate,
    pub augment: u8,
    /// Whether the network is built from scratch: the first stage has no optimiser to keep and nothing learnt.
    pub scratch: bool,
}

/// A learning rate whose parts are those of `default` where they are not given.
fn check_rate(file: &RateFile, default: LearningRate, reader: &mut Reader) -> LearningRate {
    LearningRate {
        base: share(reader, "learning_rate", &file.base, default.base, Range::above_zero(100.0)),
        decay: share(reader, "decay", &file.decay, default.decay, Range::closed(0.0, 100.0)),
        hold: whole(reader, "hold", &file.hold, u64::from(default.hold), 0, 1_000_000) as u32,
    }
}

/// The whole number of a field, within `least..=most`; the default where it is absent or wrong.
pub(super) fn whole(reader: &mut Reader, name: &str, field: &Field<i128>, default: u64, least: u64, most: u64) -> u64 {
    let Field::Given(given) = field else { return default };
    match u64::try_from(given.value) {
        Ok(value) if (least..=most).contains(&value) => value,
        _ => {
            let (found, expected) = if given.value < i128::from(least) {
                ("too small", format!("expected {least} or more"))
            } else {
                ("too large", format!("expected {most} or less"))
            };
            reader.problems.error(
                given.at,
                format!("`{name}` is {}, which is {found}", given.value),
                expected,
                format!("`{name}` is a whole number from {least} to {most}"),
            );
            default
        }
    }
}

/// The images of a step, and whether facetui finds them when the run begins: until then they are the usual ones.
fn check_batch(field: &Field<Count>, default: (u64, bool), reader: &mut Reader) -> (u64, bool) {
    match field {
        Field::Given(At { value: Count::Auto, .. }) => (BATCH_SIZE, true),
        Field::Given(At { value: Count::Number(number), at }) => {
            let given = Field::Given(At { value: *number, at: *at });
            (whole(reader, "batch_size", &given, BATCH_SIZE, 2, 1 << 20), false)
        }
        Field::Absent | Field::Broken => default,
    }
}

/// The number of a field, within `range`; the default where it is absent or wrong.
pub(super) fn share(reader: &mut Reader, name: &str, field: &Field<f64>, default: f64, range: Range) -> f64 {
    match field.given() {
        Some(given) => {
            real(reader, name, given, range, Some(format!("it is {default} unless given"))).unwrap_or(default)
        }
        None => default,
    }
}

/// The path of a field, with `~` replaced.
pub(super) fn check_path(name: &str, given: &At<String>, reader: &mut Reader) -> Option<PathBuf> {
    if given.value.trim().is_empty() {
        reader.problems.error(given.at, format!("`{name}` is empty"), "expected a path", None);
        return None;
    }
    let path = home(&given.value, reader.env);
    if path.is_none() {
        reader.problems.error(
            given.at,
            "`~` stands for the home folder, which is not known",
            "the environment variable `HOME` is not set",
            "write the path out".to_owned(),
        );
    }
    path.map(PathBuf::from)
}

/// A folder to write to, called `name` unless given.
fn folder(name: &str, field: &Field<String>, reader: &mut Reader) -> Option<PathBuf> {
    match field {
        Field::Given(given) => check_path(name, given, reader),
        Field::Absent | Field::Broken => Some(PathBuf::from(name)),
    }
}

/// The run's name, without `.h5`; the file's stem unless given.
fn check_name(source_name: &str, field: &Field<String>, reader: &mut Reader) -> Option<String> {
    let Field::Given(given) = field else {
        let stem = Path::new(source_name).file_stem().map(|stem| stem.to_string_lossy().into_owned());
        return Some(stem.unwrap_or_else(|| "run".to_owned()));
    };
    file_name(given, reader)
}

/// A name that files are called by, without `.h5`; others are noted.
pub(super) fn file_name(given: &At<String>, reader: &mut Reader) -> Option<String> {
    let name = given.value.trim();
    let name = name.strip_suffix(".h5").unwrap_or(name);
    let wrong = if name.is_empty() || name.chars().all(|c| c == '.') {
        "cannot be the name of a file"
    } else if name.contains(['/', '\\']) {
        "holds a path separator"
    } else if name.chars().any(char::is_control) {
        "holds a control character"
    } else {
        return Some(name.to_owned());
    };
    reader.problems.error(
        given.at,
        format!("the name `{}` {wrong}", given.value.escape_debug()),
        "expected a plain file name",
        "`name` is the stem of the checkpoints' names; their folder is `checkpoints`".to_owned(),
    );
    None
}

/// The training sets.
fn check_train(sets: &[TrainFile], reader: &mut Reader) -> Option<Vec<TrainSet>> {
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

/// The bins; their stems name the history's lists and so must differ.
fn check_bins(file: &ScheduleFile, reader: &mut Reader) -> Option<Vec<At<PathBuf>>> {
    let given = match &file.bins {
        Field::Given(given) => given,
        Field::Broken => return None,
        Field::Absent => {
            reader.problems.warn(
                file.data_at,
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

fn check_precision(field: &Field<String>, reader: &mut Reader) -> Precision {
    const KNOWN: &[Name] =
        &[Name::new("auto", &[]), Name::new("fp32", &["float32"]), Name::new("bf16", &["bfloat16", "mixed_bfloat16"])];
    match choice("precision", field, KNOWN, reader) {
        Some("fp32") => Precision::Fp32,
        Some("bf16") => Precision::Bf16,
        _ => Precision::Auto,
    }
}

fn check_device(field: &Field<String>, reader: &mut Reader) -> DeviceChoice {
    const KNOWN: &[Name] = &[Name::new("auto", &[]), Name::new("cpu", &[]), Name::new("cuda", &["gpu"])];
    if let Some(given) = field.given()
        && let Some((kind, number)) = given.value.split_once(':')
        && KNOWN[2].is(kind)
    {
        match number.trim().parse() {
            Ok(number) => return DeviceChoice::Cuda(number),
            Err(_) => reader.problems.error(
                given.at,
                format!("`{number}` is not the number of a GPU"),
                "expected cuda:0, cuda:1, ...",
                "GPUs are counted from 0".to_owned(),
            ),
        }
        return DeviceChoice::Auto;
    }
    match choice("device", field, KNOWN, reader) {
        Some("cpu") => DeviceChoice::Cpu,
        Some("cuda") => DeviceChoice::Cuda(0),
        _ => DeviceChoice::Auto,
    }
}

/// Which of `known` a field says; others are noted.
fn choice(name: &str, field: &Field<String>, known: &'static [Name], reader: &mut Reader) -> Option<&'static str> {
    let given = field.given()?;
    if let Some(found) = known.iter().find(|known| known.is(&given.value)) {
        return Some(found.name);
    }
    let label = match nearest(&given.value, known) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("not a known {name}"),
    };
    reader.problems.error(
        given.at,
        format!("there is no {name} `{}`", given.value),
        label,
        format!("`{name}` is {}", any_of(known.iter().map(|known| known.name))),
    );
    None
}

/// The stage that messages call `what`. `first` where no stage is trained before it.
pub(super) fn check_stage(
    what: &str,
    first: bool,
    file: &StageFile,
    at: Span,
    defaults: &Defaults,
    reader: &mut Reader,
) -> Option<Stage> {
    let loss = match &file.loss {
        Field::Given(given) => check_loss(&given.value, reader).map(|loss| (loss, given.value.name.at)),
        Field::Broken => None,
        Field::Absent => {
            missing(what, "loss", "for instance loss: arcface", at, reader);
            None
        }
    };
    if matches!(file.epochs, Field::Absent) {
        missing(what, "epochs", "for instance epochs: 15", at, reader);
    }
    let epochs = whole(reader, "epochs", &file.epochs, 1, 1, 1_000_000) as u32;
    let (batch_size, auto_batch) = check_batch(&file.batch_size, defaults.batch_size, reader);
    let learning_rate = check_rate(&file.learning_rate, defaults.learning_rate, reader);
    let augment = whole(reader, "augment", &file.augment, u64::from(defaults.augment), 0, 3) as u8;
    let optimizer = match &file.optimizer {
        Field::Given(At { value: Some(call), .. }) => Some(optimizer::check(call, reader)),
        // There is none to keep; a saved model may bring its own.
        _ if first && defaults.scratch => Some(Some(Optimizer::FIRST)),
        _ => None,
    };
    let (loss, loss_at) = loss?;
    check_head(loss, &file.head, reader);
    let center = center::check(&file.centerloss, loss, reader);

    let sample = check_sample(loss, &file.sample, reader);

    let triplet = loss.head() == HeadKind::Triplet;
    let groups = (batch_size as f64 / TRIPLET_GROUP * 1.5) as u64;
    if triplet && groups < 2 {
        reader.problems.error(
            loss_at,
            format!("{what} compares persons, and its batches would hold {groups} of them"),
            format!("needs a `batch_size` of 6 or more, it is {batch_size}"),
            "a triplet batch holds int(batch_size / 4 * 1.5) groups of 4 images".to_owned(),
        );
    }
    let bottleneck_only = file.bottleneck_only.given().is_some_and(|given| given.value);
    if let Some(given) = file.bottleneck_only.given().filter(|given| given.value) {
        if triplet || loss.keeps_head() {
            reader.problems.warn(
                given.at,
                format!("{what} will change nothing"),
                format!("`{}` trains no head, and the basic model is frozen", loss.name()),
                "leave `bottleneck_only` out to train the basic model".to_owned(),
            );
        } else if first && defaults.scratch {
            reader.problems.error(
                given.at,
                "the first stage trains a head alone, on a network that has learnt nothing",
                "the basic model would be frozen with its first, random weights",
                "put a stage before it that trains the whole model, or start from a saved one: \
                 model: {file: NAME.h5}"
                    .to_owned(),
            );
        }
    }
    Some(Stage {
        name: file.name.given().map(|given| given.value.clone()),
        loss,
        head: loss.head(),
        center: center.ok()?,
        optimizer: match optimizer {
            Some(checked) => Some(checked?),
            None => None,
        },
        epochs,
        bottleneck_only,
        batch_size,
        auto_batch,
        learning_rate,
        augment,
        sample,
    })
}

fn missing(what: &str, name: &str, help: &str, at: Span, reader: &mut Reader) {
    let message = format!("{what} has no `{name}`");
    reader.problems.error(at, message, format!("`{name}` is missing from this stage"), help.to_owned());
}

fn check_loss(call: &Call, reader: &mut Reader) -> Option<Loss> {
    params::read(reader, "loss", call, loss::TABLE, loss::ignored(&call.name.value)).map(|read| read.value)
}

/// The share of classes that take part in a step; none where all do.
fn check_sample(loss: Loss, field: &Field<f64>, reader: &mut Reader) -> Option<f64> {
    let given = field.given()?;
    let share = real(reader, "sample", given, Range::above_zero(1.0), Some("1 takes all classes".to_owned()))?;
    if loss.can_sample() {
        return (share < 1.0).then_some(share);
    }
    let why = match loss {
        Loss::Softmax { .. } => "label smoothing is spread over all classes",
        Loss::BatchHardTriplet { .. } | Loss::BatchAllTriplet { .. } | Loss::Center(_) => "it trains no head",
        _ => "it works on probabilities, which need all classes",
    };
    let name = loss.name();
    reader.problems.error(
        given.at,
        format!("`{name}` cannot be trained with `sample`"),
        why.to_owned(),
        "`sample` goes with softmax without label smoothing, arcface and arcface_2: leave it out here".to_owned(),
    );
    None
}

/// Notes a `type` that is not the one the loss needs.
fn check_head(loss: Loss, field: &Field<String>, reader: &mut Reader) {
    const KNOWN: &[Name] = &[Name::new("softmax", &[]), Name::new("arcface", &[]), Name::new("triplet", &[])];
    let needs = match loss.head() {
        HeadKind::Softmax => ("softmax", "works on the probabilities of a `softmax` head"),
        HeadKind::Arcface => ("arcface", "works on the cosines of an `arcface` head"),
        HeadKind::Triplet => ("triplet", "works on the embedding itself, type `triplet`"),
    };
    if let Some(given) = field.given()
        && let Some(found) = choice("type", field, KNOWN, reader)
        && fold(found) != needs.0
        && !loss.keeps_head()
    {
        reader.problems.error(
            given.at,
            format!("`{}` cannot be trained with type `{found}`", loss.name()),
            format!("it {}", needs.1),
            "leave `type` out: it follows from the loss".to_owned(),
        );
    }
}
