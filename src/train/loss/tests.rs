//! The losses against numbers of TensorFlow and of the reference, and at the edges of their range.

use std::path::Path;

use serde_json::Value;
use tch::Device;

use super::*;
use crate::nn::HeadWeights;
use crate::schedule::CenterLoss;
use crate::train::loss::center::Centers;
use crate::train::loss::columns::{Whole, judge};
use crate::train::loss::head::{self, HeadGradient};

const ARCFACE: Loss = Loss::Arcface { margin1: 1.0, margin2: 0.5, margin3: 0.0, scale: 64.0 };

fn finite(tensor: &Tensor) -> bool {
    i64::try_from(tensor.isfinite().all()).expect("a flag") == 1
}

/// The loss of outputs or embeddings and its gradient; of outputs computed whole and two classes at a time.
fn gradient(loss: &Loss, output: &Tensor, labels: &Tensor) -> (f64, Tensor) {
    if matches!(loss, Loss::Center(_)) {
        return (0.0, output.zeros_like());
    }
    if of_embeddings(loss, output, labels).is_some() {
        return gradient_of(&|output| of_embeddings(loss, output, labels).expect("is one"), output);
    }
    let classes = output.size()[1];
    let [whole, parts] = [classes, 2].map(|range| {
        let mut columns = Whole::new(output);
        let verdict = judge(loss, &mut columns, labels, classes, range, true);
        (verdict.loss.double_value(&[]), columns.gradient)
    });
    let close = |a: f64, b: f64| (a - b).abs() <= 1e-5 * a.abs().max(1.0) || !a.is_finite();
    assert!(close(whole.0, parts.0), "{loss:?}: {} whole, {} in parts", whole.0, parts.0);
    let away = (&whole.1 - &parts.1).abs().max().double_value(&[]);
    let largest = whole.1.abs().max().double_value(&[]);
    assert!(away <= 1e-5 * largest.max(1e-3) || !largest.is_finite(), "{loss:?}: {away} of {largest}");
    parts
}

fn value(loss: &Loss, output: &Tensor, labels: &Tensor) -> f64 {
    gradient(loss, output, labels).0
}

/// Cross-entropy from `scale` times numbers that need be no probabilities, as the reference's function has it.
fn scale_softmax(p: &Tensor, labels: &Tensor, scale: f64) -> Tensor {
    (p * scale).cross_entropy_loss::<Tensor>(labels, None, tch::Reduction::Mean, -100, 0.0)
}

fn gradient_of(loss: &dyn Fn(&Tensor) -> Tensor, output: &Tensor) -> (f64, Tensor) {
    let output = output.detach().set_requires_grad(true);
    let value = loss(&output);
    value.backward();
    (value.double_value(&[]), output.grad())
}

#[test]
fn values_and_gradients_are_finite_on_the_whole_range_of_cosines() {
    let edges = [1.0 - 6e-8, -1.0 + 6e-8, 1.0 + 1e-6, -1.0 - 1e-6, 1.0 + 1.2e-7];
    let cosines: Vec<f32> = (0..=2000).map(|i| i as f32 / 1000.0 - 1.0).chain(edges).collect();
    let count = cosines.len() as i64;
    let all = Tensor::from_slice(&cosines).view([-1, 1]).repeat([1, 3]);
    let labels = Tensor::zeros([count], (Kind::Int64, Device::Cpu));
    let mut losses = vec![
        Loss::Softmax { label_smoothing: 0.1 },
        Loss::ScaleSoftmax { scale: 64.0 },
        Loss::MarginSoftmax { power: 2.0, scale: 0.4 },
        Loss::BatchHardTriplet { alpha: 0.35 },
        Loss::BatchAllTriplet { alpha: 0.35 },
    ];
    for (margin1, margin2, margin3) in
        [(1.0, 0.5, 0.0), (0.9, 0.4, 0.15), (1.0, 0.0, 0.35), (4.0, 0.0, 0.0), (1.0, 0.0, 0.0), (0.5, -1.0, -0.2)]
    {
        losses.push(Loss::Arcface { margin1, margin2, margin3, scale: 64.0 });
        losses.push(Loss::Arcface2 { margin1, margin2, margin3, scale: 64.0 });
    }
    for kind in [Kind::Float, Kind::BFloat16] {
        for loss in &losses {
            // Row by row for the losses of logits, in one batch for those of pairs.
            let (value, gradient) = gradient(loss, &all.to_kind(kind), &labels);
            assert!(value.is_finite(), "{loss:?} {kind:?}");
            assert!(finite(&gradient), "{loss:?} {kind:?}");
            assert!(of_classes(loss) || gradient.kind() == kind);
        }
    }
}

