//! What can be typed.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use super::action::Action;
use super::resume::OnUnfinished;
use super::which_run::WhichRun;
use super::{bench, compare, data, demo, embed, eval, export, plot, prepare, runs, stop, synth, train, watch};
use crate::report::plot::figure::Look;
use crate::report::plot::split::Split;

/// Train face-recognition models from a terminal.
///
/// Without a schedule, the history of past runs opens.
#[derive(Debug, Parser)]
#[command(name = "facetui", version, args_conflicts_with_subcommands = true)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Option<Subcommands>,

    /// The schedule to train: a YAML file
    schedule: Option<PathBuf>,

    #[command(flatten)]
    run: RunArguments,

    /// Folder of the runs that the history shows when no schedule is given
    #[arg(long, default_value = "runs")]
    runs: PathBuf,
}

#[derive(Debug, Clone, Args)]
struct RunArguments {
    /// Override a value of the schedule, for example `data.train=/mnt/faces` (may be repeated)
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,

    /// Print lines instead of opening the terminal front end
    #[arg(long)]
    headless: bool,

    /// Print every event as a JSON line (implies --headless)
    #[arg(long)]
    json: bool,

    /// Train in the background, without a terminal; `facetui attach` shows the run
    #[arg(long)]
    detach: bool,

    /// Grace period: seconds that SIGTERM or SIGINT waits for the end of the epoch before the run stops at once, with its
    /// state saved (by default 20 for SIGTERM, no limit for SIGINT)
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(..=31_536_000))]
    grace: Option<u64>,

    /// Minutes that an ended run keeps trying to write files that the disk did not take, before exit code 3
    #[arg(long, value_name = "MINUTES", default_value_t = 60, value_parser = clap::value_parser!(u64).range(..=525_600))]
    keep_trying: u64,

    #[command(flatten)]
    unfinished: UnfinishedArguments,
}

/// What becomes of an unfinished run.
#[derive(Debug, Clone, Args)]
struct UnfinishedArguments {
    /// Start over: move the files of an unfinished run of this name aside instead of resuming it
    #[arg(long, conflicts_with = "resume_changed")]
    fresh: bool,

    /// Resume an unfinished run even if the schedule has changed since
    #[arg(long)]
    resume_changed: bool,
}

impl UnfinishedArguments {
    const fn wanted(&self) -> OnUnfinished {
        match (self.fresh, self.resume_changed) {
            (true, _) => OnUnfinished::StartOver,
            (_, true) => OnUnfinished::Resume,
            _ => OnUnfinished::Ask,
        }
    }
}

impl RunArguments {
    fn request(self, schedule: PathBuf) -> train::Request {
        train::Request {
            schedule,
            overrides: self.set,
            headless: self.headless || self.json,
            json: self.json,
            unfinished: self.unfinished.wanted(),
            detach: self.detach,
            grace: self.grace.map(Duration::from_secs),
            keep_trying: Some(Duration::from_secs(self.keep_trying * 60)),
        }
    }
}

