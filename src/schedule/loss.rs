//! The losses of a schedule: their names, parameters and ranges. One row of [`TABLE`] each.

use super::names::Name;
use super::params::{Parameter, Row};
use super::range::Range;

/// What a loss works on, the reference's `type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HeadKind {
    /// A dense layer with softmax.
    Softmax,
    /// Cosines to l2-normalised class centres.
    Arcface,
    /// No head: the embedding itself.
    Triplet,
}

/// The losses.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// Categorical cross-entropy of a softmax head.
    Softmax {
        /// Share of the target given to all classes alike, 0 to below 1.
        label_smoothing: f64,
    },
    /// Cross-entropy from logits of `scale * p`.
    ScaleSoftmax {
        /// The factor, the reference's 64.
        scale: f64,
    },
    /// At the label's column the probability becomes `(p^power + scale * p) / 2`; then cross-entropy.
    MarginSoftmax {
        /// The exponent, 2.
        power: f64,
        /// The weight of the linear part, 0.4.
        scale: f64,
    },
    /// ArcFace: `cos(margin1 * theta + margin2) - margin3` at the label's column.
    Arcface {
        /// Factor on the angle.
        margin1: f64,
        /// Added to the angle, in radians.
        margin2: f64,
        /// Taken off the cosine.
        margin3: f64,
        /// Factor on the cosines.
        scale: f64,
    },
    /// The reference's second form of ArcFace: the margins count only where they lower the cosine, and beyond `pi`
    /// nothing is mirrored.
    Arcface2 {
        /// Factor on the angle.
        margin1: f64,
        /// Added to the angle, in radians.
        margin2: f64,
        /// Taken off the cosine.
        margin3: f64,
        /// Factor on the cosines.
        scale: f64,
    },
    /// Hardest positive and hardest negative of the batch for each anchor.
    BatchHardTriplet {
        /// Margin between the similarities, 0.35.
        alpha: f64,
    },
    /// All positives and all negatives within the margin.
    BatchAllTriplet {
        /// Margin between the similarities, 0.35.
        alpha: f64,
    },
    /// The center loss alone, without a loss of the logits: the embedding is trained, a head is left as it is.
    Center(CenterLoss),
}

/// The center loss (Wen et al. 2016): the mean squared distance of an embedding to the center of its class.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct CenterLoss {
    /// How far a center moves to its class's embeddings in a step, 0.5.
    pub alpha: f64,
    /// Its weight beside the other loss, 1.
    pub factor: f64,
}

impl CenterLoss {
    /// The reference's values.
    pub const DEFAULT: Self = Self { alpha: 0.5, factor: 1.0 };
}

impl Loss {
    /// The name in the schedule's vocabulary.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Softmax { .. } => "softmax",
            Self::ScaleSoftmax { .. } => "scale_softmax",
            Self::MarginSoftmax { .. } => "margin_softmax",
            Self::Arcface { .. } => "arcface",
            Self::Arcface2 { .. } => "arcface_2",
            Self::BatchHardTriplet { .. } => "batch_hard_triplet",
            Self::BatchAllTriplet { .. } => "batch_all_triplet",
            Self::Center(_) => "center_loss",
        }
    }
}

impl Loss {
    /// The head whose output the loss works on; no loss works on two. The center loss works on none and has the batches
    /// of a softmax stage: see [`Loss::keeps_head`].
    pub const fn head(&self) -> HeadKind {
        match self {
            Self::Softmax { .. } | Self::ScaleSoftmax { .. } | Self::MarginSoftmax { .. } | Self::Center(_) => {
                HeadKind::Softmax
            }
            Self::Arcface { .. } | Self::Arcface2 { .. } => HeadKind::Arcface,
            Self::BatchHardTriplet { .. } | Self::BatchAllTriplet { .. } => HeadKind::Triplet,
        }
    }

    /// Whether a step may look at a part of the classes only: what it computes is a sum over classes.
    pub const fn can_sample(&self) -> bool {
        matches!(self, Self::Arcface { .. } | Self::Arcface2 { .. })
            || matches!(self, Self::Softmax { label_smoothing } if *label_smoothing == 0.0)
    }

    /// Whether the stage leaves the head as it is, whatever it is: the loss works on the embedding and takes single
    /// images.
    pub const fn keeps_head(&self) -> bool {
        matches!(self, Self::Center(_))
    }
}

