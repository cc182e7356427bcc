//! `facetui prepare`: data sets and bins made of others, with progress on the standard error.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Subcommand;

use super::failure::Failure;
use super::output::say;
use super::progress::Progress;
use crate::data::prepare::{self, Layout, Made, PrepareError, Subset, Wanted};
use crate::data::source::Source;
use crate::data::{self, recordio};

/// What to make. An interrupted command resumes when it runs again; existing files are kept.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Request {
    /// Convert a set of records (train.rec) to folders, `<class>/<record>.jpg`, the images' bytes unchanged
    Folders {
        /// The set: a folder with train.rec, a .rec file, or a folder of class folders
        set: PathBuf,
        /// Folder to make
        #[arg(short, long)]
        output: PathBuf,
    },
    /// Convert folders to a set of records that MXNet reads: train.rec, train.idx and property
    Records {
        /// The set: a folder of class folders
        set: PathBuf,
        /// Folder to make
        #[arg(short, long)]
        output: PathBuf,
    },
    /// Make an evaluation bin: balanced pairs drawn from a set of people, or the pairs of a file such as LFW's pairs.txt
    Bin {
        /// The set of people, or the pairs file
        source: PathBuf,
        /// Bin to make
        #[arg(short, long)]
        output: PathBuf,
        /// Pairs to draw, half of one person and half of two [default: 6000]
        #[arg(long)]
        pairs: Option<u64>,
        /// Seed: the same seed draws the same pairs [default: 0]
        #[arg(long)]
        seed: Option<u64>,
        /// Folder of the images that a pairs file names; by default the pairs file's own folder
        #[arg(long)]
        images: Option<PathBuf>,
    },
    /// Convert a bin of any dialect to JPEG bytes under pickle protocol 4
    Reencode {
        /// The bin
        bin: PathBuf,
        /// Bin to make
        #[arg(short, long)]
        output: PathBuf,
    },
    /// Copy the first classes of a set, without those that have few images, in the set's own layout
    Subset {
        /// The set: a folder with train.rec, a .rec file, or a folder of class folders
        set: PathBuf,
        /// Folder to make
        #[arg(short, long)]
        output: PathBuf,
        /// Largest number of classes; all by default
        #[arg(long, value_parser = clap::value_parser!(u32).range(2..))]
        classes: Option<u32>,
        /// Smallest number of images of a class
        #[arg(long, default_value_t = 1)]
        min_images: u64,
    },
    /// Split a set into parts in its own layout, for `data.train`: each has its share of every class, under the set's labels
    Shard {
        /// The set: a folder with train.rec, a .rec file, or a folder of class folders
        set: PathBuf,
        /// Folder to make; the parts lie in it as 0, 1, ...
        #[arg(short, long)]
        output: PathBuf,
        /// Number of parts
        #[arg(long, value_parser = clap::value_parser!(u16).range(2..))]
        shards: u16,
        /// Seed: the same seed draws the same parts; without one the images go round in the set's order
        #[arg(long)]
        seed: Option<u64>,
    },
}

/// Makes it and says what was made.
pub(super) fn prepare(request: &Request) -> Result<(), Failure> {
    let progress = Progress::new();
    let tell = |what: &str, done, total| progress.count(what, done, total);
    let open = |set: &Path| data::open(set, &|done, total| tell("images listed", done, total));
    let (output, what, made) = match request {
        Request::Folders { set, output } => {
            let source = open(set).map_err(failed)?;
            (output, "images", prepare::folders(&*source, output, &tell))
        }
        Request::Records { set, output } => {
            let source = open(set).map_err(failed)?;
            (output, "images", prepare::records(&*source, output, &tell))
        }
        Request::Bin { source, output, pairs, seed, images } if is_pairs_file(source) => {
            if pairs.is_some() || seed.is_some() {
                return Err(Failure::Usage(miette::miette!(
                    help = "leave --pairs and --seed out, or name a folder of people",
                    "`{}` is a pairs file: no pairs are drawn from it",
                    source.display()
                )));
            }
            (output, "pairs", prepare::from_pairs_file(source, images.as_deref(), output, &tell))
        }
        Request::Bin { images: Some(_), source, .. } => {
            return Err(Failure::Usage(miette::miette!(
                help = "leave --images out, or name a pairs file",
                "`{}` is not a pairs file: its own images are used",
                source.display()
            )));
        }
        Request::Bin { source, output, pairs, seed, images: None } => {
            let people = open(source).map_err(failed)?;
            let (pairs, seed) = (pairs.unwrap_or(6000), seed.unwrap_or(0));
            (output, "pairs", prepare::from_people(&*people, output, pairs, seed, &tell))
        }
        Request::Reencode { bin, output } => (output, "pairs", prepare::reencode(bin, output, &tell)),
        Request::Subset { set, output, classes, min_images } => {
            let source: Arc<dyn Source> = open(set).map_err(failed)?;
            let wanted = Wanted { classes: classes.map(|classes| classes as usize), least_images: *min_images };
            let part = Subset::new(source, wanted).map_err(failed)?;
            (output, "images", Layout::of(set).write(&part, output, &tell))
        }
        Request::Shard { set, output, shards, seed } => {
            let source: Arc<dyn Source> = open(set).map_err(failed)?;
            let parts = prepare::split(&source, usize::from(*shards), *seed);
            let (folders, made) = prepare::shards(&parts, output, Layout::of(set), &tell).map_err(failed)?;
            tell_made(made, "images", output);
            let [first, others @ ..] = folders.as_slice() else { return Ok(()) };
            let others: Vec<String> =
                others.iter().map(|path| format!(", {{path: {}, labels: merge}}", path.display())).collect();
            say(&format!("in a schedule: train: [{}{}]\n", first.display(), others.concat()));
            return Ok(());
        }
    };
    tell_made(made.map_err(failed)?, what, output);
    Ok(())
}

fn tell_made(Made { total, written }: Made, what: &str, output: &Path) {
    let output = output.display();
    say(&match written {
        0 => format!("nothing to do: all {total} {what} are in `{output}`\n"),
        _ if written == total => format!("wrote {total} {what} to `{output}`, and verified them\n"),
        _ => format!("wrote the missing {written} of {total} {what} to `{output}`, and verified all of them\n"),
    });
}

/// Anything that is a file and no record file.
fn is_pairs_file(path: &Path) -> bool {
    path.is_file() && !recordio::is_record_set(path)
}

fn failed(error: impl Into<PrepareError>) -> Failure {
    Failure::Run(miette::Report::new(error.into()))
}