#[derive(Debug, Subcommand)]
enum Subcommands {
    /// Train the demo schedule on synthetic faces, which are drawn on first use
    Demo(RunArguments),
    /// Show a run that is training in another process, with all keys; leaving does not stop it
    Attach(WhichRun),
    /// Show a run from its journal alone: another user's run, or one on another machine's disk
    Watch(watch::Request),
    /// List runs: which are training, where, and how far they are
    Runs(runs::Request),
    /// Ask a run to stop after its epoch, or now
    Stop(stop::Request),
    /// Check a schedule and its paths without training
    Check {
        /// The schedule: a YAML file
        schedule: PathBuf,
        /// Override a value of the schedule (may be repeated)
        #[arg(long = "set", value_name = "KEY=VALUE")]
        set: Vec<String>,
    },
    /// Draw a data set of synthetic faces, one folder for each identity
    Synth {
        /// Folder to make it in
        folder: PathBuf,
        /// Number of identities
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(2..=1_000_000))]
        identities: u32,
        /// Images of each identity
        #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        images: u32,
        /// Seed: the same seed draws the same faces
        #[arg(long, default_value_t = 0)]
        seed: u64,
        /// Also make the evaluation bins frontal.bin, pose.bin and age.bin of unseen identities
        #[arg(long)]
        bins: bool,
    },
    /// Draw loss, accuracy and evaluation accuracies of runs as a figure: SVG or PNG
    Plot {
        /// Runs to draw, one over another: a run's name under the folder of runs, its folder, or a `_hist.json` file
        #[arg(required = true, value_name = "RUN")]
        names: Vec<String>,
        /// The file to write: its name ends in .svg or .png (twice as many pixels)
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
        /// Name the stages: epochs from 0, the end excluded, for example `Softmax:0-15,Arcface:15-`
        #[arg(long, value_name = "NAME:FROM-TO,...")]
        split: Option<Split>,
        /// Title above the figure
        #[arg(long)]
        title: Option<String>,
        /// Width and height in pixels
        #[arg(long, value_name = "WIDTHxHEIGHT", default_value = "960x380", value_parser = plot::size)]
        size: (u32, u32),
        /// Draw the loss on a logarithmic axis
        #[arg(long)]
        log: bool,
        /// Folder of the runs
        #[arg(long, default_value = "runs")]
        runs: PathBuf,
    },
    /// Measure how fast a schedule trains on this machine: steps, steps from the files, evaluation, start, memory
    Bench(bench::Request),
    /// Evaluate a saved model on bins: accuracy, threshold, ten folds, TAR at FAR
    Eval(eval::Request),
    /// Write the embeddings of images as a .npy file
    Embed(embed::Request),
    /// Compare faces: how similar they are
    Compare(compare::Request),
    /// Describe a data set or a bin: images, classes, sizes, unreadable images, duplicates
    Data {
        /// A folder of class folders, a folder with train.rec, a .rec file, or a bin; several sets are treated as one
        #[arg(required = true, value_name = "PATH")]
        paths: Vec<PathBuf>,
        /// Treat classes of the same name in several sets as one class
        #[arg(long)]
        merge: bool,
        /// An evaluation bin whose images are searched for in the set (may be repeated)
        #[arg(long = "bin", value_name = "BIN")]
        bins: Vec<PathBuf>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Convert a data set or an evaluation bin: to folders, records, bins, parts
    Prepare {
        #[command(subcommand)]
        what: prepare::Request,
    },
    /// List the backbones with their sizes
    Models {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Write a trained model for another program: .onnx, .tflite, .safetensors, or a smaller .h5
    ///
    /// The file is checked against facetui's own embeddings before it is kept.
    Export(export::Arguments),
    /// Show the layers, weights, optimiser and loss of a Keras .h5 file
    Inspect {
        /// The file
        file: PathBuf,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print a commented schedule to start from
    Template,
    /// Print the completion script of a shell, for example `facetui completions bash`
    Completions {
        /// The shell
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
    /// List the front end's actions and their keys, which `config.toml` can change
    Keys,
    /// Print the manual page, for example `facetui man > facetui.1`
    Man,
}

impl Arguments {
    pub(super) fn into_action(self) -> Action {
        match (self.command, self.schedule) {
            (None, None) => Action::History { runs: self.runs },
            (None, Some(schedule)) => Action::Train(self.run.request(schedule)),
            (Some(Subcommands::Demo(run)), _) => Action::Demo(run.request(PathBuf::from(demo::SCHEDULE_NAME))),
            (Some(Subcommands::Attach(which)), _) => Action::Attach(which),
            (Some(Subcommands::Watch(request)), _) => Action::Watch(request),
            (Some(Subcommands::Runs(request)), _) => Action::Runs(request),
            (Some(Subcommands::Stop(request)), _) => Action::Stop(request),
            (Some(Subcommands::Check { schedule, set }), _) => Action::Check { schedule, overrides: set },
            (Some(Subcommands::Synth { folder, identities, images, seed, bins }), _) => {
                Action::Synth(synth::Request { folder, identities, images, seed, bins })
            }
            (Some(Subcommands::Plot { names, output, split, title, size, log, runs }), _) => {
                Action::Plot(plot::Request { names, output, runs, split, look: Look { title, size, log } })
            }
            (Some(Subcommands::Data { paths, merge, bins, json }), _) => {
                Action::Data(data::Request { paths, merge, bins, json })
            }
            (Some(Subcommands::Prepare { what }), _) => Action::Prepare(what),
            (Some(Subcommands::Models { json }), _) => Action::Models { json },
            (Some(Subcommands::Export(arguments)), _) => Action::Export(arguments.into_request()),
            (Some(Subcommands::Inspect { file, json }), _) => Action::Inspect { path: file, json },
            (Some(Subcommands::Bench(request)), _) => Action::Bench(request),
            (Some(Subcommands::Eval(request)), _) => Action::Eval(request),
            (Some(Subcommands::Embed(request)), _) => Action::Embed(request),
            (Some(Subcommands::Compare(request)), _) => Action::Compare(request),
            (Some(Subcommands::Template), _) => Action::Template,
            (Some(Subcommands::Completions { shell }), _) => Action::Completions(shell),
            (Some(Subcommands::Man), _) => Action::Manual,
            (Some(Subcommands::Keys), _) => Action::Keys,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn action(words: &[&str]) -> Action {
        Arguments::try_parse_from(std::iter::once(&"facetui").chain(words)).expect("parses").into_action()
    }

    #[test]
    fn the_grammar_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_file_is_trained_and_nothing_opens_the_history() {
        assert!(matches!(action(&[]), Action::History { .. }));
        let Action::Train(request) = action(&["a.yaml", "--set", "seed=1", "--json"]) else { panic!("not trained") };
        assert_eq!((request.overrides, request.headless, request.json), (vec!["seed=1".to_owned()], true, true));
        let wanted = |flag: &str| match action(&["a.yaml", flag]) {
            Action::Train(request) => request.unfinished,
            other => panic!("{other:?}"),
        };
        assert_eq!((wanted("--fresh"), wanted("--resume-changed")), (OnUnfinished::StartOver, OnUnfinished::Resume));
        assert_eq!(wanted("--json"), OnUnfinished::Ask);
        assert!(matches!(action(&["demo", "--headless"]), Action::Demo(request) if request.headless));
    }

    #[test]
    fn an_export_says_what_it_wants() {
        let words = ["export", "a.h5", "-o", "a.onnx", "--input", "uint8", "--flip", "--nchw", "--embedding", "-2"];
        let Action::Export(request) = action(&[&words[..], &["--threshold", "lfw=0.25"]].concat()) else {
            panic!("no export")
        };
        assert!(request.options.flip && !request.options.normalize);
        assert_eq!(request.options.layout, crate::export::lower::Layout::Nchw);
        assert_eq!(request.embedding, Some(crate::schedule::EmbeddingLayer::Index(-2)));
        assert_eq!(request.thresholds, [("lfw".to_owned(), 0.25)]);
        let Action::Export(request) = action(&["export", "a.h5", "-o", "a.tflite", "--int8", "--calibrate", "faces"])
        else {
            panic!("no export")
        };
        assert_eq!(request.precision, crate::export::tflite::Precision::Int8);
        for wrong in [
            &["export", "a.h5"][..],
            &["export", "a.h5", "-o", "b.onnx", "--threshold", "lfw=high"],
            &["export", "a.h5", "-o", "b.tflite", "--int8"],
            &["export", "a.h5", "-o", "b.tflite", "--float16", "--int8", "--calibrate", "faces"],
        ] {
            assert!(Arguments::try_parse_from(std::iter::once(&"facetui").chain(wrong)).is_err());
        }
    }

    #[test]
    fn absurd_numbers_are_refused() {
        let absurd = Arguments::try_parse_from(["facetui", "synth", "x", "--identities", "1"]);
        assert!(absurd.is_err());
    }
}
