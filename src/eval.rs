//! Evaluation: how well embeddings tell the pairs of a bin apart, in the reference's figures and in those of papers; and
//! a saved network that makes embeddings. Training hands in the network it has, the commands read one ([`model`]).
//!
//! | files | what |
//! |---|---|
//! | [`pair_set`], [`decoded_bin`] | the pairs to evaluate on: of a file or folder, of a bin held in memory by a run |
//! | [`model`], `exported`, [`embed`] | a saved network, or another program's, and the embeddings it makes |
//! | [`similarity`], [`metrics`], [`roc`] | similarities of pairs; accuracy, threshold and folds; false and true accept rates |
//! | [`evaluate`], [`detail`], [`hardest_pairs`] | all of it for one set; what a run keeps of a bin; the hardest pairs and their faces |

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
