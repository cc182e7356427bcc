//! `recovery`: what is done when the loss is NaN or infinite.

use serde::Serialize;

use super::names::Name;
use super::range::Range;
use super::reader::{Field, Reader};
use super::scalars::{share, whole};
use super::span::At;
use super::tree::{Entry, Value};

/// What is done when the loss is NaN or infinite: the run goes back to its newest state.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Recovery {
    /// How often in a line of stages; 0 ends the run the first time.
    pub attempts: u32,
    /// What the learning rate is multiplied by each time.
    pub rate: f64,
    /// Batches that are left out: the one whose loss is NaN or infinite, and those before it.
    pub skip: u64,
}

impl Recovery {
    /// Unless a schedule says otherwise. The batch before is left out too, since it made the weights that gave the loss.
    pub const DEFAULT: Self = Self { attempts: 3, rate: 0.5, skip: 2 };
}

pub(super) const RECOVERY: &[Name] =
    &[Name::new("attempts", &[]), Name::new("rate", &["learning_rate", "factor"]), Name::new("skip", &[])];

/// The field, long (`{attempts: 3, rate: 0.5, skip: 2}`) or `off`.
pub(super) struct RecoveryFile {
    attempts: Field<i128>,
    rate: Field<f64>,
    skip: Field<i128>,
    off: bool,
}

impl RecoveryFile {
    /// Reads the entries of the field.
    pub(super) fn read<'n>(
        entries: impl Iterator<Item = &'n Entry>,
        reader: &mut Reader,
        belongs: &dyn Fn(&str) -> Option<String>,
    ) -> Self {
        let nothing = Self { attempts: Field::Absent, rate: Field::Absent, skip: Field::Absent, off: false };
        let field = reader.field("recovery", entries, |_, _, node| Some(node));
        let Field::Given(At { value: node, .. }) = field else { return nothing };
        let is_off = match &node.value {
            Value::Bool(on) => !on,
            Value::Text(text) if text.eq_ignore_ascii_case("off") => true,
            _ => {
                let fields = reader.fields("`recovery`", node, RECOVERY, belongs).unwrap_or_default();
                return Self {
                    attempts: reader.field("recovery.attempts", fields.all("attempts"), Reader::integer),
                    rate: reader.field("recovery.rate", fields.all("rate"), Reader::number),
                    skip: reader.field("recovery.skip", fields.all("skip"), Reader::integer),
                    off: false,
                };
            }
        };
        Self { off: is_off, ..nothing }
    }

    /// What it says, within its ranges.
    pub(super) fn check(&self, reader: &mut Reader) -> Recovery {
        let Recovery { attempts, rate, skip } = Recovery::DEFAULT;
        let attempts = whole(reader, "recovery.attempts", &self.attempts, u64::from(attempts), 0, 1000) as u32;
        let rate = share(reader, "recovery.rate", &self.rate, rate, Range::above_zero(1.0));
        let skip = whole(reader, "recovery.skip", &self.skip, skip, 0, 1_000_000);
        Recovery { attempts: if self.off { 0 } else { attempts }, rate, skip }
    }
}

#[cfg(test)]
mod tests {
    use crate::schedule::{Recovery, parse};

    #[test]
    fn it_is_given_in_parts_or_off() {
        let recovery = |text: &str| {
            let text = format!(
                "model: {{backbone: mobilefacenet}}\ndata: {{train: x, bins: []}}\n{text}\nstages: [{{loss: softmax, epochs: 1}}]\n"
            );
            parse("x.yaml", &text, &[], &|_| None).map(|loaded| loaded.schedule.recovery).ok()
        };
        assert_eq!(recovery(""), Some(Recovery::DEFAULT));
        assert_eq!(recovery("recovery: off").map(|recovery| recovery.attempts), Some(0));
        let wanted = Recovery { attempts: 5, rate: 0.1, skip: 0 };
        assert_eq!(recovery("recovery: {attempts: 5, rate: 0.1, skip: 0}"), Some(wanted));
        for wrong in ["recovery: {rate: 2}", "recovery: {tries: 2}", "recovery: often"] {
            assert_eq!(recovery(wrong), None, "{wrong}");
        }
    }
}
