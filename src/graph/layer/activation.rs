//! Element-wise functions, and softmax, under Keras's names.

/// Element-wise functions, and softmax.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Activation {
    /// The identity.
    Linear,
    /// `max(x, 0)`.
    Relu,
    /// `min(max(x, 0), 6)`.
    Relu6,
    /// `max(x, 0) + slope * min(x, 0)`.
    LeakyRelu(f64),
    /// `x` above 0, `alpha * (exp(x) - 1)` below.
    Elu(f64),
    /// The self-normalising ELU (Klambauer et al. 2017).
    Selu,
    /// `ln(1 + exp(x))`.
    Softplus,
    /// `x / (1 + |x|)`.
    Softsign,
    /// `exp(x)`.
    Exponential,
    /// `1 / (1 + exp(-x))`.
    Sigmoid,
    /// Keras 2's `clip(0.2 x + 0.5, 0, 1)`.
    HardSigmoid,
    /// Keras 3's `min(max(x + 3, 0), 6) / 6`.
    HardSigmoid6,
    /// `x * sigmoid(x)`, also called silu.
    Swish,
    /// `x * min(max(x + 3, 0), 6) / 6`, also called hard silu.
    HardSwish,
    /// `x * tanh(softplus(x))`.
    Mish,
    /// `tanh(x)`.
    Tanh,
    /// `x * Phi(x)` with the normal distribution's `Phi` itself.
    Gelu,
    /// `x * Phi(x)` by its tanh approximation.
    GeluTanh,
    /// Over the last axis.
    Softmax,
}

/// The slope of Keras's `leaky_relu` by name.
const LEAKY_SLOPE: f64 = 0.2;

/// All with Keras's names; the first name of each is its own. Keras 3 gives `hard_sigmoid` to another function.
const NAMES: [(&str, Activation); 27] = [
    ("linear", Activation::Linear),
    ("relu", Activation::Relu),
    ("relu6", Activation::Relu6),
    ("relu_6", Activation::Relu6),
    ("leaky_relu", Activation::LeakyRelu(LEAKY_SLOPE)),
    ("elu", Activation::Elu(1.0)),
    ("selu", Activation::Selu),
    ("softplus", Activation::Softplus),
    ("softsign", Activation::Softsign),
    ("exponential", Activation::Exponential),
    ("exp", Activation::Exponential),
    ("sigmoid", Activation::Sigmoid),
    ("hard_sigmoid", Activation::HardSigmoid),
    ("hard_sigmoid_6", Activation::HardSigmoid6),
    ("swish", Activation::Swish),
    ("silu", Activation::Swish),
    ("hard_swish", Activation::HardSwish),
    ("hard_silu", Activation::HardSwish),
    ("HardSwish", Activation::HardSwish),
    ("h_swish", Activation::HardSwish),
    ("mish", Activation::Mish),
    ("tanh", Activation::Tanh),
    ("gelu", Activation::Gelu),
    ("gelu_exact", Activation::Gelu),
    ("gelu_tanh", Activation::GeluTanh),
    ("softmax", Activation::Softmax),
    ("identity", Activation::Linear),
];

impl Activation {
    /// Its name: Keras's own where Keras has one, whatever parameter it carries.
    pub fn name(self) -> &'static str {
        let same = |known: &Self| std::mem::discriminant(known) == std::mem::discriminant(&self);
        NAMES.iter().find(|(_, known)| same(known)).map_or("linear", |(name, _)| name)
    }

    /// The activation of a name in a file of Keras 2 or of Keras 3.
    pub fn from_name(name: &str, keras3: bool) -> Option<Self> {
        let activation = NAMES.iter().find(|(known, _)| *known == name).map(|(_, activation)| *activation);
        match activation {
            Some(Self::HardSigmoid) if keras3 => Some(Self::HardSigmoid6),
            activation => activation,
        }
    }

    /// Whether Keras 2.12, `tf_keras` and Keras 3 all know it by [`Activation::name`] and compute the same.
    pub fn is_portable(self) -> bool {
        match self {
            Self::Elu(alpha) => (alpha - 1.0).abs() < f64::EPSILON,
            Self::Relu6
            | Self::LeakyRelu(_)
            | Self::HardSigmoid
            | Self::HardSigmoid6
            | Self::HardSwish
            | Self::Mish
            | Self::GeluTanh => false,
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back() {
        for (_, activation) in NAMES {
            assert_eq!(Activation::from_name(activation.name(), false), Some(activation));
        }
        assert_eq!(Activation::from_name("hard_sigmoid", true), Some(Activation::HardSigmoid6));
        assert_eq!(Activation::LeakyRelu(0.3).name(), "leaky_relu");
        assert_eq!(Activation::from_name("sparsemax", true), None);
    }
}
