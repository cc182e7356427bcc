//! What the commands that use a saved model share: its arguments, loading it, hearing about its images.

use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::Instant;

use clap::Args;

use super::failure::Failure;
use super::progress::Progress;
use crate::data::items::Item;
use crate::eval::embed::{Counts, Listener};
use crate::eval::model::Model;
use crate::schedule::{DeviceChoice, EmbeddingLayer};
use crate::train::error::TrainError;

/// A saved model and how to run it.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct ModelArguments {
    /// The model: a Keras .h5 file, with or without its head; an .onnx file; or a .tflite file that facetui wrote
    pub(super) model: PathBuf,

    /// The layer whose output is the embedding, by name or by position (-2: the last but one); by default the input of
    /// the head, or the output if there is no head. For an .onnx file, the name of a value
    #[arg(long, value_name = "LAYER|INDEX", allow_hyphen_values = true, value_parser = embedding)]
    embedding: Option<EmbeddingLayer>,

    /// Device: auto, cpu, cuda or cuda:N
    #[arg(long, default_value = "auto", value_parser = device)]
    device: DeviceChoice,

    /// Batch size: images that go through the network at a time
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    batch: u32,
}

impl ModelArguments {
    /// Reads the model and lays it onto the device.
    pub(super) fn load(&self) -> Result<Model, Failure> {
        let model = Model::load(&self.model, self.embedding.as_ref(), self.device);
        let model = model.map_err(|error| Failure::Run(error.into()))?;
        if let Some(note) = model.note() {
            let _ = writeln!(std::io::stderr(), "{note}");
        }
        Ok(model)
    }

    /// Images that go through the network at a time.
    pub(super) const fn batch(&self) -> usize {
        self.batch as usize
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the form that clap expects")]
fn embedding(text: &str) -> Result<EmbeddingLayer, std::convert::Infallible> {
    Ok(text.parse().map_or_else(|_name| EmbeddingLayer::Name(text.to_owned()), EmbeddingLayer::Index))
}

fn device(text: &str) -> Result<DeviceChoice, String> {
    match text.split_once(':') {
        None if text == "auto" => Ok(DeviceChoice::Auto),
        None if text == "cpu" => Ok(DeviceChoice::Cpu),
        None if text == "cuda" => Ok(DeviceChoice::Cuda(0)),
        Some(("cuda", number)) => {
            number.parse().map(DeviceChoice::Cuda).map_err(|_wrong| format!("`{number}` is not the number of a GPU"))
        }
        _ => Err("expected auto, cpu, cuda or cuda:N".to_owned()),
    }
}

/// A share above 0 and below 1.
pub(super) fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate > 0.0 && rate < 1.0 => Ok(rate),
        _ => Err("expected a rate above 0 and below 1, for example 1e-3".to_owned()),
    }
}

/// Runs what may call libtorch; a panic of it is an error like any other.
pub(super) fn caught<T>(part: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let result = catch_unwind(AssertUnwindSafe(part));
    std::panic::set_hook(print);
    result.unwrap_or_else(|panic| {
        let error = TrainError::from_panic(&*panic);
        Err(Failure::Run(match error.help {
            Some(_) => miette::miette!(help = "lower --batch", "{}", error.message),
            None => miette::miette!("the model cannot be run: {}", error.message),
        }))
    })
}

/// Tells of images on the standard error.
pub(super) struct ImageProgress {
    progress: Progress,
    what: String,
    /// Images there will be, where that is known.
    total: Option<u64>,
    started: Instant,
    last: Counts,
}

impl ImageProgress {
    /// `what` is being done, as in `embedding`.
    pub(super) fn new(what: impl Into<String>, total: Option<u64>) -> Self {
        let (progress, started) = (Progress::new(), Instant::now());
        Self { progress, what: what.into(), total, started, last: Counts::default() }
    }

    /// Tells the last figures.
    pub(super) fn finish(&self) {
        self.progress.tell(|| self.text(), true);
    }

    fn text(&self) -> String {
        let of = self.total.map_or_else(String::new, |total| format!(" of {total}"));
        let speed = self.last.images as f64 / self.started.elapsed().as_secs_f64().max(1e-3);
        format!("{}: {}{of} images, {speed:.0} images/s", self.what, self.last.images)
    }
}

impl Listener for ImageProgress {
    fn done(&mut self, counts: Counts) {
        self.last = counts;
        self.progress.tell(|| self.text(), false);
    }

    fn bad(&mut self, item: &Item, reason: &str) {
        self.progress.line(&format!("`{}` {reason}", item.name()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_become_layers_devices_and_rates() {
        assert_eq!(embedding("-2"), Ok(EmbeddingLayer::Index(-2)));
        assert_eq!(embedding("embedding"), Ok(EmbeddingLayer::Name("embedding".into())));
        assert_eq!(device("cuda:3"), Ok(DeviceChoice::Cuda(3)));
        assert!(device("tpu").is_err() && device("cuda:x").is_err());
        assert_eq!(rate("1e-3"), Ok(1e-3));
        assert!(rate("0").is_err() && rate("1").is_err() && rate("nan").is_err());
    }
}
