//! The schedules of two runs line by line: what was removed and what was added.

use similar::{ChangeTag, TextDiff};

/// What becomes of a line from the first schedule to the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It is in both.
    Same,
    /// Only the first has it.
    Removed,
    /// Only the second has it.
    Added,
}

/// The lines of two texts: changed ones with `context` lines around them, and an empty [`Change::Same`] line where
/// others are left out. Nothing when they are equal.
pub fn lines(first: &str, second: &str, context: usize) -> Vec<(Change, String)> {
    let diff = TextDiff::from_lines(first, second);
    let mut found = Vec::new();
    for (at, group) in diff.grouped_ops(context).iter().enumerate() {
        if at > 0 {
            found.push((Change::Same, String::new()));
        }
        for change in group.iter().flat_map(|operation| diff.iter_changes(operation)) {
            let kind = match change.tag() {
                ChangeTag::Equal => Change::Same,
                ChangeTag::Delete => Change::Removed,
                ChangeTag::Insert => Change::Added,
            };
            found.push((kind, change.value().trim_end_matches(['\n', '\r']).to_owned()));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use Change::{Added, Removed, Same};

    #[test]
    fn schedules_differ_where_they_do() {
        let keys: Vec<String> = (0..20).map(|line| format!("key{line}: {line}\n")).collect();
        let text = |rate: &str| keys.concat() + rate;
        assert!(lines(&text("lr: 1\n"), &text("lr: 1\n"), 2).is_empty());
        let found = lines(&text("lr: 1\n"), &text("lr: 2\n"), 1);
        let wanted = [(Same, "key19: 19"), (Removed, "lr: 1"), (Added, "lr: 2")];
        assert_eq!(found, wanted.map(|(change, line)| (change, line.to_owned())));
    }
}
