//! The field `centerloss` of a stage, in the forms the reference and people write it:
//!
//! ```yaml
//! centerloss: true
//! centerloss: {alpha: 0.5, factor: 0.1}
//! centerloss: "losses.Center_loss(num_classes=85742, factor=0.1)"
//! ```

use super::call::{Argument, Call};
use super::reader::{Field, Reader};
use super::source::At;
use super::tree::{Entry, Node, Value};
use super::{CenterLoss, HeadKind, Loss, loss, params};

/// Reads the field; none where it says that there is none.
pub(super) fn read<'n>(reader: &mut Reader, entries: impl IntoIterator<Item = &'n Entry>) -> Field<Option<Call>> {
    let (node, key) = match reader.choose("centerloss", entries) {
        Field::Given(At { value: node, at }) => (node, at),
        Field::Absent => return Field::Absent,
        Field::Broken => return Field::Broken,
    };
    let plain = |at, arguments| Call { name: At { value: loss::CENTER[0].name.name.to_owned(), at }, arguments };
    let call = match &node.value {
        Value::Null => return Field::Given(At { value: None, at: key }),
        Value::Text(text) if ["none", "no", "off", "false"].iter().any(|word| text.eq_ignore_ascii_case(word)) => {
            return Field::Given(At { value: None, at: key });
        }
        Value::Bool(false) => return Field::Given(At { value: None, at: key }),
        Value::Bool(true) => Some(plain(node.at, Vec::new())),
        Value::Text(text) if ["yes", "on", "true"].iter().any(|word| text.eq_ignore_ascii_case(word)) => {
            Some(plain(node.at, Vec::new()))
        }
        Value::Map(entries) if !entries.iter().any(|entry| matches!(entry.value.value, Value::Map(_))) => {
            let is_call = |entry: &Entry| loss::CENTER[0].name.is(&entry.key.value);
            if entries.iter().any(is_call) {
                Call::read(reader, "centerloss", node)
            } else {
                Some(plain(key, arguments(entries)))
            }
        }
        Value::Text(_) | Value::Map(_) => Call::read(reader, "centerloss", node),
        _ => {
            mismatch(reader, node);
            None
        }
    };
    call.map_or(Field::Broken, |call| Field::Given(At { value: Some(call), at: key }))
}

fn arguments(entries: &[Entry]) -> Vec<Argument> {
    let argument = |entry: &Entry| Argument { name: Some(entry.key.clone()), value: entry.value.clone() };
    entries.iter().map(argument).collect()
}

fn mismatch(reader: &mut Reader, node: &Node) {
    let help = "for instance centerloss: {alpha: 0.5, factor: 1}";
    reader.mismatch("centerloss", node, "`true`, `false` or its parameters", Some(help.to_owned()));
}

/// The center loss of a stage: that of its `centerloss`, or its loss where that is one. What cannot be is noted, and
/// then nothing is returned.
pub(super) fn check(field: &Field<Option<Call>>, loss: Loss, reader: &mut Reader) -> Option<Option<CenterLoss>> {
    let asked = match field {
        Field::Given(At { value: Some(call), at }) => Some((call, *at)),
        Field::Broken => return None,
        _ => None,
    };
    let given = match asked {
        Some((call, _)) => Some(params::read(reader, "centerloss", call, loss::CENTER, loss::CENTER_SIZES)?.value),
        None => None,
    };
    match (loss, given, asked) {
        // The reference's `{"loss": losses.Centerloss(...), "centerloss": True}` is one center loss.
        (Loss::Center(own), Some(second), Some((call, at))) if !call.arguments.is_empty() && own != second => {
            reader.problems.error(
                at,
                "the center loss is given twice, and not the same",
                "the stage's `loss` is one already",
                "keep its parameters in one of the two places".to_owned(),
            );
            None
        }
        (Loss::Center(own), ..) => Some(Some(own)),
        (_, Some(_), Some((_, at))) if loss.head() == HeadKind::Triplet => {
            reader.problems.error(
                at,
                format!("the center loss cannot be added to `{}`", loss.name()),
                "a triplet loss has no logits",
                "leave `centerloss` out, or choose a softmax or arcface loss".to_owned(),
            );
            None
        }
        (_, given, _) => Some(given),
    }
}
