//! A checked schedule as a list of settings, `stages.0.epochs` and `5`: what tells two schedules apart, and in which
//! lines.

use serde_json::Value;

use super::{Schedule, Stage};

/// What changes nothing of what is trained: names of files and folders, the number of threads, how often a state is kept,
/// what is done when something goes wrong.
const BESIDE: [&str; 6] = ["path", "checkpoints", "runs", "data.workers", "snapshot", "recovery"];

impl Schedule {
    /// Every setting that what is trained depends on, by its place in the file and in the file's words, variables and
    /// `--set` included.
    pub fn settings(&self) -> Vec<(String, String)> {
        let mut settings = Vec::new();
        // A struct of plain values always has a JSON.
        flatten("", &serde_json::to_value(self).unwrap_or_default(), &mut settings);
        for (name, value) in &mut settings {
            if self.is_auto(name) {
                "auto".clone_into(value);
            }
        }
        settings.retain(|(name, _)| {
            !BESIDE
                .iter()
                .any(|beside| name == beside || name.strip_prefix(beside).is_some_and(|rest| rest.starts_with('.')))
        });
        settings
    }

    /// Whether a setting is a batch size that facetui finds.
    fn is_auto(&self, name: &str) -> bool {
        let stage = |stages: &[Stage], place: &str| {
            let number = place.strip_prefix("stages.").and_then(|rest| rest.strip_suffix(".batch_size"));
            number.and_then(|number| stages.get(number.parse::<usize>().ok()?)).is_some_and(|stage| stage.auto_batch)
        };
        match name.strip_prefix("branches.").and_then(|rest| rest.split_once('.')) {
            Some((number, place)) => {
                let branch = number.parse::<usize>().ok().and_then(|number| self.branches.get(number));
                branch.is_some_and(|branch| stage(&branch.stages, place))
            }
            None => (name == "batch_size" && self.auto_batch) || stage(&self.stages, name),
        }
    }

    /// Every stage, those of branches too.
    pub fn all_stages(&self) -> impl Iterator<Item = &Stage> {
        self.stages.iter().chain(self.branches.iter().flat_map(|branch| &branch.stages))
    }

    /// Whether facetui finds the batch size of the schedule or of a stage.
    pub fn has_auto_batch(&self) -> bool {
        self.auto_batch || self.all_stages().any(|stage| stage.auto_batch)
    }

    /// The same schedule with `images` a step wherever that was `auto`. It still says that it was.
    #[must_use]
    pub fn with_batch(&self, images: u64) -> Self {
        let mut settled = self.clone();
        if settled.auto_batch {
            settled.batch_size = images;
        }
        let branches = settled.branches.iter_mut().flat_map(|branch| &mut branch.stages);
        for stage in settled.stages.iter_mut().chain(branches).filter(|stage| stage.auto_batch) {
            stage.batch_size = images;
        }
        settled
    }
}

/// Adds the values below `value` under their paths.
fn flatten(name: &str, value: &Value, settings: &mut Vec<(String, String)>) {
    let below = |part: &str| if name.is_empty() { part.to_owned() } else { format!("{name}.{part}") };
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (part, value) in fields {
                flatten(&below(part), value, settings);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (at, value) in items.iter().enumerate() {
                flatten(&below(&at.to_string()), value, settings);
            }
        }
        Value::Null => settings.push((name.to_owned(), "none".to_owned())),
        Value::String(text) => settings.push((name.to_owned(), text.clone())),
        other => settings.push((name.to_owned(), other.to_string())),
    }
}

/// A setting that two schedules do not share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its place: `stages.0.epochs`.
    pub name: String,
    /// What it was; none where it was not there.
    pub before: Option<String>,
    /// What it is; none where it is gone.
    pub after: Option<String>,
}