#[test]
fn embeddings_of_zero_have_a_finite_gradient() {
    let embeddings = Tensor::zeros([4, 8], (Kind::Float, Device::Cpu));
    let labels = Tensor::from_slice(&[0i64, 0, 1, 1]);
    for loss in [Loss::BatchHardTriplet { alpha: 0.35 }, Loss::BatchAllTriplet { alpha: 0.35 }] {
        let (value, gradient) = gradient(&loss, &embeddings, &labels);
        assert!(value.is_finite() && finite(&gradient), "{loss:?}");
    }
}

#[test]
fn the_margin_is_on_the_labels_column_only() {
    let output = Tensor::from_slice(&[0.5f32, 0.2, -0.1, 0.3]).view([2, 2]);
    let labels = Tensor::from_slice(&[0i64, 1]);
    let wanted = |cosine: f64| (cosine.acos() + 0.5).cos();
    let [a, b] = [[wanted(0.5), 0.2, 0.0], [wanted(0.3), -0.1, 0.0]].map(|[target, other, _]| {
        let (target, other): (f64, f64) = (target * 64.0, other * 64.0);
        (other - target).exp().ln_1p()
    });
    let value = value(&ARCFACE, &output, &labels);
    assert!((value - f64::midpoint(a, b)).abs() < 1e-4, "{value}");
}

#[test]
fn at_the_ends_the_slope_is_that_of_the_next_number() {
    for (margin2, loss) in
        [(0.5, ARCFACE), (0.35, Loss::Arcface2 { margin1: 1.0, margin2: 0.35, margin3: 0.0, scale: 64.0 })]
    {
        let at = |cosine: f32| {
            let output = Tensor::from_slice(&[cosine, 1.0]).view([1, 2]);
            gradient(&loss, &output, &Tensor::from_slice(&[0i64])).1.double_value(&[0, 0])
        };
        let (end, next) = (at(1.0), at(1.0 - 6e-8));
        assert!(end < 0.0 && (end / next - 1.0).abs() < 0.1, "{margin2}: {end}, {next}");
        // Beyond the end it goes on: in the second form without the margin, as the reference's value has it.
        let beyond = at(1.0 + 1e-6);
        assert!(beyond.is_finite() && beyond < 0.0, "{margin2}: {beyond}");
    }
}

#[test]
fn accuracy_counts_the_largest_output() {
    let output = Tensor::from_slice(&[0.5f32, 0.2, -0.1, 0.3]).view([2, 2]);
    for range in [1, 2] {
        let labels = Tensor::from_slice(&[0i64, 0]);
        let share = judge(&ARCFACE, &mut Whole::new(&output), &labels, 2, range, false).accuracy;
        assert!((share.double_value(&[]) - 0.5).abs() < 1e-9);
    }
    // Nothing is known when all outputs are the same.
    let same = judge(&ARCFACE, &mut Whole::new(&output.zeros_like()), &Tensor::from_slice(&[0i64, 0]), 2, 2, false);
    assert!(same.accuracy.double_value(&[]).abs() < 1e-9);
}

