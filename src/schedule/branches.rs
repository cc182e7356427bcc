//! The stages of a schedule and its branches: alternatives that each start from the state the stages leave.

use std::collections::HashMap;

use serde::Serialize;

use super::fields::{BRANCH, belongs};
use super::names::{self, Name};
use super::reader::{Field, Reader};
use super::scalars::file_name;
use super::span::{At, Span};
use super::stage::{self, Defaults, Stage, StageFile, Stages, read_stages};
use super::tree::{Entry, Node, Value};

/// An alternative: stages of their own, from the state that all branches of a schedule share.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Branch {
    /// Its name, the end of its files' stem; no two branches have the same.
    pub name: String,
    /// What to train, in order; at least one.
    pub stages: Vec<Stage>,
}

/// The list of `branches`; none where one is not a map.
pub(super) type Branches = Vec<At<Option<BranchFile>>>;

/// One of `branches`: stages with a name, or one stage alone.
pub(super) struct BranchFile {
    pub name: Field<String>,
    pub stages: Field<Stages>,
    /// Whether it is one stage alone, without a list.
    pub single: bool,
}

/// The list of branches.
pub(super) fn read_branches<'n>(reader: &mut Reader, entries: impl Iterator<Item = &'n Entry>) -> Field<Branches> {
    match reader.choose("branches", entries) {
        Field::Given(At { value: node, at }) => match &node.value {
            Value::List(items) => {
                let branches = items.iter().enumerate();
                let branches = branches.map(|(index, item)| BranchFile::read(index, item, reader)).collect();
                Field::Given(At { value: branches, at })
            }
            Value::Null => Field::Given(At { value: Vec::new(), at }),
            _ => {
                let help = "each branch begins with a dash: - {loss: softmax, optimizer: adam, epochs: 1}".to_owned();
                reader.mismatch("branches", node, "a list of branches", Some(help));
                Field::Broken
            }
        },
        Field::Absent => Field::Absent,
        Field::Broken => Field::Broken,
    }
}

impl BranchFile {
    /// Reads the branch at `index`, counted from 0; none where it is not a map.
    fn read(index: usize, node: &Node, reader: &mut Reader) -> At<Option<Self>> {
        let what = format!("branch {}", index + 1);
        let Value::Map(entries) = &node.value else {
            let stage = StageFile::read(&what, node, reader);
            return At { value: None, at: stage.at };
        };
        let at = entries.first().map_or(node.at, |entry| entry.key.at);
        let listed = entries.iter().any(|entry| names::find(&entry.key.value, &BRANCH[1..]).is_some());
        if listed {
            let Some(fields) = reader.fields(&what, node, BRANCH, &belongs) else { return At { value: None, at } };
            let branch = Self {
                name: reader.field("name", fields.all("name"), Reader::text),
                stages: read_stages(reader, fields.all("stages"), &format!("{what}, ")),
                single: false,
            };
            return At { value: Some(branch), at };
        }
        let stage = StageFile::read(&what, node, reader);
        let name = match &stage.value {
            Some(StageFile { name: Field::Given(name), .. }) => Field::Given(name.clone()),
            Some(StageFile { name: Field::Broken, .. }) => Field::Broken,
            _ => Field::Absent,
        };
        At { value: Some(Self { name, stages: Field::Given(At { value: vec![stage], at }), single: true }), at }
    }
}

/// A branch's name, when it has one of its own, and its stages.
type Checked = (Option<At<String>>, Vec<Stage>);

/// What an empty or missing list is answered with.
const STAGES: &str = "for instance stages: [{loss: softmax, optimizer: nadam, epochs: 15}]";
/// The same for branches.
const BRANCHES: &str = "for instance branches: [{loss: softmax, epochs: 1}, {loss: arcface, epochs: 1}]";
/// Names whose files would look like other files of the run.
const TAKEN: [&str; 3] = ["basic", "hist", "branches"];

/// The stages and the branches; none when any of them is wrong.
pub(super) fn check(
    stages: &Field<Stages>,
    branches: &Field<Branches>,
    start: Span,
    defaults: &Defaults,
    reader: &mut Reader,
) -> Option<(Vec<Stage>, Vec<Branch>)> {
    let branched = !matches!(branches, Field::Absent);
    let checked_stages = match stages {
        Field::Given(given) if given.value.is_empty() && !branched => {
            reader.problems.error(given.at, "`stages` is empty", "expected at least one stage", STAGES.to_owned());
            None
        }
        Field::Given(given) => check_list(&given.value, "", true, defaults, reader),
        Field::Broken => None,
        Field::Absent if branched => Some(Vec::new()),
        Field::Absent => {
            reader.problems.error(start, "the schedule has no stages", "`stages` is missing", STAGES.to_owned());
            None
        }
    };
    let first = !matches!(stages, Field::Given(given) if !given.value.is_empty());
    let checked_branches = match branches {
        Field::Absent => Some(Vec::new()),
        Field::Broken => None,
        Field::Given(given) if given.value.is_empty() => {
            reader.problems.error(given.at, "`branches` is empty", "expected at least one branch", BRANCHES.to_owned());
            None
        }
        Field::Given(given) => check_branches(&given.value, first, defaults, reader),
    };
    Some((checked_stages?, checked_branches?))
}

