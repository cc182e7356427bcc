//! What the program was asked to do.

use std::path::PathBuf;

use super::which_run::WhichRun;
use super::{bench, compare, data, embed, eval, plot, prepare, runs, stop, synth, train, watch};

/// What the program was asked to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Open the history.
    History {
        /// Folder of the runs.
        runs: PathBuf,
    },
    /// Train a schedule.
    Train(train::Request),
    /// Make the demo data if it is missing, then train the demo schedule.
    Demo(train::Request),
    /// Show a run that another process trains.
    Attach(WhichRun),
    /// Show a run from its journal alone.
    Watch(watch::Request),
    /// List the runs.
    Runs(runs::Request),
    /// Ask a run to stop.
    Stop(stop::Request),
    /// Measure how fast a schedule would train.
    Bench(bench::Request),
    /// Check a schedule without training.
    Check {
        /// The file.
        schedule: PathBuf,
        /// What is put over it.
        overrides: Vec<String>,
    },
    /// Draw a data set of faces.
    Synth(synth::Request),
    /// Draw runs as a figure.
    Plot(plot::Request),
    /// Say what is in a data set or a bin.
    Data(data::Request),
    /// Make a data set or a bin of another.
    Prepare(prepare::Request),
    /// List the backbones.
    Models {
        /// As JSON.
        json: bool,
    },
    /// Write a model in another format.
    Export(crate::export::Request),
    /// Show what a Keras file holds.
    Inspect {
        /// The file.
        path: PathBuf,
        /// Whether to print JSON.
        json: bool,
    },
    /// Evaluate a saved model.
    Eval(eval::Request),
    /// Write the embeddings of images.
    Embed(embed::Request),
    /// Compare faces.
    Compare(compare::Request),
    /// Print the demo schedule, which teaches the format.
    Template,
    /// Print what a shell needs to complete arguments.
    Completions(clap_complete::Shell),
    /// Print the manual page.
    Manual,
    /// Print the front end's actions and keys.
    Keys,
}