#[test]
fn labels_that_are_no_class_are_refused() {
    assert!(check_labels(&[0, 4, 2], 5).is_ok());
    for wrong in [[0i64, 5], [-1, 0]] {
        let error = check_labels(&wrong, 5).expect_err("is refused");
        assert!(error.message.contains("0 to 4"), "{}", error.message);
    }
    // Whoever does not ask gets no number, never another row's memory.
    let output = Tensor::zeros([2, 5], (Kind::Float, Device::Cpu));
    for loss in [ARCFACE, Loss::Softmax { label_smoothing: 0.0 }, Loss::MarginSoftmax { power: 2.0, scale: 0.4 }] {
        for (wrong, range) in [(5, 5), (-1, 5), (5, 2), (-1, 2)] {
            let labels = Tensor::from_slice(&[0i64, wrong]);
            let value = judge(&loss, &mut Whole::new(&output), &labels, 5, range, true).loss.double_value(&[]);
            assert!(value.is_nan(), "{loss:?}: {value}");
        }
    }
}

fn number(value: &Value) -> f64 {
    value.as_f64().or_else(|| value.as_str()?.parse().ok()).expect("a number")
}

fn rows(value: &Value) -> Tensor {
    let rows: Vec<Vec<f32>> = value
        .as_array()
        .expect("rows")
        .iter()
        .map(|row| row.as_array().expect("a row").iter().map(|x| number(x) as f32).collect())
        .collect();
    let width = rows[0].len() as i64;
    Tensor::from_slice(&rows.concat()).view([-1, width])
}

/// Classes, from one-hot rows or from a list.
fn labels(value: &Value) -> Tensor {
    if value[0].is_array() {
        return rows(value).argmax(-1, false);
    }
    let labels: Vec<i64> = value.as_array().expect("labels").iter().map(|x| number(x) as i64).collect();
    Tensor::from_slice(&labels)
}

/// `0.1` of `...label_smoothing=0.1)` or `... power=3 scale=0.1`.
fn named(text: &str, key: &str) -> Option<f64> {
    let rest = text.split_once(key)?.1.trim_start_matches(['=', ' ']);
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
    rest[..end].parse().ok()
}

/// What a case's numbers are of.
enum Input {
    /// What the head gives.
    Output,
    /// Probabilities, where we work on their logarithms.
    Probabilities,
}

/// The loss of a case of a file of the reference's numbers; none for what the reference does nowhere.
fn loss_of(case: &Value) -> Option<(Loss, Input)> {
    let name = case["loss"].as_str().expect("a name");
    let note = case["note"].as_str().unwrap_or_default();
    let set = |key: &str, default: f64| case["config"][key].as_f64().unwrap_or(default);
    let [margin1, margin2, margin3, scale] =
        [set("margin1", 1.0), set("margin2", 0.5), set("margin3", 0.0), set("scale", 64.0)];
    let smoothing = named(name, "label_smoothing").unwrap_or(set("label_smoothing", 0.0));
    let loss = if name.starts_with("categorical_crossentropy(clipped") {
        // Only without Keras's `_keras_logits`, which a softmax layer always has.
        return None;
    } else if name.starts_with("categorical_crossentropy") {
        let logits = name.contains("from_logits") || name.contains("softmax(z)");
        let input = if logits { Input::Output } else { Input::Probabilities };
        return Some((Loss::Softmax { label_smoothing: smoothing }, input));
    } else if name.starts_with("scale_softmax") {
        return Some((Loss::ScaleSoftmax { scale }, Input::Probabilities));
    } else if name.starts_with("margin_softmax") {
        let power = named(note, "power").unwrap_or_else(|| set("power", 2.0));
        let scale = named(note, "scale").unwrap_or_else(|| set("scale", 0.4));
        return Some((Loss::MarginSoftmax { power, scale }, Input::Probabilities));
    } else if name.starts_with("arcface_loss_2") {
        Loss::Arcface2 { margin1, margin2, margin3, scale }
    } else if name.to_lowercase().starts_with("arcface") {
        Loss::Arcface { margin1, margin2, margin3, scale }
    } else if name.starts_with("batch_hard_triplet") {
        Loss::BatchHardTriplet { alpha: set("alpha", 0.35) }
    } else if name.starts_with("batch_all_triplet") {
        Loss::BatchAllTriplet { alpha: set("alpha", 0.35) }
    } else {
        panic!("the loss `{name}` is of no kind that this test knows");
    };
    Some((loss, Input::Output))
}

