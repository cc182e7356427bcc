//! The optimisers of a schedule: their names, parameters and ranges. One row of [`TABLE`] each.
//!
//! Names and defaults are those of Keras 2, whose optimisers are now called `legacy`; `AdamW` is Keras's own, `SGDW` that
//! of TensorFlow Addons.

use serde::{Deserialize, Serialize};

use super::call::Call;
use super::names::Name;
use super::params::{Parameter, Row, given};
use super::range::Range;
use super::reader::Reader;

/// An optimiser: how it steps, and what happens to gradients and learning rate before. A learning rate that is given
/// fixes the rate of the stage's first step only in Keras; here as there the schedule's learning rate rules from epoch
/// to epoch.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Optimizer {
    /// How it steps.
    pub method: Method,
    /// What is done to gradients that are too long.
    pub clip: Clip,
    /// Keras's `decay`: the learning rate of step `t`, counted from 0, is divided by `1 + decay * t`; 0 leaves it.
    pub decay: f64,
}

/// The optimisers' rules, with Keras's hyper-parameters.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
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
        /// The second moment never falls.
        amsgrad: bool,
    },
    /// Nadam, as Keras 2 had it.
    Nadam {
        /// Decay of the first moment.
        beta_1: f64,
        /// Decay of the second moment.
        beta_2: f64,
        /// Added to the root of the second moment.
        epsilon: f64,
        /// How fast the momentum grows to its end: `beta_1 * (1 - 0.5 * 0.96^(schedule_decay * t))`.
        schedule_decay: f64,
    },
    /// `RMSprop`.
    RmsProp {
        /// Decay of the mean of the squared gradient.
        rho: f64,
        /// Share of the last step that is kept.
        momentum: f64,
        /// Added to the root of the mean; with momentum to the mean itself, as Keras has it.
        epsilon: f64,
        /// Take the variance of the gradient instead of its mean square.
        centered: bool,
    },
    /// Adam with decoupled weight decay (Loshchilov and Hutter 2019).
    AdamW {
        /// Decay of the first moment.
        beta_1: f64,
        /// Decay of the second moment.
        beta_2: f64,
        /// Added to the root of the second moment.
        epsilon: f64,
        /// The second moment never falls.
        amsgrad: bool,
        /// Share of every weight that a step takes off; times the learning rate, as in Keras, unless `fixed_decay`.
        weight_decay: f64,
        /// Take `weight_decay` itself, as TensorFlow Addons does.
        fixed_decay: bool,
    },
    /// SGD with decoupled weight decay, as TensorFlow Addons has it: the learning rate is not a factor of it.
    SgdW {
        /// Share of the last step that is kept, 0 to below 1.
        momentum: f64,
        /// Nesterov's form.
        nesterov: bool,
        /// Share of every weight that a step takes off.
        weight_decay: f64,
    },
}

/// What is done to gradients before a step, in this order. Keras takes one of `norm` and `global_norm` at most.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Clip {
    /// `clipvalue`: every element is brought into `-value..=value`.
    pub value: Option<f64>,
    /// `clipnorm`: the gradient of each weight is shortened to this length.
    pub norm: Option<f64>,
    /// `global_clipnorm`: the gradient of all weights together is shortened to this length.
    pub global_norm: Option<f64>,
}

impl Optimizer {
    /// What the reference compiles with when the first stage names none: Adam with Keras's values.
    pub const FIRST: Self = Self::ADAM;

    /// Adam with Keras's values.
    pub const ADAM: Self = Self::new(Method::Adam { beta_1: 0.9, beta_2: 0.999, epsilon: 1e-7, amsgrad: false });

    /// Nadam with Keras's values.
    pub const NADAM: Self =
        Self::new(Method::Nadam { beta_1: 0.9, beta_2: 0.999, epsilon: 1e-7, schedule_decay: 0.004 });

    /// A rule without clipping.
    pub const fn new(method: Method) -> Self {
        Self { method, clip: Clip { value: None, norm: None, global_norm: None }, decay: 0.0 }
    }

    /// SGD.
    pub const fn sgd(momentum: f64, nesterov: bool) -> Self {
        Self::new(Method::Sgd { momentum, nesterov })
    }

