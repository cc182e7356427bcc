//! What becomes of an unfinished run of a schedule: it goes on, unless something else was said.

use std::fmt::Write as _;
use std::io::{BufRead as _, IsTerminal as _, Write};

use super::Failure;
use super::train::Request;
use crate::run::launch::Plan;
use crate::schedule::{Change, Schedule, changes};
use crate::train::state::unfinished::{Search, Unfinished, find};

/// Most changed settings that are shown.
const SHOWN: usize = 30;

/// What the user said beforehand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// Nothing: it goes on when nothing has changed.
    Unsaid,
    /// It goes on, whatever has changed.
    GoOn,
    /// Its files are moved aside.
    Fresh,
}

/// What the user answers.
enum Answer {
    GoOn,
    Fresh,
    Nothing,
}

/// How the run of a schedule begins. Says what was found, and asks where the schedule was changed meanwhile.
///
/// # Errors
/// An unfinished run that nothing was said about and nobody can be asked about; a refusal.
pub(super) fn plan(schedule: &Schedule, request: &Request) -> Result<Plan, Failure> {
    if request.unfinished == Wish::Fresh {
        return Ok(Plan { fresh: true, ..Plan::default() });
    }
    let mut found = match find(schedule) {
        Search::Nothing | Search::Finished => return Ok(Plan::default()),
        Search::Lost(notes) => {
            return Err(Failure::Usage(miette::miette!(
                help = "`--fresh` moves its files aside and starts over",
                "the unfinished run `{}` cannot go on, none of its states is whole: {}",
                schedule.name,
                notes.join("; ")
            )));
        }
        Search::Unfinished(found) => found,
    };
    let place = found.place(schedule);
    let changes = changed(&found, schedule);
    found.changed = request.unfinished == Wish::GoOn;
    if changes.is_empty() || found.changed {
        say(&format!("going on with `{}` from {place}\n", found.run_id));
        return Ok(Plan { resume: Some(*found), ..Plan::default() });
    }
    let shown = difference(&changes);
    if !asks() {
        return Err(Failure::Usage(miette::miette!(
            help = "`--resume-changed` goes on with the schedule as it is now; `--fresh` moves the run's files aside and \
                    starts over",
            "the run `{}` is unfinished, at {place}, and the schedule has changed since:\n{shown}",
            found.run_id
        )));
    }
    say(&format!("The run `{}` is unfinished, at {place}. The schedule has changed since:\n{shown}", found.run_id));
    match ask() {
        Answer::GoOn => {
            found.changed = true;
            Ok(Plan { resume: Some(*found), ..Plan::default() })
        }
        Answer::Fresh => Ok(Plan { fresh: true, ..Plan::default() }),
        Answer::Nothing => Err(Failure::Told(0)),
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
        let _ = writeln!(text, "  and {} settings more", changes.len() - SHOWN);
    }
    text
}

/// Whether somebody can be asked.
fn asks() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

fn ask() -> Answer {
    loop {
        say("Go on with the schedule as it is now [g], start over and move the run's files aside [f], or leave [q]? ");
        let mut line = String::new();
        match std::io::stdin().lock().read_line(&mut line) {
            Ok(0) | Err(_) => return Answer::Nothing,
            Ok(_) => {}
        }
        match line.trim().to_lowercase().as_str() {
            "g" | "go" | "go on" => return Answer::GoOn,
            "f" | "fresh" => return Answer::Fresh,
            "q" | "quit" | "leave" | "n" | "no" => return Answer::Nothing,
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
        assert!(difference(&many).ends_with("  and 10 settings more\n"));
    }
}
