//! The number formats a file may have.

/// Number format of a file's weights, and of what it computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Precision {
    /// fp32.
    #[default]
    Float32,
    /// Weights in fp16; computed in fp32, or in fp16 where a device has it.
    Float16,
    /// Weights and activations in int8.
    Int8,
}
