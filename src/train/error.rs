//! What ends a run before its time: a sentence, and what to do about it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use miette::Diagnostic;
use thiserror::Error;

use crate::event::Outcome;

/// How the message begins when libtorch finds no memory.
const OUT_OF_MEMORY: &str = "out of memory";

/// Why a run cannot continue.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct TrainError {
    /// What happened, with names and places.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// Where the loss became NaN or infinite, when that is what happened.
    pub diverged: Option<Diverged>,
}

/// The batch whose loss became NaN or infinite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Diverged {
    /// The epoch, by the address of everything random.
    pub drawn: u32,
    /// The batch of its order, from 1.
    pub batch: usize,
}

impl TrainError {
    /// An error without advice.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), help: None, diverged: None }
    }

    /// Adds advice.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Takes over an error of a lower room, its causes and its advice.
    pub fn from_diagnostic(error: &dyn Diagnostic) -> Self {
        let mut message = error.to_string();
        let mut source = std::error::Error::source(error);
        while let Some(cause) = source {
            let cause_text = cause.to_string();
            if !message.contains(&cause_text) {
                message = format!("{message}: {cause_text}");
            }
            source = cause.source();
        }
        Self { message, help: error.help().map(|help| help.to_string()), diverged: None }
    }

    /// The error of a loss or weights that are NaN or infinite: `what` at `step` of the epoch.
    pub fn diverged(what: &str, step: u64, at: Diverged) -> Self {
        let error = Self::new(format!("{what} at step {step} of the epoch")).with_help(
            "the newest state on disk is from before that: train the schedule again with a lower `learning_rate` and \
             `--resume-changed`, or begin with a softmax stage before arcface; `recovery` in the schedule does so by itself",
        );
        Self { diverged: Some(at), ..error }
    }

    /// Whether libtorch found no memory.
    pub fn is_out_of_memory(&self) -> bool {
        self.message.starts_with(OUT_OF_MEMORY)
    }

    /// Makes an error of what a panicking thread left behind: libtorch's errors come this way.
    pub fn from_panic(panic: &(dyn std::any::Any + Send)) -> Self {
        let text = panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string))
            .unwrap_or_else(|| "the engine panicked without a message".to_owned());
        let text = plain(&text);
        let lower = text.to_lowercase();
        if ["out of memory", "can't allocate memory", "bad_alloc"].iter().any(|words| lower.contains(words)) {
            return Self::new(format!("{OUT_OF_MEMORY}: {text}"))
                .with_help("lower `batch_size` in the schedule, or `--set batch_size=...`, or `batch_size: auto`");
        }
        Self::new(text)
    }
}

impl From<TrainError> for Outcome {
    fn from(error: TrainError) -> Self {
        Self::Failed { error: error.message, help: error.help }
    }
}

/// The first sentence of a libtorch message, without its C++ stack and without Rust's `Result::unwrap` frame.
fn plain(text: &str) -> String {
    let text = text.strip_prefix("called `Result::unwrap()` on an `Err` value: ").unwrap_or(text);
    let text = text.strip_prefix("Torch(\"").unwrap_or(text);
    let ends = ["\\nException raised", "\nException raised", "\\nframe #0", "\nframe #0"];
    let text = &text[..ends.iter().filter_map(|end| text.find(end)).min().unwrap_or(text.len())];
    // "batch normalisation failed: [enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: ..."
    let check =
        text.split_once("[enforce fail at ").and_then(|(before, rest)| Some((before, rest.split_once(". ")?.1)));
    let text = check.map_or_else(|| text.to_owned(), |(before, after)| format!("{before}{after}"));
    text.replace("\\n", " ").trim().to_owned()
}

/// Runs a part of the training; a panic of it is an error like any other.
///
/// # Errors
/// What the part ended with.
pub fn caught<T>(part: impl FnOnce() -> Result<T, TrainError>) -> Result<T, TrainError> {
    catch_unwind(AssertUnwindSafe(part)).unwrap_or_else(|panic| Err(TrainError::from_panic(&*panic)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torch_panic_becomes_a_sentence() {
        let panic: Box<dyn std::any::Any + Send> = Box::new(
            "called `Result::unwrap()` on an `Err` value: Torch(\"mat1 and mat2 shapes cannot be multiplied (2x3 and 4x5)\\nException raised from addmm at ...\")"
                .to_owned(),
        );
        let error = TrainError::from_panic(&*panic);
        assert_eq!(error.message, "mat1 and mat2 shapes cannot be multiplied (2x3 and 4x5)");
    }

    #[test]
    fn memory_gets_advice() {
        let panic: Box<dyn std::any::Any + Send> =
            Box::new("Torch(\"CUDA out of memory. Tried to allocate 2 GiB\")".to_owned());
        let error = TrainError::from_panic(&*panic);
        assert!(error.is_out_of_memory());
        assert!(error.help.is_some_and(|help| help.contains("batch_size")));
        let panic: Box<dyn std::any::Any + Send> = Box::new(
            "called `Result::unwrap()` on an `Err` value: Torch(\"[enforce fail at alloc_cpu.cpp:127] err == 0. \
             DefaultCPUAllocator: can't allocate memory: you tried to allocate 640 bytes. Error code 12 (Cannot allocate \
             memory)\\nframe #0: c10::ThrowEnforceNotMet(char const*, int) + 0x6a (0x7f20972c2d6a in libc10.so)\")"
                .to_owned(),
        );
        let error = TrainError::from_panic(&*panic);
        assert!(error.is_out_of_memory());
        let words = "DefaultCPUAllocator: can't allocate memory: you tried to allocate 640 bytes. Error code 12";
        assert_eq!(error.message, format!("out of memory: {words} (Cannot allocate memory)"));
    }
}
