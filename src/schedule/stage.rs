//! One of `stages`: what is trained, with which loss and optimiser, and how long.

use serde::Serialize;

use super::batch_size::{self, Count};
use super::call::Call;
use super::fields::{STAGE, belongs};
use super::learning_rate::{self, LearningRate, RateFile};
use super::loss::{CenterLoss, HeadKind, Loss};
use super::names::{Name, fold};
use super::optimizer::Optimizer;
use super::params::{self, real};
use super::range::Range;
use super::reader::{Field, Reader};
use super::scalars::{choice, whole};
use super::span::{At, Span};
use super::tree::{Entry, Node, Value};
use super::{center_loss, loss, optimizer};

/// One stage of the schedule.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Stage {
    /// What it is called, when the schedule says so.
    pub name: Option<String>,
    /// What is minimised.
    pub loss: Loss,
    /// Which head the loss needs.
    pub head: HeadKind,
    /// The center loss: added to `loss`, or `loss` itself when that is [`Loss::Center`].
    pub center: Option<CenterLoss>,
    /// How; none keeps the optimiser of the stage before, with its state.
    pub optimizer: Option<Optimizer>,
    /// How long; at least 1.
    pub epochs: u32,
    /// Train the head only: the basic model is frozen, its batch norms in inference mode.
    pub bottleneck_only: bool,
    /// Images a step; the schedule's unless given.
    pub batch_size: u64,
    /// Whether that was `auto`: found when the run begins.
    #[serde(skip)]
    pub auto_batch: bool,
    /// Learning rate by global epoch; what the stage leaves open is the schedule's.
    pub learning_rate: LearningRate,
    /// The reference's `random_status`, 0 to 3; the schedule's unless given.
    pub augment: u8,
    /// Share of the classes that take part in a step, the batch's own always; none where all do.
    pub sample: Option<f64>,
}

/// Images of one class in a group of a triplet batch.
const TRIPLET_GROUP: f64 = 4.0;

/// A list of stages; none where one is not a map.
pub(super) type Stages = Vec<At<Option<StageFile>>>;

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

/// A list of stages; `of` says of which branch in messages.
pub(super) fn read_stages<'n>(
    reader: &mut Reader,
    entries: impl Iterator<Item = &'n Entry>,
    of: &str,
) -> Field<Stages> {
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

impl StageFile {
    /// Reads a stage that messages call `what`; none where it is not a map.
    pub(super) fn read(what: &str, node: &Node, reader: &mut Reader) -> At<Option<Self>> {
        let Some(fields) = reader.fields(what, node, STAGE, &belongs) else {
            return At { value: None, at: node.at };
        };
        let at = match &node.value {
            Value::Map(entries) => entries.first().map_or(node.at, |entry| entry.key.at),
            _ => node.at,
        };
        let optimizer = match reader.choose("optimizer", fields.all("optimizer")) {
            Field::Absent | Field::Broken => Field::Absent,
            Field::Given(At { value: node, at }) if node.is_none() => Field::Given(At { value: None, at }),
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
            centerloss: center_loss::read(reader, fields.all("centerloss")),
        };
        At { value: Some(stage), at }
    }
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

/// The stage that messages call `what`. `first` where no stage is trained before it.
pub(super) fn check(
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
    let (batch_size, auto_batch) = batch_size::check(&file.batch_size, defaults.batch_size, reader);
    let learning_rate = learning_rate::check(&file.learning_rate, defaults.learning_rate, reader);
    let augment = whole(reader, "augment", &file.augment, u64::from(defaults.augment), 0, 3) as u8;
    let optimizer = match &file.optimizer {
        Field::Given(At { value: Some(call), .. }) => Some(optimizer::check(call, reader)),
        // There is none to keep; a saved model may bring its own.
        _ if first && defaults.scratch => Some(Some(Optimizer::FIRST)),
        _ => None,
    };
    let (loss, loss_at) = loss?;
    check_head(loss, &file.head, reader);
    let center = center_loss::check(&file.centerloss, loss, reader);

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
