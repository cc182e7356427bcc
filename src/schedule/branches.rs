//! The stages of a schedule and its branches: alternatives that each start from the state the stages leave.

use std::collections::HashMap;

use super::check::{Defaults, check_stage, file_name};
use super::file::{BranchFile, ScheduleFile, Stages};
use super::names::Name;
use super::reader::{Field, Reader};
use super::source::{At, Span};
use super::tree::Value;
use super::{Branch, Stage};

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
    file: &ScheduleFile,
    defaults: &Defaults,
    reader: &mut Reader,
) -> Option<(Vec<Stage>, Vec<Branch>)> {
    let branched = !matches!(file.branches, Field::Absent);
    let stages = match &file.stages {
        Field::Given(given) if given.value.is_empty() && !branched => {
            reader.problems.error(given.at, "`stages` is empty", "expected at least one stage", STAGES.to_owned());
            None
        }
        Field::Given(given) => check_list(&given.value, "", true, defaults, reader),
        Field::Broken => None,
        Field::Absent if branched => Some(Vec::new()),
        Field::Absent => {
            reader.problems.error(file.start, "the schedule has no stages", "`stages` is missing", STAGES.to_owned());
            None
        }
    };
    let first = !matches!(&file.stages, Field::Given(given) if !given.value.is_empty());
    let branches = match &file.branches {
        Field::Absent => Some(Vec::new()),
        Field::Broken => None,
        Field::Given(given) if given.value.is_empty() => {
            reader.problems.error(given.at, "`branches` is empty", "expected at least one branch", BRANCHES.to_owned());
            None
        }
        Field::Given(given) => check_branches(&given.value, first, defaults, reader),
    };
    Some((stages?, branches?))
}

/// The numbers of classes that losses say, as the reference's `Centerloss(num_classes=85742)`.
pub(super) fn said_classes(file: &ScheduleFile) -> Vec<At<u64>> {
    const NAME: Name = Name::new("num_classes", &["classes"]);
    let branches = file.branches.given().into_iter().flat_map(|given| &given.value).filter_map(|at| at.value.as_ref());
    let lists = file.stages.given().into_iter().chain(branches.filter_map(|branch| branch.stages.given()));
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
            check_stage(&what, first && index == 0, stage.value.as_ref()?, stage.at, defaults, reader)
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
            stages.push(check_stage(&what, first, stage.value.as_ref()?, at, defaults, reader)?);
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