fn compare(what: &str, value: f64, gradient: &Tensor, case: &Value, wanted_gradient: &Tensor) {
    let wanted = number(&case["mean"]);
    assert!(value.is_finite() && finite(gradient), "{what}: not finite");
    if wanted.is_finite() {
        assert!((value - wanted).abs() <= 1e-4 * wanted.abs().max(1e-3), "{what}: {value}, not {wanted}");
    }
    // Rows where the reference is finite; NaN spoils its whole row, infinity one element.
    let known = wanted_gradient.isfinite();
    let wanted = wanted_gradient.nan_to_num(0.0, 0.0, 0.0);
    let ours = gradient.to_kind(Kind::Float) * known.to_kind(Kind::Float);
    let length = wanted.norm().double_value(&[]);
    let error = (&ours - &wanted).norm().double_value(&[]);
    assert!(error <= 1e-3 * length.max(1e-4), "{what}: gradient off by {error} of {length}");
    // Each element too, but for what fp32 rounds away in sums of the size of the largest.
    let allowed = wanted.abs() * 1e-3 + wanted.abs().max() * 1e-5 + 1e-7;
    let worst = ((&ours - &wanted).abs() - allowed).max().double_value(&[]);
    assert!(worst <= 0.0, "{what}: an element of the gradient is off by {worst} more than allowed");
}

/// A gradient by probabilities as one by their logarithms, of which only the softmax is used. Rows that do not sum to 1
/// are fine for losses that divide by the sum themselves.
fn by_logits(gradient: &Tensor, p: &Tensor) -> Tensor {
    let share = p / p.sum_dim_intlist([1i64].as_slice(), true, None);
    p * (gradient - (share * gradient).sum_dim_intlist([1i64].as_slice(), true, None))
}

fn compare_centers(what: &str, case: &Value) {
    let set = |key: &str, default: f64| case["config"][key].as_f64().unwrap_or(default);
    let settings = CenterLoss { alpha: set("alpha", 0.5), factor: set("factor", 1.0) };
    let size = |key: &str| case["config"][key].as_u64().expect("a size") as usize;
    let (classes, width) = (size("num_classes"), size("feature_dim"));
    let note = case["note"].as_str().unwrap_or_default();
    let logits_loss = match note.split_once("logits_loss=").map(|(_, name)| name) {
        None => Loss::Center(settings),
        Some(name) => loss_of(&serde_json::json!({ "loss": name })).expect("a loss").0,
    };
    let (all, labels) = (rows(&case["y_pred"]), labels(&case["y_true"]));
    let mut centers = Centers::zeros(classes, width, settings, Device::Cpu);
    for call in case["calls"].as_array().expect("calls") {
        let output = all.narrow(1, width as i64, all.size()[1] - width as i64);
        let (of_output, by_output) = gradient(&logits_loss, &output, &labels);
        let of_centers = |all: &Tensor| centers.loss(&all.narrow(1, 0, width as i64), &labels);
        let (of_centers, by_embeddings) = gradient_of(&of_centers, &all);
        let value = of_output + of_centers;
        let gradient = by_embeddings;
        gradient.narrow(1, width as i64, output.size()[1]).copy_(&by_output);
        let mut wanted = rows(&call["grad_of_mean_wrt_y_pred"]);
        let mut ours = gradient;
        compare(what, value, &ours, call, &wanted);
        // The two parts of the gradient differ in size: each by itself.
        for part in [&mut ours, &mut wanted] {
            *part = part.narrow(1, 0, width as i64);
        }
        compare(what, value, &ours, call, &wanted);
        centers.update(&all.narrow(1, 0, width as i64), &labels);
        let wanted = rows(&call["centers_after"]);
        let error = (centers.snapshot() - &wanted).abs().max().double_value(&[]);
        assert!(error < 1e-5, "{what}: centers off by {error}");
    }
}

