//! What can be wrong with a schedule, as diagnostics that point at the line.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use miette::{Diagnostic, LabeledSpan, NamedSource, Severity, SourceCode, SourceSpan};

use super::span::{Sources, Span};

/// One mistake, or one thing worth a warning, with its place in the schedule or on the command line.
#[derive(Debug, Clone)]
pub struct Problem {
    severity: Severity,
    message: String,
    label: String,
    help: Option<String>,
    origin: Arc<NamedSource<String>>,
    span: SourceSpan,
    line: usize,
    column: usize,
}

impl Problem {
    /// A problem at `at`: what was found (`message`), what was expected (`label`, beside the underlined text) and how
    /// to get on (`help`).
    pub(super) fn new(
        severity: Severity,
        sources: &Sources,
        at: Span,
        message: impl Into<String>,
        label: impl Into<String>,
        help: Option<String>,
    ) -> Self {
        let at = sources.clamp(at);
        let (line, column) = sources.line_column(at);
        Self {
            severity,
            message: message.into(),
            label: label.into(),
            help,
            origin: sources.named(at.source),
            span: (at.start, at.len).into(),
            line,
            column,
        }
    }

    /// What was found.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Where, as `file:line:column`; `command line:1:column` for a `--set`.
    pub fn place(&self) -> String {
        format!("{}:{}:{}", self.origin.name(), self.line, self.column)
    }

    /// The line, counted from 1.
    pub const fn line(&self) -> usize {
        self.line
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Problem {}

impl Diagnostic for Problem {
    fn severity(&self) -> Option<Severity> {
        Some(self.severity)
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&*self.origin)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let label = (!self.label.is_empty()).then(|| self.label.clone());
        Some(Box::new(std::iter::once(LabeledSpan::new_primary_with_span(label, self.span))))
    }
}

/// Why a schedule cannot be run: a usage error, exit code [`ScheduleError::EXIT_CODE`].
#[derive(Debug, thiserror::Error)]
pub enum ScheduleError {
    /// The file cannot be read.
    #[error("cannot read the schedule `{}`: {}", path.display(), source)]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It can be read, and there are mistakes in it. One stands for itself, several are listed.
    #[error("{}", headline(name, problems))]
    Invalid {
        /// The schedule's name, as it was given.
        name: String,
        /// All of them, in the order of the file; at least one.
        problems: Vec<Problem>,
    },
}

impl ScheduleError {
    /// The program's exit code for a schedule that cannot be run.
    pub const EXIT_CODE: u8 = 2;

    /// All mistakes; none when the file could not be read.
    pub fn problems(&self) -> &[Problem] {
        match self {
            Self::Read { .. } => &[],
            Self::Invalid { problems, .. } => problems,
        }
    }

    pub(super) fn read(path: &Path, source: io::Error) -> Self {
        Self::Read { path: path.to_owned(), source }
    }

    /// The error made of `problems`, for instance those of [`check_paths`](super::check_paths).
    pub fn invalid(name: &str, mut problems: Vec<Problem>) -> Self {
        problems.sort_by_key(|problem| (problem.origin.name() != name, problem.span.offset()));
        Self::Invalid { name: name.to_owned(), problems }
    }

    fn single(&self) -> Option<&Problem> {
        match self.problems() {
            [only] => Some(only),
            _ => None,
        }
    }
}

fn headline(name: &str, problems: &[Problem]) -> String {
    match problems {
        [only] => only.message.clone(),
        several => format!("{} problems in `{name}`", several.len()),
    }
}

impl Diagnostic for ScheduleError {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        match self {
            Self::Read { source, .. } if source.kind() == io::ErrorKind::NotFound => Some(Box::new(
                "`facetui --print-template > my.yaml` writes a commented schedule to start from; \
                 `facetui demo` trains on faces it draws itself",
            )),
            Self::Read { source, .. } if source.kind() == io::ErrorKind::InvalidData => {
                Some(Box::new("a schedule is a YAML file in UTF-8"))
            }
            Self::Read { .. } => None,
            Self::Invalid { .. } => self.single()?.help(),
        }
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.single()?.source_code()
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        self.single()?.labels()
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        let problems = self.problems();
        (problems.len() > 1)
            .then(|| Box::new(problems.iter().map(|p| p as &dyn Diagnostic)) as Box<dyn Iterator<Item = _>>)
    }
}

/// Problems of a kind that are noted: nobody reads more, and each shows its part of the text.
const MOST: usize = 100;

/// The problems found so far.
#[derive(Debug)]
pub(super) struct Problems<'a> {
    sources: &'a Sources,
    /// What keeps the schedule from being run.
    pub errors: Vec<Problem>,
    /// What does not.
    pub warnings: Vec<Problem>,
}

impl<'a> Problems<'a> {
    /// None yet.
    pub(super) const fn new(sources: &'a Sources) -> Self {
        Self { sources, errors: Vec::new(), warnings: Vec::new() }
    }

    /// Notes an error; the arguments as in [`Problem::new`].
    pub(super) fn error(
        &mut self,
        at: Span,
        message: impl Into<String>,
        label: impl Into<String>,
        help: impl Into<Option<String>>,
    ) {
        if self.errors.len() < MOST {
            self.errors.push(Problem::new(Severity::Error, self.sources, at, message, label, help.into()));
        }
    }

    /// Notes a warning; the arguments as in [`Problem::new`].
    pub(super) fn warn(
        &mut self,
        at: Span,
        message: impl Into<String>,
        label: impl Into<String>,
        help: impl Into<Option<String>>,
    ) {
        if self.warnings.len() < MOST {
            self.warnings.push(Problem::new(Severity::Warning, self.sources, at, message, label, help.into()));
        }
    }
}