    /// The name in the schedule's vocabulary.
    pub const fn name(&self) -> &'static str {
        match self.method {
            Method::Sgd { .. } => "sgd",
            Method::Adam { .. } => "adam",
            Method::Nadam { .. } => "nadam",
            Method::RmsProp { .. } => "rmsprop",
            Method::AdamW { .. } => "adamw",
            Method::SgdW { .. } => "sgdw",
        }
    }

    /// A rule with the values of [`CLIPNORM`], [`CLIPVALUE`], [`GLOBAL_CLIPNORM`] and, where it has it, [`DECAY`].
    fn with(method: Method, common: &[f64]) -> Self {
        let clip = Clip { norm: given(common[0]), value: given(common[1]), global_norm: given(common[2]) };
        Self { method, clip, decay: common.get(3).copied().unwrap_or(0.0) }
    }
}

const BETA_1: Parameter = Parameter::number("beta_1", &[], 0.9, Range::SHARE);
const BETA_2: Parameter = Parameter::number("beta_2", &[], 0.999, Range::SHARE);
const EPSILON: Parameter = Parameter::number("epsilon", &["eps"], 1e-7, Range::above_zero(1.0));
const MOMENTUM: Parameter = Parameter::number("momentum", &[], 0.0, Range::SHARE);
const CLIPNORM: Parameter = Parameter::optional("clipnorm", Range::above_zero(1e9));
const CLIPVALUE: Parameter = Parameter::optional("clipvalue", Range::above_zero(1e9));
const GLOBAL_CLIPNORM: Parameter = Parameter::optional("global_clipnorm", Range::above_zero(1e9));
const DECAY: Parameter = Parameter::number("decay", &[], 0.0, Range::closed(0.0, 1.0));

/// All optimisers, in the order messages list them. Keras's newer ones, `AdamW` among them, have no `decay`, and Nadam's
/// is another thing.
pub(super) const TABLE: &[Row<Optimizer>] = &[
    Row {
        name: Name::new("sgd", &[]),
        parameters: &[MOMENTUM, Parameter::flag("nesterov"), CLIPNORM, CLIPVALUE, GLOBAL_CLIPNORM, DECAY],
        build: |p| Optimizer::with(Method::Sgd { momentum: p[0], nesterov: p[1] != 0.0 }, &p[2..]),
    },
    Row {
        name: Name::new("adam", &[]),
        parameters: &[BETA_1, BETA_2, EPSILON, Parameter::flag("amsgrad"), CLIPNORM, CLIPVALUE, GLOBAL_CLIPNORM, DECAY],
        build: |p| {
            let method = Method::Adam { beta_1: p[0], beta_2: p[1], epsilon: p[2], amsgrad: p[3] != 0.0 };
            Optimizer::with(method, &p[4..])
        },
    },
    Row {
        name: Name::new("nadam", &[]),
        parameters: &[
            BETA_1,
            BETA_2,
            EPSILON,
            Parameter::number("schedule_decay", &[], 0.004, Range::closed(0.0, 1.0)),
            CLIPNORM,
            CLIPVALUE,
            GLOBAL_CLIPNORM,
        ],
        build: |p| {
            let method = Method::Nadam { beta_1: p[0], beta_2: p[1], epsilon: p[2], schedule_decay: p[3] };
            Optimizer::with(method, &p[4..])
        },
    },
    Row {
        name: Name::new("rmsprop", &[]),
        parameters: &[
            Parameter::number("rho", &[], 0.9, Range::SHARE),
            MOMENTUM,
            EPSILON,
            Parameter::flag("centered"),
            CLIPNORM,
            CLIPVALUE,
            GLOBAL_CLIPNORM,
            DECAY,
        ],
        build: |p| {
            let method = Method::RmsProp { rho: p[0], momentum: p[1], epsilon: p[2], centered: p[3] != 0.0 };
            Optimizer::with(method, &p[4..])
        },
    },
    Row {
        name: Name::new("adamw", &[]),
        parameters: &[
            Parameter::number("weight_decay", &[], 0.004, Range::SHARE),
            Parameter::flag("fixed_decay"),
            BETA_1,
            BETA_2,
            EPSILON,
            Parameter::flag("amsgrad"),
            CLIPNORM,
            CLIPVALUE,
            GLOBAL_CLIPNORM,
        ],
        build: |p| {
            let method = Method::AdamW {
                weight_decay: p[0],
                fixed_decay: p[1] != 0.0,
                beta_1: p[2],
                beta_2: p[3],
                epsilon: p[4],
                amsgrad: p[5] != 0.0,
            };
            Optimizer::with(method, &p[6..])
        },
    },
    Row {
        name: Name::new("sgdw", &[]),
        parameters: &[
            Parameter::optional("weight_decay", Range::SHARE),
            MOMENTUM,
            Parameter::flag("nesterov"),
            CLIPNORM,
            CLIPVALUE,
            GLOBAL_CLIPNORM,
            DECAY,
        ],
        build: |p| {
            let method = Method::SgdW { weight_decay: p[0], momentum: p[1], nesterov: p[2] != 0.0 };
            Optimizer::with(method, &p[3..])
        },
    },
];

