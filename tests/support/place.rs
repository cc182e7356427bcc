//! A folder with a tiny data set, small bins of it, and schedules, for tests that run the real program.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use facetui::checkpoint::SavedModel;
use facetui::event::{Event, Record};
use facetui::run::journal;
use facetui::synth::{SynthOptions, generate};

/// The folder; it goes when this does.
pub struct Place {
    folder: tempfile::TempDir,
}

#[allow(dead_code, reason = "each test file uses a part of it")]
impl Place {
    /// `identities` persons of `images` drawn images each in `demo/faces_112x112_folders`, and three bins of them.
    pub fn new(identities: u32, images: u32) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let options = SynthOptions { identities, images, seed: 1, bins: false };
        generate(&folder.path().join("demo"), &options, &|_, _| {}).expect("draws");
        let place = Self { folder };
        for (number, name) in ["pose", "age", "frontal"].into_iter().enumerate() {
            place.bin(&format!("demo/{name}.bin"), number, identities as usize, images as usize);
        }
        place
    }

    /// A path within it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a text file.
    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("writes");
    }

    /// Reads a text file.
    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// 24 pairs of the data set's own images, half of them of one person.
    fn bin(&self, name: &str, shift: usize, identities: usize, images: usize) {
        let image = |class: usize, number: usize| {
            let number = class * images + number % images + 1;
            let path = self.path(&format!("demo/faces_112x112_folders/{class}/{number}.jpg"));
            std::fs::read(path).expect("reads")
        };
        let (mut files, mut same) = (Vec::new(), Vec::new());
        for pair in 0..24 {
            let class = (pair / 2 + shift) % identities;
            let other = if pair % 2 == 0 { class } else { (class + 1 + pair % (identities - 1)) % identities };
            files.extend([image(class, pair + shift), image(other, pair + shift + 3)]);
            same.push(pair % 2 == 0);
        }
        let bytes = facetui::data::pickle::write::pairs(&files, &same);
        std::fs::write(self.path(name), bytes).expect("writes");
    }

    /// Runs the program here, with one thread for libtorch so that sums are the same each time.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("starts")
    }

    /// The program, to be run here.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_facetui"));
        command.args(arguments).current_dir(self.folder.path()).env("XDG_CACHE_HOME", self.path("cache"));
        command.env("FACETUI_WIDTH", "0.1").env("OMP_NUM_THREADS", "1").env("NO_COLOR", "1");
        command
    }

    /// Runs the program; what it printed when that went well.
    pub fn runs(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let said = text(&output);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {said}");
        said
    }

    /// The journals of all runs whose folder begins with `name`, in the order of their beginning; a run that has just
    /// begun may have none yet.
    pub fn journals(&self, name: &str) -> Vec<Vec<Record>> {
        let runs = std::fs::read_dir(self.path("runs")).expect("runs").flatten().map(|entry| entry.path());
        let wanted = runs.filter(|path| file_name(path).starts_with(name));
        let there = wanted.map(|run| journal::path(&run)).filter(|path| path.exists());
        let read = there.map(|path| journal::read(&path, true).expect("reads"));
        let mut journals: Vec<Vec<Record>> = read.filter(|records| !records.is_empty()).collect();
        journals.sort_by(|one, other| one[0].at.total_cmp(&other[0].at));
        journals
    }

    /// A saved model.
    pub fn model(&self, name: &str) -> SavedModel {
        facetui::checkpoint::read(&self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().expect("a name").to_string_lossy().into_owned()
}

/// Everything that was printed.
pub fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// What was printed, on one line.
#[allow(dead_code, reason = "each test file uses a part of it")]
pub fn plain(output: &Output) -> String {
    text(output).split_whitespace().filter(|word| *word != "│").collect::<Vec<_>>().join(" ")
}

/// The epochs that ended: stage, number as printed, loss, learning rate.
#[allow(dead_code, reason = "each test file uses a part of it")]
pub fn epochs(journal: &[Record]) -> Vec<(usize, u32, f64, f64)> {
    let ends = journal.iter().filter_map(|record| match record.event {
        Event::EpochEnded { stage, epoch, loss, learning_rate, .. } => Some((stage, epoch, loss, learning_rate)),
        _ => None,
    });
    ends.collect()
}
