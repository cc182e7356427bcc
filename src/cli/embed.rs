//! `facetui embed`: the embeddings of images as a `.npy` file.

use std::fmt::Write as _;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;

use super::failure::Failure;
use super::output::{check_folder_of, say};
use super::saved_model::{self, ImageProgress, ModelArguments};
use crate::checkpoint::atomic::write_atomically;
use crate::checkpoint::{CheckpointError, npy};
use crate::data::items::{Item, Items};
use crate::eval::embed::{Counts, Embedding, embed_items};
use crate::eval::error::EvalError;
use crate::eval::model::Model;

/// What to embed.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Request {
    #[command(flatten)]
    model: ModelArguments,

    /// Images, folders of images, RecordIO files; `-` reads paths from the standard input, one per line
    #[arg(required = true)]
    images: Vec<PathBuf>,

    /// The file to write: float32, one row per image, in the order given
    #[arg(short, long, value_name = "FILE.npy")]
    output: PathBuf,

    /// Average each embedding with that of the mirror image
    #[arg(long)]
    flip: bool,

    /// Scale each embedding to length 1
    #[arg(long)]
    normalize: bool,

    /// Also write the images' names, one line per row
    #[arg(long, value_name = "FILE.txt")]
    names: Option<PathBuf>,
}

/// Why nothing is written.
enum Trouble {
    Measure(EvalError),
    Write(CheckpointError),
    /// No image could be embedded.
    Nothing(Counts),
}

impl From<EvalError> for Trouble {
    fn from(error: EvalError) -> Self {
        Self::Measure(error)
    }
}

impl From<CheckpointError> for Trouble {
    fn from(error: CheckpointError) -> Self {
        Self::Write(error)
    }
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        Self::Run(match trouble {
            Trouble::Measure(error) => error.into(),
            Trouble::Write(error) => error.into(),
            Trouble::Nothing(Counts { images: 0, .. }) => miette::miette!(
                help = "give JPEG or PNG files, folders that hold some, RecordIO files, or `-` for a list of paths",
                "there is no image to embed"
            ),
            Trouble::Nothing(counts) => miette::miette!(
                help = "JPEG and PNG files are expected; nothing was written",
                "none of {} images could be embedded",
                counts.images
            ),
        })
    }
}

/// Embeds the images. An image that cannot be read is named and has a row of NaN; it fails when that is all of them.
pub(super) fn embed(request: &Request) -> Result<(), Failure> {
    saved_model::caught(|| {
        for path in std::iter::once(&request.output).chain(&request.names) {
            check_folder_of(path)?;
        }
        if request.names.as_ref() == Some(&request.output) {
            return Err(Failure::Usage(miette::miette!("--names and --output are the same file")));
        }
        let model = request.model.load()?;
        let mut names = Vec::new();
        let counts = match &request.names {
            None => write(request, &model, None)?,
            Some(path) => {
                let mut counts = Counts::default();
                write_atomically(path, |temporary| {
                    let failed = |error: std::io::Error| CheckpointError::Write {
                        path: path.clone(),
                        reason: error.to_string(),
                    };
                    let mut file = BufWriter::new(fs_err::File::create(temporary).map_err(failed)?);
                    let mut put = |items: &[Item]| {
                        names.clear();
                        for item in items {
                            names.extend(item.line());
                            names.push(b'\n');
                        }
                        file.write_all(&names).map_err(failed)
                    };
                    counts = write(request, &model, Some(&mut put))?;
                    file.flush().map_err(failed)?;
                    Ok::<(), Trouble>(())
                })?;
                counts
            }
        };
        say(&told(&request.output, counts, model.length()));
        Ok(())
    })
}

/// Takes the names of a batch's images.
type Names<'a> = &'a mut dyn FnMut(&[Item]) -> Result<(), CheckpointError>;

fn write(request: &Request, model: &Model, mut names: Option<Names<'_>>) -> Result<Counts, Trouble> {
    let how = Embedding { batch: request.model.batch(), flip: request.flip, normalize: request.normalize };
    let items = Items::new(request.images.clone(), std::io::stdin().lock());
    let mut progress = ImageProgress::new("embedding", None);
    let mut counts = Counts::default();
    npy::write_rows(&request.output, model.length(), |rows| {
        counts = embed_items(model, items, how, &mut progress, |items, embeddings| {
            rows.push(embeddings)?;
            names.as_mut().map_or(Ok(()), |names| names(items))?;
            Ok::<(), Trouble>(())
        })?;
        if counts.good() == 0 { Err(Trouble::Nothing(counts)) } else { Ok(()) }
    })?;
    progress.finish();
    Ok(counts)
}

/// What was done, in a line or two.
fn told(path: &Path, counts: Counts, length: usize) -> String {
    let mut text = format!("wrote `{}`: {} x {length}, float32\n", path.display(), counts.images);
    if counts.unreadable > 0 {
        let _ = writeln!(text, "{} of the images cannot be read: their rows are NaN", counts.unreadable);
    }
    if counts.not_finite > 0 {
        let _ = writeln!(text, "{} of the embeddings are not finite", counts.not_finite);
    }
    text
}