/// Accepted in an optimiser and without effect: the schedule's own learning rate rules.
const LEARNING_RATE: &[Name] = &[Name::new("learning_rate", &["lr"])];

/// The optimiser that `call` asks for; what is wrong with it is noted.
pub(super) fn check(call: &Call, reader: &mut Reader) -> Option<Optimizer> {
    let decoupled = TABLE[4..].iter().any(|row| row.name.is(&call.name.value));
    if let Some(unnamed) = call.arguments.iter().find(|argument| decoupled && argument.name.is_none()) {
        reader.problems.error(
            unnamed.value.at,
            format!("a parameter of `{}` has no name", call.name.value),
            "is it the learning rate or the weight decay?",
            "Keras and TensorFlow Addons differ here: write weight_decay=...; the learning rate is the schedule's"
                .to_owned(),
        );
        return None;
    }
    let read = super::params::read(reader, "optimizer", call, TABLE, LEARNING_RATE)?;
    let optimizer = read.value;
    for at in read.ignored {
        reader.problems.warn(
            at,
            format!("the learning rate of `{}` has no effect", optimizer.name()),
            "the schedule's `learning_rate` rules from epoch to epoch",
            "set it there: learning_rate: {base: 0.001, decay: 0.05, hold: 10}".to_owned(),
        );
    }
    let at = call.name.at;
    if optimizer.clip.norm.is_some() && optimizer.clip.global_norm.is_some() {
        reader.problems.error(
            at,
            "`clipnorm` and `global_clipnorm` exclude each other",
            "both are given",
            "keep `clipnorm` to shorten the gradient of each weight, `global_clipnorm` for that of all together"
                .to_owned(),
        );
        return None;
    }
    match optimizer.method {
        Method::SgdW { weight_decay, .. } if weight_decay.is_nan() => {
            reader.problems.error(
                at,
                "`sgdw` does not say how much the weights decay",
                "`weight_decay` is missing",
                "for instance optimizer: {sgdw: {weight_decay: 0.0005, momentum: 0.9}}".to_owned(),
            );
            return None;
        }
        Method::Sgd { momentum: 0.0, nesterov: true } | Method::SgdW { momentum: 0.0, nesterov: true, .. } => {
            reader.problems.warn(
                at,
                "`nesterov` changes nothing without momentum",
                "`momentum` is 0",
                "for instance optimizer: {sgd: {momentum: 0.9, nesterov: true}}".to_owned(),
            );
        }
        _ => {}
    }
    Some(optimizer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_build_what_they_are_named_after() {
        for row in TABLE {
            let defaults: Vec<f64> = row.parameters.iter().map(|parameter| parameter.default).collect();
            let built = (row.build)(&defaults);
            assert_eq!(built.name(), row.name.name);
            assert_eq!((built.clip, built.decay), (Clip::default(), 0.0));
        }
        let defaults = |row: usize| -> Vec<f64> { TABLE[row].parameters.iter().map(|p| p.default).collect() };
        assert_eq!((TABLE[1].build)(&defaults(1)), Optimizer::FIRST);
        assert_eq!((TABLE[2].build)(&defaults(2)), Optimizer::NADAM);
    }

    #[test]
    fn every_parameter_lands_in_its_place() {
        for row in TABLE {
            let distinct: Vec<f64> = (1..=row.parameters.len()).map(|place| place as f64 / 100.0).collect();
            let base = (row.build)(&distinct);
            for place in 0..distinct.len() {
                let mut changed = distinct.clone();
                changed[place] =
                    if matches!(row.parameters[place].kind, super::super::params::Kind::Flag) { 0.0 } else { 0.5 };
                assert_ne!((row.build)(&changed), base, "{} {}", row.name.name, row.parameters[place].name.name);
            }
        }
    }

    fn stage_optimizer(text: &str) -> Result<(Optimizer, usize), String> {
        let text = format!(
            "model: {{backbone: mobilefacenet}}\ndata: {{train: x, bins: []}}\nstages:\n  - {{epochs: 1, loss: softmax, optimizer: {text}}}\n"
        );
        match crate::schedule::parse("x.yaml", &text, &[], &|_| None) {
            Ok(loaded) => Ok((loaded.schedule.stages[0].optimizer.expect("one"), loaded.warnings.len())),
            Err(error) => Err(format!("{:?}", miette::Report::new(error))),
        }
    }

    #[test]
    fn keras_spellings_are_understood() {
        let adamw = |weight_decay, fixed_decay| {
            let (beta_1, beta_2, epsilon, amsgrad) = (0.9, 0.999, 1e-7, false);
            Optimizer::new(Method::AdamW { beta_1, beta_2, epsilon, amsgrad, weight_decay, fixed_decay })
        };
        let rmsprop = Method::RmsProp { rho: 0.9, momentum: 0.0, epsilon: 1e-7, centered: true };
        let clip = Clip { norm: Some(2.0), ..Clip::default() };
        for (written, wanted, warnings) in [
            ("nadam", Optimizer::NADAM, 0),
            ("\"keras.optimizers.SGD(0.001, momentum=0.9)\"", Optimizer::sgd(0.9, false), 1),
            ("\"keras.optimizers.SGD(momentum=0.9, nesterov=True)\"", Optimizer::sgd(0.9, true), 0),
            ("\"RMSprop(centered=True)\"", Optimizer::new(rmsprop), 0),
            ("\"keras.optimizers.AdamW(learning_rate=0.1, weight_decay=0.01)\"", adamw(0.01, false), 1),
            ("{adamw: {weight_decay: 0.01, fixed_decay: true}}", adamw(0.01, true), 0),
            ("AdamW", adamw(0.004, false), 0),
            ("{adam: {clipnorm: 2, clipvalue: null}}", Optimizer { clip, ..Optimizer::ADAM }, 0),
            ("\"Adam(clipnorm=2.0, clipvalue=None)\"", Optimizer { clip, ..Optimizer::ADAM }, 0),
            (
                "\"tfa.optimizers.SGDW(weight_decay=5e-4, momentum=0.9)\"",
                Optimizer::new(Method::SgdW { momentum: 0.9, nesterov: false, weight_decay: 5e-4 }),
                0,
            ),
        ] {
            // A schedule without bins warns of that alone, unless it says so; a learning rate is one more.
            assert_eq!(stage_optimizer(written), Ok((wanted, warnings)), "{written}");
        }
    }

    #[test]
    fn mistakes_are_named() {
        for (written, words) in [
            ("sgdw", "`weight_decay` is missing"),
            ("\"SGDW(0.1, momentum=0.9)\"", "is it the learning rate or the weight decay?"),
            ("{adam: {clipnorm: 1, global_clipnorm: 1}}", "exclude each other"),
            ("{adam: {clipnorm: 0}}", "above 0 up to"),
            ("{rmsprop: {roh: 0.9}}", "did you mean `rho`?"),
            ("{nadam: {decay: 0.1}}", "has no parameter `decay`"),
            ("adamx", "did you mean `adam`?"),
        ] {
            let said = stage_optimizer(written).expect_err(written);
            assert!(said.contains(words), "{written}: {said}");
        }
    }
}