/// The numbers of classes that losses say, as the reference's `Centerloss(num_classes=85742)`.
pub(super) fn said_classes(stages: &Field<Stages>, branches: &Field<Branches>) -> Vec<At<u64>> {
    const NAME: Name = Name::new("num_classes", &["classes"]);
    let branches = branches.given().into_iter().flat_map(|given| &given.value).filter_map(|at| at.value.as_ref());
    let lists = stages.given().into_iter().chain(branches.filter_map(|branch| branch.stages.given()));
    let stages = lists.flat_map(|list| &list.value).filter_map(|stage| stage.value.as_ref());
    let calls = stages.flat_map(|stage| {
        let center = stage.centerloss.given().and_then(|given| given.value.as_ref());
        stage.loss.given().map(|given| &given.value).into_iter().chain(center)
    });
    let said = calls.flat_map(|call| &call.arguments).filter_map(|argument| {
        let name = argument.name.as_ref().filter(|name| NAME.is(&name.value))?;
        match &argument.value.value {
            Value::Int(number) => Some(At { value: u64::try_from(*number).ok()?, at: name.at }),
            _ => None,
        }
    });
    said.collect()
}

/// Every stage of a list; `of` says of which branch in messages. None when any of them is wrong.
fn check_list(list: &Stages, of: &str, first: bool, defaults: &Defaults, reader: &mut Reader) -> Option<Vec<Stage>> {
    let stages: Vec<Option<Stage>> = list
        .iter()
        .enumerate()
        .map(|(index, stage)| {
            let what = format!("{of}stage {}", index + 1);
            stage::check(&what, first && index == 0, stage.value.as_ref()?, stage.at, defaults, reader)
        })
        .collect();
    stages.into_iter().collect()
}

fn check_branches(
    list: &[At<Option<BranchFile>>],
    first: bool,
    defaults: &Defaults,
    reader: &mut Reader,
) -> Option<Vec<Branch>> {
    let checked: Vec<Option<Checked>> = list
        .iter()
        .enumerate()
        .map(|(index, branch)| check_branch(index, branch.value.as_ref()?, branch.at, first, defaults, reader))
        .collect();
    let checked: Vec<Checked> = checked.into_iter().collect::<Option<_>>()?;
    let mut taken: HashMap<String, Span> = HashMap::new();
    let mut sound = true;
    for given in checked.iter().filter_map(|(name, _)| name.as_ref()) {
        if let Some(before) = taken.insert(given.value.clone(), given.at) {
            let (line, _) = reader.sources.line_column(before);
            reader.problems.error(
                given.at,
                format!("two branches are called `{}`", given.value),
                format!("the other is on line {line}"),
                "a branch's files are called after it: give each a name of its own".to_owned(),
            );
            sound = false;
        }
    }
    let mut names: Vec<String> = taken.into_keys().collect();
    let branches = checked.into_iter().map(|(given, stages)| {
        let name = given.map_or_else(
            || {
                let name = free_name(&stages, &names);
                names.push(name.clone());
                name
            },
            |given| given.value,
        );
        Branch { name, stages }
    });
    let branches = branches.collect();
    sound.then_some(branches)
}

/// A branch's name, when it has one of its own, and its stages.
fn check_branch(
    index: usize,
    file: &BranchFile,
    at: Span,
    first: bool,
    defaults: &Defaults,
    reader: &mut Reader,
) -> Option<Checked> {
    let what = format!("branch {}", index + 1);
    let name = match &file.name {
        Field::Given(given) => Some(check_name(given, reader)),
        Field::Broken => Some(None),
        Field::Absent => None,
    };
    let stages = match &file.stages {
        Field::Given(given) if given.value.is_empty() => {
            let message = format!("the `stages` of {what} are empty");
            reader.problems.error(given.at, message, "expected at least one stage", STAGES.to_owned());
            None
        }
        Field::Given(given) if file.single => given.value.iter().try_fold(Vec::new(), |mut stages, stage| {
            stages.push(stage::check(&what, first, stage.value.as_ref()?, at, defaults, reader)?);
            Some(stages)
        }),
        Field::Given(given) => check_list(&given.value, &format!("{what}, "), first, defaults, reader),
        Field::Absent | Field::Broken => None,
    };
    match name {
        Some(name) => Some((Some(name?), stages?)),
        None => Some((None, stages?)),
    }
}

fn check_name(given: &At<String>, reader: &mut Reader) -> Option<At<String>> {
    let name = file_name(given, reader)?;
    if TAKEN.iter().any(|taken| name == *taken || name.starts_with(&format!("{taken}_"))) {
        reader.problems.error(
            given.at,
            format!("a branch cannot be called `{name}`"),
            "other files of the run have such a name",
            "a branch's files are called after it: `<name>_<branch>.h5`".to_owned(),
        );
        return None;
    }
    Some(At { value: name, at: given.at })
}

/// The losses of a branch as its name, with a number behind when that is taken.
fn free_name(stages: &[Stage], taken: &[String]) -> String {
    let mut losses: Vec<&str> = stages.iter().map(|stage| stage.loss.name()).collect();
    losses.dedup();
    let stem = losses.join("-");
    let mut name = stem.clone();
    let mut number = 2;
    while taken.contains(&name) {
        name = format!("{stem}-{number}");
        number += 1;
    }
    name
}
