//! A [`Graph`](crate::graph::Graph) executed on libtorch.
//!
//! Tensors are logically NCHW and lie in memory channels-last (NHWC), weights too: on the CPU that is more than twice
//! as fast as NCHW. All trainable weights are views of one flat buffer ([`parameters`]), so that an optimiser step, a
//! gradient norm or a snapshot is a handful of kernels however many layers there are.

pub mod activation_memory;
pub mod counters;
pub mod device;
mod fusion;
pub mod init;
mod layers;
mod mode;
pub mod network;
mod norm_act;
pub mod parameters;
pub mod regularization;
pub mod sgd;

pub use mode::Mode;
pub use network::{HeadWeights, Network};
