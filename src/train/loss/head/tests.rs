//! A head in parts against libtorch's own way through the whole.

use super::*;
use crate::schedule::Loss;

const CLASSES: i64 = 23;

fn noise(shape: &[i64], seed: i64) -> Tensor {
    let count: i64 = shape.iter().product();
    let numbers = Tensor::arange(count, (Kind::Float, Device::Cpu));
    ((numbers * 12.9898 + seed as f64).sin() * 43758.5453).frac().view(shape)
}

fn head(normalized: bool, half: Option<Kind>) -> HeadWeights {
    let rows = noise(&[CLASSES, 8], 1);
    // One row has no direction.
    let _ = rows.get(5).zero_();
    HeadWeights {
        normalized,
        rows,
        bias: (!normalized).then(|| noise(&[CLASSES], 2)),
        half,
        trainable: true,
        regularizers: vec![None, None],
    }
}

/// The loss of logits (B, C), or of cosines with the margin 0.5 and the scale 32.
fn plain(loss: &Loss, head: &HeadWeights, embeddings: &Tensor, labels: &Tensor) -> Tensor {
    let unit = |x: &Tensor| x * x.square().sum_dim_intlist([1i64].as_slice(), true, None).clamp_min(1e-12).rsqrt();
    let entropy = |logits: &Tensor, smoothing: f64| {
        logits.cross_entropy_loss::<Tensor>(labels, None, tch::Reduction::Mean, -100, smoothing)
    };
    if let Some(bias) = &head.bias {
        let Loss::Softmax { label_smoothing } = loss else { panic!("is softmax") };
        return entropy(&(embeddings.matmul(&head.rows.tr()) + bias), *label_smoothing);
    }
    let cosines = unit(embeddings).matmul(&unit(&head.rows).tr());
    let place = labels.unsqueeze(1);
    let target = (cosines.gather(1, &place, false).acos() + 0.5).cos();
    entropy(&(cosines.scatter(1, &place, &target) * 32.0), 0.0)
}

#[test]
fn parts_give_what_the_whole_gives() {
    let labels = Tensor::from_slice(&[0i64, 22, 11, 11, 4]);
    let embeddings = noise(&[5, 8], 3) * 3.0;
    let arcface = Loss::Arcface { margin1: 1.0, margin2: 0.5, margin3: 0.0, scale: 32.0 };
    for (normalized, loss) in [
        (true, arcface),
        (false, Loss::Softmax { label_smoothing: 0.0 }),
        (false, Loss::Softmax { label_smoothing: 0.2 }),
    ] {
        let mut leaf = head(normalized, None);
        leaf.rows = leaf.rows.set_requires_grad(true);
        leaf.bias = leaf.bias.map(|bias| bias.set_requires_grad(true));
        let input = embeddings.detach().set_requires_grad(true);
        let wanted = plain(&loss, &leaf, &input, &labels);
        wanted.backward();
        for range in [1, 7, CLASSES] {
            let head = head(normalized, None);
            let room = HeadGradient {
                rows: head.rows.full_like(f64::NAN),
                bias: head.bias.as_ref().map(|bias| bias.full_like(f64::NAN)),
            };
            let into =
                HeadGradient { rows: room.rows.shallow_clone(), bias: room.bias.as_ref().map(Tensor::shallow_clone) };
            let judged = run_by(&loss, &head, &embeddings, &labels, Some(into), true, range);
            let close = |ours: &Tensor, wanted: &Tensor, what: &str| {
                let away = (ours - wanted).abs().max().double_value(&[]);
                assert!(away < 1e-5, "{loss:?}, {range} classes at a time: {what} off by {away}");
            };
            close(&judged.verdict.loss, &wanted.detach(), "loss");
            close(&judged.embeddings, &input.grad(), "embeddings");
            // A row of length zero gets an enormous gradient, along which nothing is to be compared but the sign of sense.
            let known = if normalized {
                leaf.rows.grad().index_fill(0, &Tensor::from_slice(&[5i64]), 0.0)
            } else {
                leaf.rows.grad()
            };
            let ours = if normalized {
                room.rows.index_fill(0, &Tensor::from_slice(&[5i64]), 0.0)
            } else {
                room.rows.shallow_clone()
            };
            close(&ours, &known, "rows");
            assert!(room.rows.isfinite().all().int64_value(&[]) == 1);
            if let (Some(ours), Some(bias)) = (&room.bias, &leaf.bias) {
                close(ours, &bias.grad(), "bias");
            }
        }
    }
}

#[test]
fn bf16_products_are_near_the_exact_ones() {
    let labels = Tensor::from_slice(&[0i64, 22, 11]);
    let embeddings = noise(&[3, 8], 3);
    let loss = Loss::Arcface { margin1: 1.0, margin2: 0.5, margin3: 0.0, scale: 8.0 };
    let run = |half| {
        let head = head(true, half);
        let room = HeadGradient { rows: head.rows.zeros_like(), bias: None };
        let into = HeadGradient { rows: room.rows.shallow_clone(), bias: None };
        let judged = run_by(&loss, &head, &embeddings, &labels, Some(into), true, 7);
        (judged.verdict.loss.double_value(&[]), judged.embeddings)
    };
    let (exact, half) = (run(None), run(Some(Kind::BFloat16)));
    assert!((exact.0 / half.0 - 1.0).abs() < 0.02, "{} {}", exact.0, half.0);
    assert!(((&exact.1 - &half.1).norm() / exact.1.norm()).double_value(&[]) < 0.03);
}

#[test]
fn ranges_fit_the_caches() {
    assert_eq!(range(1000, 64, Device::Cpu), 1000);
    assert_eq!(range(85_742, 128, Device::Cpu), 8192);
    assert!(range(85_742, 100_000, Device::Cpu) >= 256);
    assert_eq!(range(10, 10_000_000, Device::Cpu), 256);
}
