//! What lints raise: a warning with its kind, its sentence and its advice, and the list of all warnings of a run.

use super::averages::Averages;

/// What a lint looks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LintKind {
    /// A loss or an accuracy is NaN or infinite.
    NotFinite,
    /// The loss grows.
    Diverging,
    /// The accuracy of a bin fell.
    AccuracyDrop,
    /// A disk that the next checkpoint hardly fits on.
    Disk,
    /// The images come too slowly.
    Starvation,
    /// The GPU waits.
    IdleGpu,
    /// A bin's threshold wanders.
    ThresholdDrift,
    /// Nothing gets better.
    Plateau,
}

impl LintKind {
    /// The kind in two words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotFinite => "NaN or infinite",
            Self::Diverging => "diverging loss",
            Self::AccuracyDrop => "accuracy drop",
            Self::Disk => "disk nearly full",
            Self::Starvation => "slow data",
            Self::IdleGpu => "idle GPU",
            Self::ThresholdDrift => "threshold drift",
            Self::Plateau => "plateau",
        }
    }
}

/// What a lint says.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// What it is about, where there are several: a bin.
    pub about: Option<String>,
    /// What is the matter, a sentence without its full stop.
    pub sentence: String,
    /// What to do about it, likewise.
    pub advice: &'static str,
}

/// Something to look at.
#[derive(Debug, Clone, PartialEq)]
pub struct Warning {
    /// What kind.
    pub kind: LintKind,
    /// What it says, in its newest words.
    pub finding: Finding,
    /// When it was raised last, in seconds since the Unix epoch.
    pub at: f64,
    /// The number of the epoch that it was raised in, as the reference prints it.
    pub epoch: Option<u32>,
    /// How often it was raised.
    pub times: u32,
    /// Whether it still holds.
    pub active: bool,
}

/// The warnings of a run, and the averages that lints look at.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Warnings {
    /// Every warning there has been, in the order they were raised first.
    list: Vec<Warning>,
    pub(super) averages: Averages,
}

impl Warnings {
    /// Every warning there has been, in the order they were raised first.
    pub const fn all(&self) -> &[Warning] {
        self.list.as_slice()
    }

    /// Those that still hold.
    pub fn active(&self) -> impl Iterator<Item = &Warning> {
        self.list.iter().filter(|warning| warning.active)
    }

    /// Whether a warning of this kind holds: a lint lets go later than it takes hold, so that it does not flicker.
    pub(super) fn holds(&self, kind: LintKind, about: Option<&str>) -> bool {
        self.active().any(|warning| warning.kind == kind && warning.finding.about.as_deref() == about)
    }

    /// Ends every warning but those that `stay`.
    pub(super) fn end(&mut self, stay: impl Fn(&Warning) -> bool) {
        for warning in &mut self.list {
            warning.active &= stay(warning);
        }
    }

    /// Raises what a lint found in the epoch numbered `epoch`, and ends its warnings that were not found any more.
    pub(super) fn update(&mut self, kind: LintKind, found: Vec<Finding>, epoch: Option<u32>, at: f64) {
        for warning in self.list.iter_mut().filter(|warning| warning.kind == kind) {
            warning.active &= found.iter().any(|finding| finding.about == warning.finding.about);
        }
        for finding in found {
            let known =
                self.list.iter_mut().find(|warning| warning.kind == kind && warning.finding.about == finding.about);
            match known {
                // The words follow the numbers; the moment is that of the beginning.
                Some(warning) if warning.active => warning.finding = finding,
                Some(warning) => {
                    *warning = Warning { kind, finding, at, epoch, times: warning.times + 1, active: true };
                }
                None => self.list.push(Warning { kind, finding, at, epoch, times: 1, active: true }),
            }
        }
    }
}
