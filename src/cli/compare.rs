//! `facetui compare`: how alike faces are, and whether they are one person's at a threshold.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::failure::Failure;
use super::output::say;
use super::saved_model::{self, ImageProgress, ModelArguments};
use crate::data::items::{Item, Items, ItemsError};
use crate::eval::embed::{Embedding, embed_items};
use crate::eval::error::EvalError;
use crate::eval::evaluate::evaluate;
use crate::eval::model::Model;
use crate::eval::pair_set::PairSet;

/// Images that are compared with one another; the matrix has their square of numbers.
const MOST: usize = 2000;

/// What to compare.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct Request {
    #[command(flatten)]
    model: ModelArguments,

    /// Images, or folders of images
    #[arg(required = true)]
    images: Vec<PathBuf>,

    /// The cosine similarity above which two images show one person; by default the threshold that the model's file has
    /// for its last bin
    #[arg(long, value_name = "SIMILARITY", allow_hyphen_values = true, value_parser = similarity)]
    threshold: Option<f64>,

    /// Take the threshold from this evaluation bin: that of its best accuracy, or that of --far
    #[arg(long, value_name = "BIN", conflicts_with = "threshold")]
    bin: Option<PathBuf>,

    /// The false accept rate that the threshold of the bin is chosen for
    #[arg(long, value_name = "RATE", requires = "bin", value_parser = saved_model::rate)]
    far: Option<f64>,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn similarity(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if (-1.0..=1.0).contains(&value) => Ok(value),
        _ => Err("expected a cosine similarity, from -1 to 1".to_owned()),
    }
}

/// Images and how alike they are.
struct Compared {
    names: Vec<String>,
    /// None where one of the two cannot be used.
    similarities: Vec<Vec<Option<f64>>>,
    threshold: Option<f64>,
    /// The bin of the file whose threshold it is.
    of: Option<String>,
}

/// Compares images, each as evaluation does: the mean with the mirror image, scaled to length 1.
pub(super) fn compare(request: &Request) -> Result<(), Failure> {
    saved_model::caught(|| {
        let items: Vec<Result<Item, ItemsError>> =
            Items::new(request.images.clone(), std::io::stdin().lock()).take(MOST + 1).collect();
        if items.len() > MOST {
            return Err(Failure::Usage(miette::miette!(
                help = "`facetui embed` writes the embeddings of any number of images",
                "more than {MOST} images are too many to compare with one another"
            )));
        }
        let model = request.model.load()?;
        let (threshold, of) = match (request.threshold, &request.bin, model.thresholds().last()) {
            (None, Some(bin), _) => (Some(of_bin(request, &model, bin)?), None),
            (None, None, Some((bin, known))) => (Some(*known), Some(bin.clone())),
            (given, ..) => (given, None),
        };
        let (mut names, mut rows) = (Vec::new(), Vec::new());
        let how = Embedding { batch: request.model.batch(), flip: true, normalize: true };
        let mut progress = ImageProgress::new("embedding", Some(items.len() as u64));
        let counts = embed_items(&model, items.into_iter(), how, &mut progress, |items, embeddings| {
            names.extend(items.iter().map(Item::name));
            rows.extend_from_slice(embeddings);
            Ok::<(), EvalError>(())
        })
        .map_err(|error| Failure::Run(error.into()))?;
        if counts.good() < 2 {
            return Err(Failure::Run(miette::miette!(
                help = "give at least two readable images",
                "there is nothing to compare: {} of {} images can be used",
                counts.good(),
                counts.images
            )));
        }
        let compared = Compared { names, similarities: matrix(&rows, model.length()), threshold, of };
        say(&if request.json { compared.json() } else { compared.text() });
        Ok(())
    })
}

/// The threshold of a bin.
fn of_bin(request: &Request, model: &Model, path: &std::path::Path) -> Result<f64, Failure> {
    let set = PairSet::open(path, 6000, 0).map_err(|error| Failure::Run(error.into()))?;
    let rates: Vec<f64> = request.far.into_iter().collect();
    let mut progress = ImageProgress::new(set.name.clone(), Some(set.items.len() as u64));
    let found = evaluate(model, &set, request.model.batch(), &rates, &mut progress)
        .map_err(|error| Failure::Run(error.into()))?;
    match found.rates.first() {
        None => Ok(found.figures.threshold),
        Some((_, Some(at))) => Ok(at.threshold),
        Some((far, None)) => Err(Failure::Run(miette::miette!(
            help = "ask for a larger rate, or leave --far out to take the threshold of the best accuracy",
            "`{}` has {} pairs of two persons, too few for a false accept rate of {far:e}",
            path.display(),
            found.negatives
        ))),
    }
}

