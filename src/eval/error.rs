//! Why there are no embeddings or figures.

use miette::Diagnostic;
use thiserror::Error;

use super::similarity::MetricsError;
use crate::data::items::ItemsError;

/// Why there are no embeddings or figures.
#[derive(Debug, Error, Diagnostic)]
pub enum EvalError {
    /// The images cannot be listed.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Items(#[from] ItemsError),
    /// No threads.
    #[error("no decoding thread can be started: {0}")]
    Threads(#[from] std::io::Error),
    /// A model of another format that fails on the way.
    #[error("the model cannot be run: {0}")]
    Model(String),
    /// A bin that is not whole.
    #[error("{name} {reason}")]
    #[diagnostic(help("the bin is damaged: fetch it again"))]
    Image {
        /// The image and its bin.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The embeddings give no figures.
    #[error("`{name}`: {source}")]
    Figures {
        /// The set.
        name: String,
        /// Why not.
        source: MetricsError,
    },
}
