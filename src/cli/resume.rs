//! What becomes of an unfinished run of a schedule: it is resumed, unless `--fresh` was given or the schedule has changed;
//! then the user is asked.

use std::fmt::Write as _;
use std::io::{BufRead as _, IsTerminal as _, Write};

use super::exit_code::ExitCode;
use super::failure::Failure;
use crate::run::launch::LaunchOptions;
use crate::schedule::{Change, Schedule, changes};
use crate::train::state::unfinished::{Search, Unfinished, find};

/// Most changed settings that are shown.
const SHOWN: usize = 30;

/// What the arguments say about an unfinished run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnUnfinished {
    /// Nothing: it is resumed when the schedule has not changed.
    Ask,
    /// Resume it, whatever has changed: `--resume-changed`.
    Resume,
    /// Move its files aside and start over: `--fresh`.
    StartOver,
}

/// What the user answers.
enum Answer {
    Resume,
    StartOver,
    Quit,
}

/// How the run of a schedule begins. Says what was found, and asks when the schedule has changed since.
///
/// # Errors
/// An unfinished run of a changed schedule without a terminal to ask at, or whose user quits.
pub(super) fn plan(schedule: &Schedule, wanted: OnUnfinished) -> Result<LaunchOptions, Failure> {
    if wanted == OnUnfinished::StartOver {
        return Ok(LaunchOptions { fresh: true, ..LaunchOptions::default() });
    }
    let mut found = match find(schedule) {
        Search::Nothing | Search::Finished => return Ok(LaunchOptions::default()),
        Search::Lost(notes) => {
            return Err(Failure::Usage(miette::miette!(
                help = "`--fresh` moves its files aside and starts over",
                "the unfinished run `{}` cannot be resumed, none of its saved states is whole: {}",
                schedule.name,
                notes.join("; ")
            )));
        }
        Search::Unfinished(found) => found,
    };
    let place = found.place(schedule);
    let changes = changed(&found, schedule);
    found.changed = wanted == OnUnfinished::Resume;
    if changes.is_empty() || found.changed {
        say(&format!("resuming `{}` from {place}\n", found.run_id));
        return Ok(LaunchOptions { resume: Some(*found), ..LaunchOptions::default() });
    }
    let shown = difference(&changes);
    if !can_ask() {
        return Err(Failure::Usage(miette::miette!(
            help = "`--resume-changed` resumes with the schedule as it is now; `--fresh` moves the run's files aside and \
                    starts over",
            "the run `{}` is unfinished, at {place}, and the schedule has changed since:\n{shown}",
            found.run_id
        )));
    }
    say(&format!("The run `{}` is unfinished, at {place}. The schedule has changed since:\n{shown}", found.run_id));
    match ask() {
        Answer::Resume => {
            found.changed = true;
            Ok(LaunchOptions { resume: Some(*found), ..LaunchOptions::default() })
        }
        Answer::StartOver => Ok(LaunchOptions { fresh: true, ..LaunchOptions::default() }),
        Answer::Quit => Err(Failure::Told(ExitCode::Success)),
    }
}

/// What differs between the schedule and the one that the run began with.
fn changed(found: &Unfinished, schedule: &Schedule) -> Vec<Change> {
    found.newest().map_or_else(Vec::new, |(_, state)| {
        let same_program = state.identity.program == env!("CARGO_PKG_VERSION");
        changes(&state.identity.schedule, &schedule.settings(), same_program)
    })
}

/// Changes as lines: what was, and what is.
fn difference(changes: &[Change]) -> String {
    let mut text = String::new();
    for change in changes.iter().take(SHOWN) {
        for (sign, value) in [('-', &change.before), ('+', &change.after)] {
            if let Some(value) = value {
                let _ = writeln!(text, "  {sign} {}: {value}", change.name);
            }
        }
    }
    if changes.len() > SHOWN {
        let _ = writeln!(text, "  and {} more settings", changes.len() - SHOWN);
    }
    text
}

/// Whether somebody can be asked.
fn can_ask() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

fn ask() -> Answer {
    loop {
        say("Resume with the schedule as it is now [r], start over and move the run's files aside [f], or quit [q]? ");
        let mut line = String::new();
        match std::io::stdin().lock().read_line(&mut line) {
            Ok(0) | Err(_) => return Answer::Quit,
            Ok(_) => {}
        }
        match line.trim().to_lowercase().as_str() {
            "r" | "resume" | "g" | "go" | "go on" => return Answer::Resume,
            "f" | "fresh" => return Answer::StartOver,
            "q" | "quit" | "leave" | "n" | "no" => return Answer::Quit,
            _ => {}
        }
    }
}

/// Prints on the standard error, so that lines of a run stay what they are.
fn say(text: &str) {
    let _ = Write::write_all(&mut std::io::stderr(), text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_has_what_was_and_what_is() {
        let change = |name: &str, before: Option<&str>, after: Option<&str>| Change {
            name: name.into(),
            before: before.map(Into::into),
            after: after.map(Into::into),
        };
        let changes = [change("stages.0.epochs", Some("2"), Some("5")), change("branches.0.name", None, Some("x"))];
        assert_eq!(difference(&changes), "  - stages.0.epochs: 2\n  + stages.0.epochs: 5\n  + branches.0.name: x\n");
        let many = vec![change("a", Some("1"), Some("2")); 40];
        assert!(difference(&many).ends_with("  and 10 more settings\n"));
    }
}
