//! The optimisers of a schedule: their names, parameters and ranges. One row of [`TABLE`] each.

use super::names::Name;
use super::params::{Parameter, Row};
use super::range::Range;

/// The optimisers, with Keras's hyper-parameters. A learning rate that is given fixes the rate of the stage's first
/// step only in Keras; here as there the schedule's learning rate rules from epoch to epoch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Optimizer {
    /// Stochastic gradient descent.
    Sgd {
        /// Share of the last step that is kept, 0 to below 1.
        momentum: f64,
        /// Nesterov's form.
        nesterov: bool,
    },
    /// Adam.
    Adam {
        /// Decay of the first moment.
        beta_1: f64,
        /// Decay of the second moment.
        beta_2: f64,
        /// Added to the root of the second moment.
        epsilon: f64,
    },
    /// Nadam, as Keras 2 had it (momentum schedule 0.96^(0.004 t)).
    Nadam {
        /// Decay of the first moment.
        beta_1: f64,
        /// Decay of the second moment.
        beta_2: f64,
        /// Added to the root of the second moment.
        epsilon: f64,
    },
}

impl Optimizer {
    /// The name in the schedule's vocabulary.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Sgd { .. } => "sgd",
            Self::Adam { .. } => "adam",
            Self::Nadam { .. } => "nadam",
        }
    }
}

impl Optimizer {
    /// What the reference compiles with when the first stage names none: Adam with Keras's values.
    pub const FIRST: Self = Self::Adam { beta_1: 0.9, beta_2: 0.999, epsilon: 1e-7 };
}

/// The parameters of Adam and Nadam.
const MOMENTS: &[Parameter] = &[
    Parameter::number("beta_1", &[], 0.9, Range::SHARE),
    Parameter::number("beta_2", &[], 0.999, Range::SHARE),
    Parameter::number("epsilon", &["eps"], 1e-7, Range::above_zero(1.0)),
];

/// All optimisers, in the order messages list them.
pub(super) const TABLE: &[Row<Optimizer>] = &[
    Row {
        name: Name::new("sgd", &[]),
        parameters: &[Parameter::number("momentum", &[], 0.0, Range::SHARE), Parameter::flag("nesterov")],
        build: |p| Optimizer::Sgd { momentum: p[0], nesterov: p[1] != 0.0 },
    },
    Row {
        name: Name::new("adam", &[]),
        parameters: MOMENTS,
        build: |p| Optimizer::Adam { beta_1: p[0], beta_2: p[1], epsilon: p[2] },
    },
    Row {
        name: Name::new("nadam", &[]),
        parameters: MOMENTS,
        build: |p| Optimizer::Nadam { beta_1: p[0], beta_2: p[1], epsilon: p[2] },
    },
];

/// Accepted in an optimiser and without effect: the schedule's own learning rate rules.
pub(super) const LEARNING_RATE: &[Name] = &[Name::new("learning_rate", &["lr"])];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_build_what_they_are_named_after() {
        for row in TABLE {
            let defaults: Vec<f64> = row.parameters.iter().map(|parameter| parameter.default).collect();
            assert_eq!((row.build)(&defaults).name(), row.name.name);
        }
        let adam: Vec<f64> = MOMENTS.iter().map(|parameter| parameter.default).collect();
        assert_eq!((TABLE[1].build)(&adam), Optimizer::FIRST);
    }
}
