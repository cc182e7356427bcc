//! Memory of a stage: foretold before it begins, the batch size that fits, and advice when there is too little.

pub mod advice;
pub mod auto_batch;
pub mod forecast;

pub use forecast::{BASE, Memory, Plan, in_words};
