//! `facetui eval`: a saved model's figures on bins and folders of persons.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::exit_code::ExitCode;
use super::failure::Failure;
use super::output::{check_folder_of, say};
use super::saved_model::{self, ImageProgress, ModelArguments};
use crate::checkpoint::CheckpointError;
use crate::checkpoint::atomic::write_atomically;
use crate::eval::evaluate::{self, Evaluation};
use crate::eval::model::Model;
use crate::eval::pair_set::PairSet;
use crate::nn::device;
use crate::report::plot::Format;
use crate::report::{evaluation_table, roc_plot};

/// What to evaluate.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct Request {
    #[command(flatten)]
    model: ModelArguments,

    /// Evaluation bins, or folders with a folder of images for each person
    #[arg(required = true)]
    bins: Vec<PathBuf>,

    /// Print JSON
    #[arg(long)]
    json: bool,

    /// Also give the threshold for this false accept rate (may be repeated)
    #[arg(long, value_name = "RATE", value_parser = saved_model::rate)]
    far: Vec<f64>,

    /// Also write the JSON to this file
    #[arg(short, long, value_name = "FILE.json")]
    output: Option<PathBuf>,

    /// Draw the ROC curves to this .svg or .png file
    #[arg(long, value_name = "FILE.svg", value_parser = picture)]
    roc: Option<PathBuf>,

    /// Include the points of the ROC curves in the JSON
    #[arg(long)]
    points: bool,

    /// Pairs to draw from a folder of persons, half of them of one person
    #[arg(long, value_name = "N", default_value_t = 6000, value_parser = clap::value_parser!(u32).range(2..=10_000_000))]
    pairs: u32,

    /// Seed of those pairs: the same seed draws the same pairs
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
}

fn picture(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    match Format::of(&path) {
        Ok(_) => Ok(path),
        Err(_) => Err("expected a file that ends with .svg or .png".to_owned()),
    }
}

/// Evaluates the model. A set that cannot be used is reported, the others are evaluated; the exit code is then 1.
pub(super) fn eval(request: &Request) -> Result<(), Failure> {
    saved_model::caught(|| {
        for path in request.roc.iter().chain(&request.output) {
            // Told now rather than after the work.
            check_folder_of(path)?;
        }
        let model = request.model.load()?;
        let mut rates = evaluation_table::RATES.to_vec();
        rates.extend(&request.far);
        let (mut rows, mut failed) = (Vec::new(), false);
        for path in &request.bins {
            match one(request, &model, path, &rates) {
                Ok(row) => rows.push(row),
                Err(report) => {
                    failed = true;
                    let _ = writeln!(std::io::stderr(), "{report:?}");
                }
            }
        }
        if let Some(path) = request.roc.as_ref().filter(|_| !rows.is_empty()) {
            let title = request.model.model.display().to_string();
            roc_plot::write(&rows, &title, path).map_err(|error| Failure::Run(error.into()))?;
        }
        let value = value(request, &model, &rows);
        if let Some(path) = request.output.as_ref().filter(|_| !rows.is_empty()) {
            write_atomically(path, |temporary| {
                fs_err::write(temporary, format!("{value:#}\n"))
                    .map_err(|error| CheckpointError::Write { path: path.clone(), reason: error.to_string() })
            })
            .map_err(|error| Failure::Run(error.into()))?;
        }
        if request.json {
            say(&format!("{value:#}\n"));
        } else if !rows.is_empty() {
            say(&evaluation_table::text(&rows, &request.far));
        }
        if failed { Err(Failure::Told(ExitCode::Failed)) } else { Ok(()) }
    })
}

fn one(request: &Request, model: &Model, path: &Path, rates: &[f64]) -> Result<Evaluation, miette::Report> {
    let set = PairSet::open(path, request.pairs as usize, request.seed)?;
    let mut progress = ImageProgress::new(set.name.clone(), Some(set.items.len() as u64));
    let row = evaluate::evaluate(model, &set, request.model.batch(), rates, &mut progress)?;
    progress.finish();
    Ok(row)
}

/// What was found, as JSON.
fn value(request: &Request, model: &Model, rows: &[Evaluation]) -> serde_json::Value {
    let bins: Vec<_> = rows.iter().map(|row| evaluation_table::json(row, request.points)).collect();
    json!({
        "model": request.model.model.display().to_string(),
        "embedding": { "layer": model.layer(), "size": model.length() },
        "device": device::describe(model.device()),
        "bins": bins,
    })
}
