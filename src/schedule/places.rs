//! Where a schedule names its paths and its numbers of classes, for errors that only files at hand show.

use miette::Severity;

use super::problem::Problem;
use super::span::{At, Sources, Span};

/// A thing that a schedule names and that can only be judged with files at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// `model.file`.
    Model,
    /// `model.embedding`, or the file where that is not given.
    Embedding,
    /// A number of classes: an index into [`Loaded::classes`](super::Loaded::classes).
    Classes(usize),
}

/// Where a schedule names its paths.
#[derive(Debug, Clone)]
pub(super) struct Places {
    pub sources: Sources,
    pub train: Vec<Span>,
    pub bins: Vec<Span>,
    /// The saved model, or the file of a backbone's first weights.
    pub model: Option<Span>,
    pub embedding: Option<Span>,
    pub classes: Vec<At<u64>>,
}

impl Places {
    /// An error at the place of something; at the training set where that was not written.
    pub(super) fn error(&self, place: Place, message: String, label: String, help: String) -> Problem {
        let at = match place {
            Place::Model => self.model,
            Place::Embedding => self.embedding.or(self.model),
            Place::Classes(at) => self.classes.get(at).map(|said| said.at),
        };
        // There is a training set in every checked schedule.
        let start = Span { source: 0, start: 0, len: 0 };
        let at = at.or(self.train.first().copied()).unwrap_or(start);
        Problem::new(Severity::Error, &self.sources, at, message, label, Some(help))
    }
}
