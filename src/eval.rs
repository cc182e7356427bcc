//! Evaluation: how well embeddings tell the pairs of a bin apart, in the reference's figures. No network lives here: the
//! engine hands in a function from images to embeddings.

pub mod embed;
pub mod metrics;
