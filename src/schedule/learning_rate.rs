//! `learning_rate`: the learning-rate schedule, a rate for each epoch, and how it is written.

use serde::Serialize;

use super::fields::{RATE, belongs};
use super::range::Range;
use super::reader::{Field, Fields, Reader};
use super::scalars::{share, whole};
use super::span::At;
use super::tree::{Entry, Node, Value};

/// The learning rate of a global epoch `e`, counted from 0: `base` while `e < hold`, then
/// `base * exp(decay * (hold - e))`, as the reference's scheduler has it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct LearningRate {
    /// The rate of the first epochs.
    pub base: f64,
    /// How fast it falls; the reference's 0.05.
    pub decay: f64,
    /// Epochs it is held; the reference's 10.
    pub hold: u32,
}

impl LearningRate {
    /// The rate of the global epoch `epoch`, counted from 0.
    pub fn at(&self, epoch: u32) -> f64 {
        if epoch < self.hold {
            self.base
        } else {
            self.base * (self.decay * (f64::from(self.hold) - f64::from(epoch))).exp()
        }
    }
}

/// The field `learning_rate`, long or short, or its parts at the top.
pub(super) struct RateFile {
    pub base: Field<f64>,
    pub decay: Field<f64>,
    pub hold: Field<i128>,
}

impl RateFile {
    /// The learning rate of the schedule or of a stage: long, short (`learning_rate: 0.001` is the base), or in parts.
    pub(super) fn read(fields: &Fields, reader: &mut Reader) -> Self {
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

/// A learning rate whose parts are those of `default` where they are not given.
pub(super) fn check(file: &RateFile, default: LearningRate, reader: &mut Reader) -> LearningRate {
    LearningRate {
        base: share(reader, "learning_rate", &file.base, default.base, Range::above_zero(100.0)),
        decay: share(reader, "decay", &file.decay, default.decay, Range::closed(0.0, 100.0)),
        hold: whole(reader, "hold", &file.hold, u64::from(default.hold), 0, 1_000_000) as u32,
    }
}