/// The dot products of rows of length 1.
fn matrix(rows: &[f32], length: usize) -> Vec<Vec<Option<f64>>> {
    let rows: Vec<&[f32]> = rows.chunks_exact(length.max(1)).collect();
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    let row = |a: &&[f32]| rows.iter().map(|b| Some(dot(a, b)).filter(|value| value.is_finite())).collect();
    rows.iter().map(row).collect()
}

impl Compared {
    /// The pairs of different images: places and similarity.
    fn pairs(&self) -> impl Iterator<Item = (usize, usize, Option<f64>)> {
        let count = self.names.len();
        (0..count).flat_map(move |a| (a + 1..count).map(move |b| (a, b, self.similarities[a][b])))
    }

    fn text(&self) -> String {
        let mut text = String::new();
        let shown: Vec<String> =
            self.names.iter().map(|name| name.chars().filter(|character| !character.is_control()).collect()).collect();
        if self.names.len() > 2 {
            for (at, name) in shown.iter().enumerate() {
                let _ = writeln!(text, "{:>4}  {name}", at + 1);
            }
            text.push('\n');
            let head: Vec<String> = (1..=shown.len()).map(|at| format!("{at:>7}")).collect();
            let _ = writeln!(text, "    {}", head.concat());
            for (at, row) in self.similarities.iter().enumerate() {
                let cell = |value: &Option<f64>| value.map_or_else(|| format!("{:>7}", "-"), |v| format!("{v:>7.3}"));
                let _ = writeln!(text, "{:>4}{}", at + 1, row.iter().map(cell).collect::<String>());
            }
            text.push('\n');
        }
        let name = |at: usize| if shown.len() > 2 { (at + 1).to_string() } else { format!("`{}`", shown[at]) };
        for (a, b, similarity) in self.pairs().filter(|_| self.threshold.is_some() || shown.len() == 2) {
            let Some(similarity) = similarity else { continue };
            let _ = write!(text, "{} and {}: similarity {similarity:.6}", name(a), name(b));
            let _ = match self.threshold.map(|threshold| similarity > threshold) {
                None => writeln!(text),
                Some(true) => writeln!(text, ", one person"),
                Some(false) => writeln!(text, ", two persons"),
            };
        }
        if let Some(threshold) = self.threshold {
            let of = self.of.as_ref().map_or_else(String::new, |bin| format!(" (from the model's file, for `{bin}`)"));
            let _ = writeln!(text, "one person: a similarity above {threshold:.6}{of}");
        }
        text
    }

    fn json(&self) -> String {
        let pairs: Vec<Value> = self
            .pairs()
            .map(|(a, b, similarity)| {
                let same = similarity.zip(self.threshold).map(|(similarity, threshold)| similarity > threshold);
                json!({ "a": a, "b": b, "similarity": similarity, "same": same })
            })
            .collect();
        let value = json!({
            "images": self.names,
            "similarities": self.similarities,
            "threshold": self.threshold,
            "threshold_of": self.of,
            "pairs": pairs,
        });
        format!("{value}\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compared(threshold: Option<f64>) -> Compared {
        let rows = [1.0, 0.0, 0.6, 0.8, f32::NAN, 0.0];
        let names = ["a.jpg", "b\u{1b}.jpg", "c.jpg"].map(str::to_owned).to_vec();
        Compared { names, similarities: matrix(&rows, 2), threshold, of: None }
    }

    #[test]
    fn the_matrix_and_the_verdicts_are_told() {
        insta::assert_snapshot!(compared(Some(0.5)).text());
        assert!(!compared(None).text().contains("person"));
    }

    #[test]
    fn what_cannot_be_compared_is_null() {
        let value: Value = serde_json::from_str(&compared(Some(0.7)).json()).expect("JSON");
        assert_eq!(value["similarities"][0][2], Value::Null);
        assert_eq!((&value["pairs"][0]["same"], &value["pairs"][1]["same"]), (&json!(false), &Value::Null));
    }
}