/// The margins and the scale of both forms of ArcFace.
const ARCFACE: &[Parameter] = &[
    Parameter::number("margin1", &[], 1.0, Range::above_zero(8.0)),
    Parameter::number("margin2", &["margin"], 0.5, Range::closed(-3.2, 3.2)),
    Parameter::number("margin3", &[], 0.0, Range::closed(-1.0, 1.0)),
    Parameter::number("scale", &[], 64.0, Range::above_zero(1000.0)),
];

/// The parameters of the center loss.
const CENTER_PARAMETERS: &[Parameter] = &[
    Parameter::number("alpha", &[], CenterLoss::DEFAULT.alpha, Range::closed(0.0, 1.0)),
    Parameter::number("factor", &[], CenterLoss::DEFAULT.factor, Range::closed(0.0, 1000.0)),
];

/// All losses, in the order messages list them.
pub(super) const TABLE: &[Row<Loss>] = &[
    Row {
        name: Name::new("softmax", &["categorical_crossentropy", "softmax_loss"]),
        parameters: &[Parameter::number("label_smoothing", &[], 0.0, Range::SHARE)],
        build: |p| Loss::Softmax { label_smoothing: p[0] },
    },
    Row {
        name: Name::new("scale_softmax", &["scale_softmax_loss"]),
        parameters: &[Parameter::number("scale", &[], 64.0, Range::above_zero(1000.0))],
        build: |p| Loss::ScaleSoftmax { scale: p[0] },
    },
    Row {
        name: Name::new("margin_softmax", &["margin_softmax_loss"]),
        parameters: &[
            Parameter::number("power", &[], 2.0, Range::closed(1.0, 8.0)),
            Parameter::number("scale", &[], 0.4, Range::closed(0.0, 1.0)),
        ],
        build: |p| Loss::MarginSoftmax { power: p[0], scale: p[1] },
    },
    Row {
        name: Name::new("arcface", &["arcface_loss"]),
        parameters: ARCFACE,
        build: |p| Loss::Arcface { margin1: p[0], margin2: p[1], margin3: p[2], scale: p[3] },
    },
    Row {
        name: Name::new("arcface_2", &["arcface_loss_2"]),
        parameters: ARCFACE,
        build: |p| Loss::Arcface2 { margin1: p[0], margin2: p[1], margin3: p[2], scale: p[3] },
    },
    Row {
        name: Name::new("batch_hard_triplet", &["batch_hard_triplet_loss"]),
        parameters: &[Parameter::number("alpha", &["margin"], 0.35, Range::above_zero(2.0))],
        build: |p| Loss::BatchHardTriplet { alpha: p[0] },
    },
    Row {
        name: Name::new("batch_all_triplet", &["batch_all_triplet_loss"]),
        parameters: &[Parameter::number("alpha", &["margin"], 0.35, Range::above_zero(2.0))],
        build: |p| Loss::BatchAllTriplet { alpha: p[0] },
    },
    Row {
        name: CENTER_NAME,
        parameters: CENTER_PARAMETERS,
        build: |p| Loss::Center(CenterLoss { alpha: p[0], factor: p[1] }),
    },
];

/// What the center loss is called, also where it is added to another.
const CENTER_NAME: Name = Name::new("center_loss", &["center"]);

/// What `centerloss` of a stage may be.
pub(super) const CENTER: &[Row<CenterLoss>] =
    &[Row { name: CENTER_NAME, parameters: CENTER_PARAMETERS, build: |p| CenterLoss { alpha: p[0], factor: p[1] } }];

/// Accepted in the center loss and without effect: both follow from the data set and the network.
pub(super) const CENTER_SIZES: &[Name] =
    &[Name::new("num_classes", &["classes"]), Name::new("feature_dim", &["emb_shape"])];

/// Parameters without effect in the loss that is called `written`.
pub(super) fn ignored(written: &str) -> &'static [Name] {
    if CENTER_NAME.is(written) { CENTER_SIZES } else { &[] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_build_what_they_are_named_after() {
        for row in TABLE {
            let defaults: Vec<f64> = row.parameters.iter().map(|parameter| parameter.default).collect();
            assert_eq!((row.build)(&defaults).name(), row.name.name);
        }
    }
}
