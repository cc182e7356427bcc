//! ArcFace's margins on the cosines of the labels' classes.

use tch::Tensor;

/// The least squared sine that a slope is divided by: just below that of the fp32 number next to 1.
const LEAST_SQUARED_SINE: f64 = 1e-7;

/// What `ArcFace` does where the angle with its margin is beyond `pi`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beyond {
    /// The mirror of the changed cosine: the reference's `arcface_loss`.
    Mirrored,
    /// The cosine as it was, here and wherever the margins would raise it: the reference's `arcface_loss_2`.
    Unchanged,
}

/// Cosines with `ArcFace`'s margins (Deng et al. 2019), `cos(m1 * theta + m2) - m3`, of any shape, and the slope there.
///
/// The slope of the arc cosine is infinite at 1 and -1: there, and beyond, it is that of the nearest fp32 number inside.
pub(super) fn with_margins(
    cosines: &Tensor,
    [margin1, margin2, margin3]: [f64; 3],
    beyond: Beyond,
) -> (Tensor, Tensor) {
    let cosine = cosines.clamp(-1.0, 1.0);
    let changed = (cosine.acos() * margin1 + margin2).cos() - margin3;
    let sine = (-(&cosine * &cosine) + 1.0).clamp_min(LEAST_SQUARED_SINE).sqrt();
    let slope = (sine.atan2(&cosine) * margin1 + margin2).sin() * margin1 / sine;
    match beyond {
        Beyond::Mirrored => {
            let within = cosine.gt(((std::f64::consts::PI - margin2) / margin1).cos());
            let mirrored = -&changed - 2.0 * (1.0 + margin3);
            (changed.where_self(&within, &mirrored), slope.where_self(&within, &-&slope))
        }
        Beyond::Unchanged => {
            // Beyond 1 the reference's angle is NaN, which is below nothing.
            let lower = changed.lt_tensor(&cosine).logical_and(&cosine.eq_tensor(cosines));
            (changed.where_self(&lower, cosines), slope.where_self(&lower, &slope.ones_like()))
        }
    }
}
