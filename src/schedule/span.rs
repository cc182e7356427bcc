//! Where text came from: the schedule file, then each `--set`, and spans into them.
//!
//! The number of a source is also its precedence: what a later `--set` says wins over an earlier one and over the file.

use std::ops::Range;
use std::sync::Arc;

use miette::NamedSource;

/// The texts a schedule is read from. Number 0 is the file.
#[derive(Debug, Clone)]
pub(super) struct Sources(Vec<Arc<NamedSource<String>>>);

/// A stretch of bytes in one of the [`Sources`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    /// Which source; also the precedence.
    pub source: usize,
    /// First byte.
    pub start: usize,
    /// Bytes; 0 where there is nothing to underline.
    pub len: usize,
}

/// A value and where it was written.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct At<T> {
    /// What was written.
    pub value: T,
    /// Where.
    pub at: Span,
}

/// What stands before an override in its source's text, so that the message shows what was typed.
pub(super) const SET: &str = "--set ";

impl Sources {
    /// The file's text and a source for each override.
    pub(super) fn new(name: &str, text: &str, overrides: &[String]) -> Self {
        let file = Arc::new(NamedSource::new(name, text.to_owned()));
        let sets = overrides.iter().map(|set| Arc::new(NamedSource::new("command line", format!("{SET}{set}"))));
        Self(std::iter::once(file).chain(sets).collect())
    }

    /// How many there are; at least 1.
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// The source a span points into.
    pub(super) fn named(&self, source: usize) -> Arc<NamedSource<String>> {
        Arc::clone(&self.0[source])
    }

    /// The whole text of a source.
    pub(super) fn text(&self, source: usize) -> &str {
        self.0[source].inner()
    }

    /// What a span covers.
    pub(super) fn slice(&self, span: Span) -> &str {
        self.text(span.source).get(span.start..span.start + span.len).unwrap_or_default()
    }

    /// The span within its source's text and on character borders, whatever the parser said.
    pub(super) fn clamp(&self, span: Span) -> Span {
        let text = self.text(span.source);
        let start = text.floor_char_boundary(span.start);
        let end = text.ceil_char_boundary(span.start.saturating_add(span.len)).max(start);
        Span { source: span.source, start, len: end - start }
    }

    /// Line and column of a span's start, counted from 1, the column in characters.
    pub(super) fn line_column(&self, span: Span) -> (usize, usize) {
        let before = &self.text(span.source)[..self.clamp(span).start];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }
}

impl Span {
    /// The bytes `range` of the file or override `source`.
    pub(super) fn new(source: usize, range: Range<usize>) -> Self {
        Self { source, start: range.start, len: range.len() }
    }
}
