//! `--set data.train=/mnt/faces`: one more entry in the tree, with a span on the command line.
//!
//! An override takes nothing away. It adds an entry whose source is later than the file's, and the reader takes the
//! latest (see [`Sources`]): so it does not matter which spelling the file uses, and a mistake in an override is found
//! and shown like any other.

use super::fields;
use super::names::fold;
use super::problem::Problems;
use super::span::{At, SET, Sources, Span};
use super::tree::{self, Entry, Node, Value};

/// Puts all overrides over the tree of the file.
pub(super) fn apply(root: &mut Node, sources: &Sources, problems: &mut Problems) {
    for source in 1..sources.count() {
        let text = sources.text(source);
        let written = &text[SET.len()..];
        let Some((path, _)) = written.split_once('=') else {
            problems.error(
                Span::new(source, SET.len()..text.len()),
                "an override needs a value",
                "expected PATH=VALUE",
                Some("for instance --set data.train=/mnt/faces or --set stages.0.epochs=2".to_owned()),
            );
            continue;
        };
        let equals = SET.len() + path.len();
        let mut start = SET.len();
        let mut segments = Vec::new();
        for segment in path.split('.') {
            segments.push(At { value: segment.trim(), at: Span::new(source, start..start + segment.len()) });
            start += segment.len() + 1;
        }
        if let Some(empty) = segments.iter().find(|segment| segment.value.is_empty()) {
            problems.error(
                empty.at,
                format!("`{path}` is not a path in a schedule"),
                "a name is missing here",
                Some("names are joined by single dots: data.train, stages.0.epochs".to_owned()),
            );
            continue;
        }
        if let Some(value) = tree::parse_at(Span::new(source, equals + 1..text.len()), sources, problems) {
            insert(root, &segments, value, problems);
        }
    }
}

/// Puts `value` below `node` where `segments` lead.
fn insert(node: &mut Node, segments: &[At<&str>], value: Node, problems: &mut Problems) {
    let Some((first, rest)) = segments.split_first() else {
        *node = value;
        return;
    };
    if let Value::List(items) = &mut node.value {
        let count = items.len();
        match first.value.parse::<usize>().ok().and_then(|position| items.get_mut(position)) {
            Some(item) => insert(item, rest, value, problems),
            None if count == 0 => problems.error(first.at, "the list is empty", "there is no entry to set", None),
            None => problems.error(
                first.at,
                format!("the list has no entry `{}`", first.value),
                format!("expected a position from 0 to {}", count - 1),
                Some("positions are counted from 0: stages.0.epochs is the first stage's".to_owned()),
            ),
        }
        return;
    }
    if !matches!(node.value, Value::Map(_)) {
        // A shorter form gives way to a longer one: learning_rate: 0.001 to --set learning_rate.decay=0.1.
        *node = Node { value: Value::Map(Vec::new()), at: first.at };
    }
    let Value::Map(entries) = &mut node.value else { return };
    let key = At { value: first.value.to_owned(), at: first.at };
    if rest.is_empty() {
        entries.push(Entry { key, value });
        return;
    }
    let same = |written: &str| fold(written) == fold(first.value) || fields::same_name(written, first.value);
    let existing = entries.iter_mut().filter(|entry| same(&entry.key.value)).max_by_key(|entry| entry.key.at.source);
    if let Some(entry) = existing {
        insert(&mut entry.value, rest, value, problems);
    } else {
        let mut child = Node { value: Value::Map(Vec::new()), at: first.at };
        insert(&mut child, rest, value, problems);
        entries.push(Entry { key, value: child });
    }
}
