//! `snapshot`: how often the state of a run is kept within an epoch.

use serde::Serialize;

use super::names::Name;
use super::range::Range;
use super::reader::{Field, Reader};
use super::scalars::{share, whole};
use super::span::At;
use super::tree::{Entry, Value};

/// How often the whole state of a run is kept within an epoch. Whichever comes first counts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Snapshot {
    /// After so many minutes; none by time.
    pub minutes: Option<f64>,
    /// After so many steps; none by steps.
    pub steps: Option<u64>,
}

impl Snapshot {
    /// Unless a schedule says otherwise.
    pub const DEFAULT: Self = Self { minutes: Some(5.0), steps: None };
}

pub(super) const SNAPSHOT: &[Name] = &[Name::new("minutes", &[]), Name::new("steps", &[])];

/// The field, long (`{minutes: 5, steps: 1000}`) or short (`5` minutes, or `off`).
pub(super) struct SnapshotFile {
    minutes: Field<f64>,
    steps: Field<i128>,
    /// Whether it was said that there are none.
    off: bool,
}

impl SnapshotFile {
    /// Reads the entries of the field.
    pub(super) fn read<'n>(
        entries: impl Iterator<Item = &'n Entry>,
        reader: &mut Reader,
        belongs: &dyn Fn(&str) -> Option<String>,
    ) -> Self {
        let nothing = Self { minutes: Field::Absent, steps: Field::Absent, off: false };
        let field = reader.field("snapshot", entries, |_, _, node| Some(node));
        let Field::Given(At { value: node, .. }) = field else { return nothing };
        match &node.value {
            Value::Map(_) => {
                let fields = reader.fields("`snapshot`", node, SNAPSHOT, belongs).unwrap_or_default();
                Self {
                    minutes: reader.field("snapshot.minutes", fields.all("minutes"), Reader::number),
                    steps: reader.field("snapshot.steps", fields.all("steps"), Reader::integer),
                    off: false,
                }
            }
            Value::Bool(false) => Self { off: true, ..nothing },
            Value::Text(text) if matches!(text.to_lowercase().as_str(), "off" | "no" | "none") => {
                Self { off: true, ..nothing }
            }
            _ => match reader.number("snapshot", node) {
                Some(minutes) => Self { minutes: Field::Given(At { value: minutes, at: node.at }), ..nothing },
                None => nothing,
            },
        }
    }

    /// What it says, within its range.
    pub(super) fn check(&self, reader: &mut Reader) -> Snapshot {
        if self.off {
            return Snapshot { minutes: None, steps: None };
        }
        let minutes = self.minutes.given().is_some().then(|| {
            let default = Snapshot::DEFAULT.minutes.unwrap_or_default();
            share(reader, "snapshot.minutes", &self.minutes, default, Range::above_zero(100_000.0))
        });
        let steps =
            self.steps.given().is_some().then(|| whole(reader, "snapshot.steps", &self.steps, 1, 1, 1_000_000_000));
        if minutes.is_none() && steps.is_none() { Snapshot::DEFAULT } else { Snapshot { minutes, steps } }
    }
}

#[cfg(test)]
mod tests {
    use crate::schedule::{Snapshot, parse};

    fn snapshot(text: &str) -> Result<Snapshot, String> {
        let text = format!(
            "model: {{backbone: mobilefacenet}}\ndata: {{train: x, bins: []}}\n{text}\nstages: [{{loss: softmax, epochs: 1}}]\n"
        );
        match parse("x.yaml", &text, &[], &|_| None) {
            Ok(loaded) => Ok(loaded.schedule.snapshot),
            Err(error) => Err(format!("{:?}", miette::Report::new(error))),
        }
    }

    #[test]
    fn it_is_given_in_minutes_in_steps_or_off() {
        let said = |minutes, steps| Ok(Snapshot { minutes, steps });
        assert_eq!(snapshot(""), Ok(Snapshot::DEFAULT));
        assert_eq!(snapshot("snapshot: 2"), said(Some(2.0), None));
        assert_eq!(snapshot("snapshot: {steps: 100}"), said(None, Some(100)));
        assert_eq!(snapshot("snapshots: {minutes: 0.5, steps: 9}"), said(Some(0.5), Some(9)));
        assert_eq!(snapshot("snapshot: off"), said(None, None));
        for (wrong, words) in
            [("snapshot: 0", "snapshot.minutes"), ("snapshot: {hours: 1}", "hours"), ("snapshot: often", "number")]
        {
            assert!(snapshot(wrong).is_err_and(|said| said.contains(words)), "{wrong}");
        }
    }
}
