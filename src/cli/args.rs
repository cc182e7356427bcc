//! What can be typed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use super::{Action, data, prepare, synth, train};

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
    /// Put a value over the schedule's, for example `data.train=/mnt/faces` (may be repeated)
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,

    /// Print lines instead of opening the terminal front end
    #[arg(long)]
    headless: bool,

    /// Print every event as a JSON line (implies --headless)
    #[arg(long)]
    json: bool,
}

impl RunArguments {
    fn request(self, schedule: PathBuf) -> train::Request {
        train::Request { schedule, overrides: self.set, headless: self.headless || self.json, json: self.json }
    }
}

#[derive(Debug, Subcommand)]
enum Subcommands {
    /// Train the demo schedule on drawn faces, made on first use
    Demo(RunArguments),
    /// Check a schedule and its paths without training
    Check {
        /// The schedule: a YAML file
        schedule: PathBuf,
        /// Put a value over the schedule's (may be repeated)
        #[arg(long = "set", value_name = "KEY=VALUE")]
        set: Vec<String>,
    },
    /// Draw a data set of synthetic faces in the reference's folder layout
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
    /// Say what is in a data set or a bin: images, classes, sizes, what cannot be read, what is there twice
    Data {
        /// A folder of class folders, a folder with train.rec, a .rec file, or a bin
        path: PathBuf,
        /// A bin whose images are looked for in the set (may be repeated)
        #[arg(long = "bin", value_name = "BIN")]
        bins: Vec<PathBuf>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Make a data set or an evaluation bin of another: folders, records, bins, parts
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
    /// Print a commented schedule to start from
    Template,
}

impl Arguments {
    pub(super) fn into_action(self) -> Action {
        match (self.command, self.schedule) {
            (None, None) => Action::History { runs: self.runs },
            (None, Some(schedule)) => Action::Train(self.run.request(schedule)),
            (Some(Subcommands::Demo(run)), _) => Action::Demo(run.request(PathBuf::from(super::demo::SCHEDULE_NAME))),
            (Some(Subcommands::Check { schedule, set }), _) => Action::Check { schedule, overrides: set },
            (Some(Subcommands::Synth { folder, identities, images, seed, bins }), _) => {
                Action::Synth(synth::Request { folder, identities, images, seed, bins })
            }
            (Some(Subcommands::Data { path, bins, json }), _) => Action::Data(data::Request { path, bins, json }),
            (Some(Subcommands::Prepare { what }), _) => Action::Prepare(what),
            (Some(Subcommands::Models { json }), _) => Action::Models { json },
            (Some(Subcommands::Template), _) => Action::Template,
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
        assert!(matches!(action(&["demo", "--headless"]), Action::Demo(request) if request.headless));
    }

    #[test]
    fn absurd_numbers_are_refused() {
        let absurd = Arguments::try_parse_from(["facetui", "synth", "x", "--identities", "1"]);
        assert!(absurd.is_err());
    }
}
