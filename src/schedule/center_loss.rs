//! The field `centerloss` of a stage, in the forms the reference and people write it:
//!
//! ```yaml
//! centerloss: true
//! centerloss: {alpha: 0.5, factor: 0.1}
//! centerloss: "losses.Center_loss(num_classes=85742, factor=0.1)"
//! ```

use super::call::{Argument, Call};
use super::loss::{CenterLoss, HeadKind, Loss};
use super::reader::{Field, Reader};
use super::span::At;
use super::tree::{Entry, Node, Value};
use super::{loss, params};

/// Reads the field; none where it says that there is none.
pub(super) fn read<'n>(reader: &mut Reader, entries: impl IntoIterator<Item = &'n Entry>) -> Field<Option<Call>> {
    let (node, key) = match reader.choose("centerloss", entries) {
        Field::Given(At { value: node, at }) => (node, at),
        Field::Absent => return Field::Absent,
        Field::Broken => return Field::Broken,
    };
    let plain = |at, arguments| Call { name: At { value: loss::CENTER[0].name.name.to_owned(), at }, arguments };
    let says = |text: &str, words: &[&str]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    let switch = match &node.value {
        Value::Null => Some(false),
        Value::Bool(on) => Some(*on),
        Value::Text(text) if says(text, &["none", "no", "off", "false"]) => Some(false),
        Value::Text(text) if says(text, &["yes", "on", "true"]) => Some(true),
        _ => None,
    };
    if let Some(on) = switch {
        return Field::Given(At { value: on.then(|| plain(node.at, Vec::new())), at: key });
    }
    let call = match &node.value {
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

/// Something is wrong, and noted.
pub(super) struct Noted;

/// The center loss of a stage: that of its `centerloss`, or its loss where that is one.
pub(super) fn check(field: &Field<Option<Call>>, loss: Loss, reader: &mut Reader) -> Result<Option<CenterLoss>, Noted> {
    let asked = match field {
        Field::Given(At { value: Some(call), at }) => Some((call, *at)),
        Field::Broken => return Err(Noted),
        _ => None,
    };
    let given = match asked {
        Some((call, _)) => {
            Some(params::read(reader, "centerloss", call, loss::CENTER, loss::CENTER_SIZES).ok_or(Noted)?.value)
        }
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
            Err(Noted)
        }
        (Loss::Center(own), ..) => Ok(Some(own)),
        (_, Some(_), Some((_, at))) if loss.head() == HeadKind::Triplet => {
            reader.problems.error(
                at,
                format!("the center loss cannot be added to `{}`", loss.name()),
                "a triplet loss has no logits",
                "leave `centerloss` out, or choose a softmax or arcface loss".to_owned(),
            );
            Err(Noted)
        }
        (_, given, _) => Ok(given),
    }
}

#[cfg(test)]
mod tests {
    use crate::schedule::{CenterLoss, Loss, Stage, parse};

    fn stage(text: &str) -> Result<Stage, String> {
        let text = format!(
            "model: {{backbone: mobilefacenet}}\ndata: {{train: x, bins: []}}\nstages:\n  - {{epochs: 1, {text}}}\n"
        );
        match parse("x.yaml", &text, &[], &|_| None) {
            Ok(loaded) => Ok(loaded.schedule.stages[0].clone()),
            Err(error) => Err(format!("{:?}", miette::Report::new(error))),
        }
    }

    #[test]
    fn every_way_to_ask_for_it_is_understood() {
        let center = |alpha, factor| Some(CenterLoss { alpha, factor });
        for (written, wanted) in [
            ("true", center(0.5, 1.0)),
            ("yes", center(0.5, 1.0)),
            ("True", center(0.5, 1.0)),
            ("false", None),
            ("None", None),
            ("null", None),
            ("{alpha: 0.2}", center(0.2, 1.0)),
            ("{alpha: 0.2, factor: 0.01}", center(0.2, 0.01)),
            ("{}", center(0.5, 1.0)),
            ("center_loss", center(0.5, 1.0)),
            ("\"losses.Center_loss(num_classes=85742, factor=0.1)\"", center(0.5, 0.1)),
            ("\"Centerloss(85742)\"", center(0.5, 1.0)),
            ("{Center_loss: {alpha: 0.1}}", center(0.1, 1.0)),
        ] {
            let stage = stage(&format!("loss: arcface, centerloss: {written}")).expect(written);
            assert_eq!(stage.center, wanted, "{written}");
        }
    }

    #[test]
    fn it_can_be_the_loss_itself() {
        for (written, alpha) in [
            ("loss: \"losses.Centerloss(num_classes=85742)\", centerloss: true", 0.5),
            ("loss: center_loss", 0.5),
            ("loss: {center_loss: {alpha: 0.3}}, type: arcface", 0.3),
        ] {
            let stage = stage(written).expect(written);
            let wanted = CenterLoss { alpha, factor: 1.0 };
            assert_eq!((stage.loss, stage.center), (Loss::Center(wanted), Some(wanted)), "{written}");
            assert!(stage.loss.keeps_head());
        }
    }

    #[test]
    fn what_cannot_be_is_refused_with_its_reason() {
        for (written, words) in [
            ("loss: batch_hard_triplet, centerloss: true", "no logits"),
            ("loss: arcface, centerloss: {alpha: 2}", "from 0 to 1"),
            ("loss: arcface, centerloss: {alpah: 0.5}", "did you mean `alpha`?"),
            ("loss: arcface, centerloss: 3", "`true`, `false` or its parameters"),
            ("loss: arcface, centerloss: softmax", "there is no centerloss `softmax`"),
            ("loss: {center_loss: {alpha: 0.1}}, centerloss: {alpha: 0.2}", "given twice"),
        ] {
            let said = stage(written).expect_err(written);
            assert!(said.contains(words), "{written}: {said}");
        }
        assert!(stage("loss: batch_hard_triplet, centerloss: false").is_ok());
    }

    #[test]
    fn the_references_spellings_of_losses_are_understood() {
        let arcface = |scale| Loss::Arcface { margin1: 1.0, margin2: 0.5, margin3: 0.0, scale };
        for (written, wanted) in [
            ("keras.losses.categorical_crossentropy", Loss::Softmax { label_smoothing: 0.0 }),
            ("keras.losses.CategoricalCrossentropy(label_smoothing=0.1)", Loss::Softmax { label_smoothing: 0.1 }),
            ("losses.margin_softmax", Loss::MarginSoftmax { power: 2.0, scale: 0.4 }),
            ("losses.scale_softmax", Loss::ScaleSoftmax { scale: 64.0 }),
            ("losses.arcface_loss", arcface(64.0)),
            ("losses.ArcfaceLoss()", arcface(64.0)),
            ("losses.Arcface(scale=32.0)", arcface(32.0)),
            (
                "ArcfaceLoss(margin1=0.9, margin2=0.4, margin3=0.15)",
                Loss::Arcface { margin1: 0.9, margin2: 0.4, margin3: 0.15, scale: 64.0 },
            ),
            ("arcface_loss_2", Loss::Arcface2 { margin1: 1.0, margin2: 0.5, margin3: 0.0, scale: 64.0 }),
            ("losses.batch_hard_triplet_loss", Loss::BatchHardTriplet { alpha: 0.35 }),
            ("losses.batch_all_triplet_loss", Loss::BatchAllTriplet { alpha: 0.35 }),
        ] {
            assert_eq!(stage(&format!("loss: \"{written}\"")).expect(written).loss, wanted, "{written}");
        }
        let said = stage("loss: arcfase_loss_2").expect_err("a slip");
        assert!(said.contains("did you mean `arcface_2`?"), "{said}");
    }
}
