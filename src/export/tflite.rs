//! TFLite: a network as a `.tflite` file in fp32, with fp16 weights, or in int8.
//!
//! A [`Lowered`](super::lower::Lowered) network becomes a [`model::Model`] of TFLite's operators (`build`), that may become
//! one with fp16 constants (`half`) or of integers (`ranges`, `quantize`), and that is written (`write`), read back
//! (`read`) and run (`run`, or by TFLite itself: `litert`) before the file is kept.

mod build;
mod half;
pub mod model;
pub mod op;
mod quantize;
mod ranges;
mod read;
mod run;
mod write;
