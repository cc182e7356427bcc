//! Optimisers, as Keras 2 computes them.

pub mod clip;
pub mod optimizer;
pub mod restore;

pub use optimizer::OptimizerState;
