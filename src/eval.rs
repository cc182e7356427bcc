//! Evaluation: how well embeddings tell the pairs of a bin apart, in the reference's figures and in those of papers; and
//! a saved network that makes embeddings. Training hands in the network it has, the commands read one ([`model`]).

pub mod decoded_bin;
pub mod detail;
pub mod embed;
pub mod error;
pub mod evaluate;
mod exported;
pub mod hardest_pairs;
pub mod metrics;
pub mod model;
pub mod pair_set;
pub mod roc;
pub mod similarity;
