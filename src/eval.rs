//! Evaluation: how well embeddings tell the pairs of a bin apart, in the reference's figures and in those of papers; and
//! a saved network that makes embeddings. Training hands in the network it has, the commands read one ([`model`]).

pub mod detail;
pub mod embed;
mod exported;
pub mod measure;
pub mod measuring;
pub mod metrics;
pub mod model;
pub mod pairs;
pub mod roc;