/// Embeddings and the weights of a cosine head, with the gradients of both.
fn compare_head(what: &str, case: &Value) {
    let rows_of = rows(&case["norm_dense_w"]).tr().contiguous();
    let into = rows_of.zeros_like();
    let head = HeadWeights {
        normalized: true,
        rows: rows_of,
        bias: None,
        half: None,
        trainable: true,
        regularizers: vec![None],
    };
    let room = HeadGradient { rows: into.shallow_clone(), bias: None };
    let judged = head::run(&ARCFACE, &head, &rows(&case["embedding"]), &labels(&case["y_true"]), Some(room), true);
    let value = judged.verdict.loss.double_value(&[]);
    for (ours, key) in [(judged.embeddings, "grad_embedding"), (into.tr(), "grad_norm_dense_w")] {
        compare(what, value, &ours, case, &rows(&case[key]));
    }
}

fn compare_file(path: &Path) -> usize {
    let text = std::fs::read_to_string(path).expect("reads");
    let file: Value = serde_json::from_str(&text).expect("JSON");
    let cases = file["cases"].as_array().expect("cases");
    for (place, case) in cases.iter().enumerate() {
        let name = case["loss"].as_str().expect("a name");
        let note = case["note"].as_str().unwrap_or_default();
        let what = format!("{name}, case {place} of {} ({note}, {})", path.display(), case["config"]);
        if name.starts_with("Center") {
            compare_centers(&what, case);
            continue;
        }
        if name.starts_with("NormDense") {
            compare_head(&what, case);
            continue;
        }
        let Some((loss, input)) = loss_of(case) else { continue };
        let (output, labels) = (rows(&case["y_pred"]), labels(&case["y_true"]));
        let wanted = rows(&case["grad_of_mean_wrt_y_pred"]);
        match (input, loss) {
            // The reference's function takes any numbers; a schedule gives it probabilities.
            (Input::Probabilities, Loss::ScaleSoftmax { scale }) => {
                let (value, gradient) = gradient_of(&|p| scale_softmax(p, &labels, scale), &output);
                compare(&what, value, &gradient, case, &wanted);
                let sums = output.sum_dim_intlist([1i64].as_slice(), false, None);
                if (sums - 1.0).abs().max().double_value(&[]) < 1e-5 && output.min().double_value(&[]) > 0.0 {
                    let (value, gradient) = self::gradient(&loss, &output.log(), &labels);
                    compare(&what, value, &gradient, case, &by_logits(&wanted, &output));
                }
            }
            (Input::Probabilities, _) => {
                let (value, gradient) = self::gradient(&loss, &output.log(), &labels);
                compare(&what, value, &gradient, case, &by_logits(&wanted, &output));
            }
            (Input::Output, _) => {
                let (value, gradient) = self::gradient(&loss, &output, &labels);
                compare(&what, value, &gradient, case, &wanted);
            }
        }
    }
    cases.len()
}

/// Numbers that TensorFlow gave (`tests/python/make_numbers.py`).
#[test]
fn agrees_with_tensorflow() {
    assert!(compare_file(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases/losses.json"))) > 80);
}

/// Numbers that the reference's own code gave, where they lie beside the clone.
#[test]
fn agrees_with_the_reference() {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/cases/losses.json"));
    if path.is_file() {
        compare_file(path);
    }
}