/// What differs between the settings of two schedules, in the order of the newer one.
///
/// Settings that a facetui did not have yet when it noted `before` are no change (`same_program` is false then): those
/// whose neighbours were there, while they themselves were not.
pub fn changes(before: &[(String, String)], after: &[(String, String)], same_program: bool) -> Vec<Change> {
    let find = |list: &[(String, String)], wanted: &str| {
        list.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone())
    };
    let parent = |name: &str| name.rsplit_once('.').map_or(String::new(), |(parent, _)| format!("{parent}."));
    let mut changes = Vec::new();
    for (name, value) in after {
        let known = find(before, name);
        let is_new =
            known.is_none() && !same_program && before.iter().any(|(other, _)| other.starts_with(&parent(name)));
        if known.as_ref() != Some(value) && !is_new {
            changes.push(Change { name: name.clone(), before: known, after: Some(value.clone()) });
        }
    }
    for (name, value) in before {
        if find(after, name).is_none() {
            changes.push(Change { name: name.clone(), before: Some(value.clone()), after: None });
        }
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::parse;

    fn settings(text: &str) -> Vec<(String, String)> {
        let text = format!("model: {{backbone: mobilefacenet}}\ndata: {{train: x, bins: [a.bin]}}\n{text}");
        parse("x.yaml", &text, &[], &|_| None).expect("is sound").schedule.settings()
    }

    #[test]
    fn a_batch_that_is_found_is_no_change_whatever_it_is() {
        let text = "batch_size: auto\nstages: [{loss: softmax, batch_size: 8, epochs: 1}, {loss: arcface, epochs: 5}]\n\
                    branches: [{name: a, stages: [{loss: softmax, epochs: 1, batch_size: Auto}]}]";
        let text = format!("model: {{backbone: mobilefacenet}}\ndata: {{train: x, bins: [a.bin]}}\n{text}");
        let auto = parse("x.yaml", &text, &[], &|_| None).expect("is sound").schedule;
        let settled = auto.with_batch(96);
        let sizes: Vec<u64> = settled.all_stages().map(|stage| stage.batch_size).collect();
        assert_eq!((settled.batch_size, sizes), (96, vec![8, 96, 96]));
        assert_eq!(auto.settings(), settled.settings());
        let mut values = auto.settings();
        values.retain(|(name, _)| name.ends_with("batch_size"));
        let values: Vec<&str> = values.iter().map(|(_, value)| value.as_str()).collect();
        assert_eq!(values, ["auto", "8", "auto", "auto"]);
    }

    #[test]
    fn a_change_is_named_by_its_place_and_others_are_none() {
        let stages = "stages: [{loss: {arcface: {scale: 32}}, optimizer: adam, epochs: 2}]";
        let before = settings(stages);
        let value = |name: &str| before.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        assert_eq!((value("stages.0.epochs"), value("stages.0.loss.arcface.scale")), (Some("2"), Some("32.0")));
        assert_eq!((value("data.bins.0"), value("branches")), (Some("a.bin"), Some("[]")));
        assert!(value("path").is_none() && value("snapshot.minutes").is_none());
        let same = settings(&format!("{stages}\nsnapshot: 1\nruns: elsewhere"));
        assert_eq!(changes(&before, &same, true), []);
        let other = settings("batch_size: 8\nstages: [{loss: {arcface: {scale: 32}}, optimizer: adam, epochs: 5}]");
        let said = changes(&before, &other, true);
        let names: Vec<&str> = said.iter().map(|change| change.name.as_str()).collect();
        assert_eq!(names, ["batch_size", "stages.0.epochs", "stages.0.batch_size"]);
        assert_eq!((said[1].before.as_deref(), said[1].after.as_deref()), (Some("2"), Some("5")));
    }

    #[test]
    fn a_setting_of_a_newer_facetui_is_no_change_and_a_stage_more_is_one() {
        let after = settings("stages: [{loss: softmax, epochs: 2}]");
        let older: Vec<_> = after.iter().filter(|(name, _)| name != "stages.0.augment").cloned().collect();
        assert_eq!(changes(&older, &after, true).len(), 1);
        assert_eq!(changes(&older, &after, false), []);
        let more = settings("stages: [{loss: softmax, epochs: 2}, {loss: softmax, epochs: 2}]");
        assert!(!changes(&after, &more, false).is_empty());
        assert!(changes(&more, &after, false).iter().all(|change| change.after.is_none()));
    }
}
