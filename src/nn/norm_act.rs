//! Batch normalisation with the activation or the sum that follows it, in one pass: C++ of our own against libtorch
//! (`src/native/norm_act.cpp`), since tch cannot express it.

use std::ffi::{CStr, c_char, c_int};

use tch::{Kind, Tensor};
use torch_sys::C_tensor;

/// What follows a normalisation. The numbers are those of `src/native/norm_act.cpp`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    /// Nothing, or a residual sum.
    None = 0,
    /// A learned slope below zero, one a channel.
    PRelu = 1,
    /// `max(x, 0)`.
    Relu = 2,
    /// `min(max(x, 0), 6)`.
    Relu6 = 3,
}

/// A batch normalisation's weights and settings. Vectors have an element a channel.
#[derive(Debug)]
pub(super) struct Norm<'a> {
    /// Factor.
    pub(super) gamma: Option<&'a Tensor>,
    /// Summand.
    pub(super) beta: Option<&'a Tensor>,
    /// Moving mean, updated in training.
    pub(super) mean: &'a Tensor,
    /// Moving variance, updated in training.
    pub(super) variance: &'a Tensor,
    /// Keras's momentum: the share of the moving statistics that is kept.
    pub(super) momentum: f64,
    /// Added to the variance.
    pub(super) epsilon: f64,
    /// Whether the batch's statistics are used.
    pub(super) train: bool,
}

#[allow(unsafe_code, reason = "the functions are C++")]
unsafe extern "C" {
    fn facetui_norm_act(
        x: *const C_tensor,
        before: *const C_tensor,
        gamma: *const C_tensor,
        beta: *const C_tensor,
        slope: *const C_tensor,
        other: *const C_tensor,
        mean: *const C_tensor,
        variance: *const C_tensor,
        act: i64,
        train: c_int,
        momentum: f64,
        epsilon: f64,
        sum: *mut *mut C_tensor,
    ) -> *mut C_tensor;
    fn facetui_last_error() -> *const c_char;
}

/// Whether [`norm_act`] can take `x`: a map on the CPU, fp32 or bf16, with more than one place a channel.
pub(super) fn takes(x: &Tensor) -> bool {
    x.dim() == 4
        && matches!(x.kind(), Kind::Float | Kind::BFloat16)
        && !x.device().is_cuda()
        && x.numel() as i64 > x.size()[1]
}

/// `act(batch_norm(x))`, or `batch_norm(x) + other`, for a map (B, C, H, W) that [`takes`] accepts; the result is
/// channels-last. `slope` (C) belongs to [`Act::PRelu`].
///
/// # Panics
/// As tch's own methods do, on a failure in libtorch.
pub(super) fn norm_act(x: &Tensor, norm: &Norm, act: Act, slope: Option<&Tensor>, other: Option<&Tensor>) -> Tensor {
    call(x, None, norm, act, slope, other).0
}

/// `act(batch_norm(x + before))` and `x + before`, both maps as [`norm_act`] takes and gives them.
///
/// # Panics
/// As tch's own methods do, on a failure in libtorch.
pub(super) fn sum_norm_act(
    x: &Tensor,
    before: &Tensor,
    norm: &Norm,
    act: Act,
    slope: Option<&Tensor>,
) -> (Tensor, Tensor) {
    let (result, sum) = call(x, Some(before), norm, act, slope, None);
    (result, sum.unwrap_or_else(|| x + before))
}

fn call(
    x: &Tensor,
    before: Option<&Tensor>,
    norm: &Norm,
    act: Act,
    slope: Option<&Tensor>,
    other: Option<&Tensor>,
) -> (Tensor, Option<Tensor>) {
    let mut sum = std::ptr::null_mut();
    let pointer = |tensor: Option<&Tensor>| tensor.map_or(std::ptr::null(), Tensor::as_ptr);
    #[expect(unsafe_code, reason = "C++")]
    // SAFETY: every pointer is null or an `at::Tensor*` that lives through the call; the shapes agree, since the graph
    // has been checked, and `takes` has accepted `x`. The results are new `at::Tensor`s, which tch comes to own.
    unsafe {
        let result = facetui_norm_act(
            x.as_ptr(),
            pointer(before),
            pointer(norm.gamma),
            pointer(norm.beta),
            pointer(slope),
            pointer(other),
            norm.mean.as_ptr(),
            norm.variance.as_ptr(),
            act as i64,
            c_int::from(norm.train),
            1.0 - norm.momentum,
            norm.epsilon,
            &raw mut sum,
        );
        if result.is_null() {
            let message = CStr::from_ptr(facetui_last_error()).to_string_lossy();
            panic!("batch normalisation failed: {message}");
        }
        (Tensor::from_ptr(result), (!sum.is_null()).then(|| Tensor::from_ptr(sum)))
    }
}

#[cfg(test)]
mod tests {
    use rand::{Rng as _, SeedableRng as _};
    use rand_chacha::ChaCha8Rng;
    use tch::Device;

    use super::*;

    fn close(name: &str, ours: &Tensor, wanted: &Tensor, most: f64) {
        let error = (ours - wanted).norm().double_value(&[]) / wanted.norm().double_value(&[]).max(1e-6);
        assert!(error < most, "{name}: off by {error}");
    }

    /// Numbers in [0, 1) that no other test disturbs.
    fn noise(shape: &[i64], seed: u64) -> Tensor {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let numbers: Vec<f32> = (0..shape.iter().product()).map(|_| random.random()).collect();
        Tensor::from_slice(&numbers).view(shape)
    }

    fn norm<'a>(weights: Option<[&'a Tensor; 2]>, moving: [&'a Tensor; 2], train: bool) -> Norm<'a> {
        let [mean, variance] = moving;
        let [gamma, beta] = weights.map_or([None, None], |weights| weights.map(Some));
        Norm { gamma, beta, mean, variance, momentum: 0.9, epsilon: 1e-3, train }
    }

    /// libtorch's own operations, one after the other.
    fn plain(x: &Tensor, norm: &Norm, act: Act, slope: Option<&Tensor>, other: Option<&Tensor>) -> Tensor {
        let y = x.batch_norm(
            norm.gamma,
            norm.beta,
            Some(norm.mean),
            Some(norm.variance),
            norm.train,
            1.0 - norm.momentum,
            norm.epsilon,
            false,
        );
        let y = other.map_or(y.shallow_clone(), |other| &y + other);
        match (act, slope) {
            (Act::PRelu, Some(slope)) => y.prelu(slope),
            (Act::Relu, _) => y.relu(),
            (Act::Relu6, _) => y.clamp(0.0, 6.0),
            _ => y,
        }
    }

    #[test]
    fn values_gradients_and_statistics_are_libtorchs() {
        // One channel, fewer rows than a block, odd numbers, and a mean far from zero: there the two round differently, and
        // a number beside a bend of the activation lies on its other side now and then.
        for (shape, shift, most) in
            [([2, 1, 3, 3], 0.0, 1e-5), ([3, 5, 7, 9], 0.5, 1e-5), ([8, 64, 14, 14], 100.0, 1e-2)]
        {
            for act in [Act::None, Act::PRelu, Act::Relu, Act::Relu6] {
                for (train, weighted, residual) in
                    [(true, true, false), (false, true, false), (true, false, false), (true, true, true)]
                {
                    if residual && act != Act::None {
                        continue;
                    }
                    let leaf = |tensor: Tensor| tensor.set_requires_grad(true);
                    let c = shape[1];
                    let base = (noise(&shape, 1) - 0.5) * 10.0 + shift;
                    let other = noise(&shape, 2) - 0.5;
                    let gradient = noise(&shape, 3) - 0.5;
                    let (gamma, beta, slope) = (noise(&[c], 4) + 0.5, (noise(&[c], 5) - 0.5) * 4.0, noise(&[c], 6));
                    let (mean, variance) = (noise(&[c], 7) + shift, (noise(&[c], 8) + 0.5) * 4.0);
                    let run = |native: bool| {
                        let x = leaf(base.copy());
                        let (gamma, beta) = (leaf(gamma.copy()), leaf(beta.copy()));
                        let (slope, other) = (leaf(slope.copy()), leaf(other.copy()));
                        let (mean, variance) = (mean.copy(), variance.copy());
                        let norm = norm(weighted.then_some([&gamma, &beta]), [&mean, &variance], train);
                        let slope_used = (act == Act::PRelu).then_some(&slope);
                        let other_used = residual.then_some(&other);
                        let f = if native { norm_act } else { plain };
                        let y = f(&x, &norm, act, slope_used, other_used);
                        (&y * &gradient).sum(Kind::Float).backward();
                        let mut results = vec![("result", y.detach()), ("input", x.grad())];
                        if weighted {
                            results.extend([("gamma", gamma.grad()), ("beta", beta.grad())]);
                        }
                        results.extend(slope_used.map(|slope| ("slope", slope.grad())));
                        results.extend(other_used.map(|other| ("other", other.grad())));
                        results.extend([("mean", mean), ("variance", variance)]);
                        results
                    };
                    for ((name, ours), (_, wanted)) in run(true).iter().zip(&run(false)) {
                        close(&format!("{name}, {act:?}, {shape:?}, train {train}"), ours, wanted, most);
                    }
                }
            }
        }
    }

    #[test]
    fn a_sum_before_is_taken_in_and_both_results_carry_gradients() {
        let shape = [3, 5, 7, 9];
        let leaf = |tensor: Tensor| tensor.set_requires_grad(true);
        let (gamma, beta) = (noise(&[5], 4) + 0.5, (noise(&[5], 5) - 0.5) * 4.0);
        for act in [Act::None, Act::PRelu, Act::Relu, Act::Relu6] {
            // Which of the two results are used further on.
            for (train, uses) in
                [(true, [true, true]), (false, [true, true]), (true, [true, false]), (true, [false, true])]
            {
                let run = |native: bool| {
                    let (x, before) = (leaf((noise(&shape, 1) - 0.5) * 8.0), leaf((noise(&shape, 2) - 0.5) * 8.0));
                    let (gamma, beta, slope) = (leaf(gamma.copy()), leaf(beta.copy()), leaf(noise(&[5], 6)));
                    let (mean, variance) = (noise(&[5], 7), noise(&[5], 8) + 0.5);
                    let norm = norm(Some([&gamma, &beta]), [&mean, &variance], train);
                    let slope_used = (act == Act::PRelu).then_some(&slope);
                    let (y, sum) = if native {
                        sum_norm_act(&x, &before, &norm, act, slope_used)
                    } else {
                        let sum = &x + &before;
                        (plain(&sum, &norm, act, slope_used, None), sum)
                    };
                    let parts =
                        [(&y, 3), (&sum, 9)].map(|(map, seed)| (map * (noise(&shape, seed) - 0.5)).sum(Kind::Float));
                    let used = parts.iter().zip(uses).filter(|(_, used)| *used).map(|(part, _)| part.shallow_clone());
                    used.reduce(|one, other| one + other).expect("one is used").backward();
                    let mut results = vec![("result", y.detach()), ("sum", sum.detach())];
                    results.extend([
                        ("input", x.grad()),
                        ("before", before.grad()),
                        ("mean", mean),
                        ("variance", variance),
                    ]);
                    if uses[0] {
                        results.extend([("gamma", gamma.grad()), ("beta", beta.grad())]);
                        results.extend(slope_used.map(|slope| ("slope", slope.grad())));
                    }
                    results
                };
                for ((name, ours), (_, wanted)) in run(true).iter().zip(&run(false)) {
                    close(&format!("{name}, {act:?}, train {train}, uses {uses:?}"), ours, wanted, 1e-5);
                }
            }
        }
    }

    /// Whether a bf16 result is the fp32 one, rounded once: half a unit in the last of eight digits, and fp32's own error.
    fn rounded_once(name: &str, ours: &Tensor, wanted: &Tensor) {
        let wanted = wanted.to_kind(Kind::Float);
        let most = wanted.abs() * (1.004 / 256.0) + wanted.abs().max() * 2e-5;
        let beyond = ((ours.to_kind(Kind::Float) - &wanted).abs() - most).max().double_value(&[]);
        assert!(beyond <= 0.0, "{name}: off by {beyond} more than rounding");
    }

    #[test]
    fn bf16_maps_are_computed_in_fp32_and_rounded_once() {
        let shape = [3, 37, 7, 9];
        let c = [shape[1]];
        let half = |shape: &[i64], seed, factor: f64| ((noise(shape, seed) - 0.5) * factor).to_kind(Kind::BFloat16);
        let (gamma, beta) = (noise(&c, 4) + 0.5, (noise(&c, 5) - 0.5) * 4.0);
        for act in [Act::None, Act::PRelu, Act::Relu, Act::Relu6] {
            // A sum before or behind the normalisation.
            for (train, before, behind) in
                [(true, false, false), (false, false, false), (true, true, false), (true, false, true)]
            {
                if behind && act != Act::None {
                    continue;
                }
                let run = |kind: Kind| {
                    let leaf = |tensor: Tensor| tensor.to_kind(kind).copy().set_requires_grad(true);
                    let (x, other) = (leaf(half(&shape, 1, 10.0)), leaf(half(&shape, 2, 10.0)));
                    let slope = leaf(half(&c, 6, 1.0));
                    let [gamma, beta] = [&gamma, &beta].map(|weights| weights.copy().set_requires_grad(true));
                    let (mean, variance) = (noise(&c, 7), (noise(&c, 8) + 0.5) * 4.0);
                    let norm = norm(Some([&gamma, &beta]), [&mean, &variance], train);
                    let slope_used = (act == Act::PRelu).then_some(&slope);
                    let (y, sum) = match (kind, before) {
                        (Kind::BFloat16, true) => sum_norm_act(&x, &other, &norm, act, slope_used),
                        (Kind::BFloat16, false) => {
                            (norm_act(&x, &norm, act, slope_used, behind.then_some(&other)), x.shallow_clone())
                        }
                        // The sum is a map as well, so it is rounded.
                        (_, true) => {
                            let sum = (&x + &other).to_kind(Kind::BFloat16).to_kind(Kind::Float);
                            (plain(&sum, &norm, act, slope_used, None), sum)
                        }
                        _ => (plain(&x, &norm, act, slope_used, behind.then_some(&other)), x.shallow_clone()),
                    };
                    assert_eq!((y.kind(), sum.kind()), (kind, kind));
                    let parts = [(&y, 3), (&sum, 9)].map(|(map, seed)| map * half(&shape, seed, 1.0).to_kind(kind));
                    (parts[0].sum(Kind::Float) + parts[1].sum(Kind::Float)).backward();
                    let mut halves = vec![("result", y.detach()), ("sum", sum.detach())];
                    if before {
                        halves.push(("input", x.grad()));
                    }
                    if before || behind {
                        halves.push(("other", other.grad()));
                    }
                    halves.extend(slope_used.map(|slope| ("slope", slope.grad())));
                    (halves, [gamma.grad(), beta.grad(), mean, variance])
                };
                let ((ours, exact), (wanted, exact_wanted)) = (run(Kind::BFloat16), run(Kind::Float));
                let case = format!("{act:?}, train {train}, sum before {before}, behind {behind}");
                for ((name, ours), (_, wanted)) in ours.iter().zip(&wanted) {
                    rounded_once(&format!("{name}, {case}"), ours, wanted);
                }
                for (ours, wanted) in exact.iter().zip(&exact_wanted) {
                    assert_eq!(ours.kind(), Kind::Float);
                    close(&case, ours, wanted, 1e-5);
                }
                // libtorch rounds a sum to the nearest, and to the even one of two as near.
                let [one, other] = [1, 2].map(|seed| half(&shape, seed, 10.0));
                assert!(!before || ours[1].1.equal(&(one + other)), "{case}");
            }
        }
    }

    #[test]
    fn not_a_number_is_not_hidden() {
        for kind in [Kind::Float, Kind::BFloat16] {
            let x = Tensor::full([2, 3, 4, 4], f64::NAN, (kind, Device::Cpu));
            let (zeros, ones) =
                (Tensor::zeros([3], (Kind::Float, Device::Cpu)), Tensor::ones([3], (Kind::Float, Device::Cpu)));
            let norm = norm(None, [&zeros, &ones], false);
            for act in [Act::None, Act::PRelu, Act::Relu, Act::Relu6] {
                let y = norm_act(&x, &norm, act, Some(&zeros), None);
                assert_eq!(i64::try_from(y.isnan().all()).expect("a flag"), 1, "{kind:?}, {act:?}");
            }
        }
    }
}
