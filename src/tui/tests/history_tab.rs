//! The history tab: runs that are compared, filtered, sorted, noted, deleted, trained again; commands by name.

use super::screens::three_runs;
use super::*;
use crate::event::Outcome;
use crate::run::history::schedule_diff::Change;
use crate::tui::action::{Next, Retrain};
use crate::tui::testing::START;

fn history() -> App {
    let mut app = App::new(false, START, TimeZone::UTC);
    app.hear(News::Listed(three_runs()));
    app
}

/// Types a text, a key a letter.
fn type_in(app: &mut App, text: &str) {
    for letter in text.chars() {
        press(app, &letter.to_string());
    }
}

/// Reads what was asked to be compared.
fn answer(app: &mut App, effects: Vec<Effect>) {
    for effect in effects {
        if let Effect::Compare(run) = effect {
            let script = Script::new().preparing().start().whole_stage(0);
            let script = if run.epochs > 8 { script.whole_stage(1).whole_stage(2) } else { script };
            let state = script.finish(Outcome::Completed).state();
            app.hear(News::Compared { id: run.id, state: Box::new(Ok(state)) });
        }
    }
}

#[test]
fn runs_are_compared_and_measured_against_a_pinned_one() {
    let mut app = history();
    let effects = press(&mut app, " ");
    assert!(matches!(&effects[..], [Effect::Compare(run)] if run.id == "demo-c"));
    assert!(text(&frame(&app, 120, 40, USUAL)).contains("reading"));
    answer(&mut app, effects);
    press(&mut app, "Down");
    let effects = press(&mut app, "v");
    answer(&mut app, effects);
    for (name, width, height) in [("80x24", 80, 24), ("120x40", 120, 40), ("200x60", 200, 60)] {
        insta::assert_snapshot!(format!("compared_{name}"), text(&frame(&app, width, height, USUAL)));
    }
    insta::assert_debug_snapshot!("compared_styles_80x24", frame(&app, 80, 24, USUAL));
    let screen = text(&frame(&app, 120, 40, USUAL));
    assert!(screen.lines().any(|line| line.contains("* B")), "the pinned run is marked:\n{screen}");
    press(&mut app, "x");
    assert!(!text(&frame(&app, 120, 40, USUAL)).contains("compared"));
}

#[test]
fn a_filter_works_while_it_is_typed_and_is_taken_back() {
    let mut app = history();
    press(&mut app, "/");
    type_in(&mut app, "state:stopped");
    assert_eq!(app.history.runs.len(), 1);
    let screen = text(&frame(&app, 120, 40, USUAL));
    assert!(screen.contains("filter: state:stopped") && screen.contains("1 of 3 runs"), "{screen}");
    press(&mut app, "Enter");
    assert!(text(&frame(&app, 120, 40, USUAL)).contains("(2 hidden)"));
    press(&mut app, "/");
    type_in(&mut app, " colour:red");
    assert!(text(&frame(&app, 120, 40, USUAL)).contains("is not a field"));
    press(&mut app, "Esc");
    assert_eq!((app.history.runs.len(), app.history.filter_text.as_str()), (1, "state:stopped"));
    press(&mut app, "/");
    press(&mut app, "C-c");
    press(&mut app, "/");
    type_in(&mut app, " nothing-is-called-so");
    press(&mut app, "Enter");
    assert!(text(&frame(&app, 80, 24, USUAL)).contains("No run matches the filter."));
}

#[test]
fn letters_that_are_typed_are_no_keys() {
    let mut app = history();
    press(&mut app, "e");
    assert!(press(&mut app, "q").is_empty(), "`q` does not leave while a note is typed");
    app.paste("uick\nlook");
    let effects = press(&mut app, "Enter");
    let [Effect::Mark(run, marks)] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!((run.id.as_str(), marks.note.as_str()), ("demo-c", "quick look"));
    press(&mut app, "t");
    type_in(&mut app, "paper best");
    let effects = press(&mut app, "Enter");
    assert!(matches!(&effects[..], [Effect::Mark(_, marks)] if marks.tags == ["paper", "best"]), "{effects:?}");
}

#[test]
fn deleting_asks_first() {
    let mut app = history();
    assert!(press(&mut app, "D").is_empty());
    insta::assert_snapshot!("delete_80x24", text(&frame(&app, 80, 24, USUAL)));
    press(&mut app, "Esc");
    assert!(press(&mut app, "y").is_empty());
    press(&mut app, "D");
    assert!(matches!(&press(&mut app, "y")[..], [Effect::Discard(run)] if run.id == "demo-c"));
    assert_eq!(app.hear(News::Changed(Ok("`demo-c` lies in `.trash`".to_owned()))), [Effect::ListRuns]);
    assert!(text(&frame(&app, 120, 40, USUAL)).contains(".trash"));
}

#[test]
fn schedules_are_compared() {
    let mut app = history();
    let effects = press(&mut app, "d");
    assert!(
        matches!(&effects[..], [Effect::DiffSchedules(a, b)] if (a.id.as_str(), b.id.as_str()) == ("demo-b", "demo-c"))
    );
    let line = |change, line: &str| (change, line.to_owned());
    let lines = vec![
        line(Change::Same, "learning_rate:"),
        line(Change::Removed, "  base: 0.001"),
        line(Change::Added, "  base: 0.002"),
    ];
    app.hear(News::SchedulesDiffed { names: "from demo-b to demo-c".to_owned(), lines: Ok(lines) });
    insta::assert_snapshot!("difference_80x24", text(&frame(&app, 80, 24, USUAL)));
    press(&mut app, "Esc");
    app.hear(News::SchedulesDiffed { names: "a".to_owned(), lines: Ok(Vec::new()) });
    assert!(text(&frame(&app, 80, 24, USUAL)).contains("the same"));
}

#[test]
fn a_past_schedule_is_trained_again_unless_one_is_trained_here() {
    let mut app = history();
    press(&mut app, "T");
    insta::assert_snapshot!("train_again_80x24", text(&frame(&app, 80, 24, USUAL)));
    let schedule = three_runs()[0].journal.with_file_name("schedule.yaml");
    let again = Retrain { schedule, name: "demo".to_owned(), fresh: true };
    assert_eq!(press(&mut app, "n"), [Effect::Then(Next::Train(again))]);
    let mut app = super::app(Script::new().preparing().start().stage(0).steps(20));
    press(&mut app, "Tab");
    app.hear(News::Listed(three_runs()));
    press(&mut app, "T");
    assert!(app.view.dialog.is_none());
    assert!(app.view.notice.as_ref().is_some_and(|notice| notice.contains("being trained here")));
}

#[test]
fn commands_are_found_by_name() {
    let mut app = super::app(Script::new().preparing().start().stage(0).steps(20));
    press(&mut app, ":");
    type_in(&mut app, "stop");
    insta::assert_snapshot!("commands_80x24", text(&frame(&app, 80, 24, USUAL)));
    let effects = press(&mut app, "Enter");
    assert!(matches!(effects[..], [Effect::Send(crate::event::Command::Stop(_))]), "{effects:?}");
    press(&mut app, ":");
    type_in(&mut app, "no such thing");
    assert!(text(&frame(&app, 80, 24, USUAL)).contains("no such command"));
    assert!(press(&mut app, "Enter").is_empty());
    assert!(app.view.prompt.is_none());
}

#[test]
fn tiny_screens_hold_every_dialog() {
    for key in [" ", "/", "D", "T", ":"] {
        let mut app = history();
        let effects = press(&mut app, key);
        answer(&mut app, effects);
        for width in 0..70 {
            for height in [0, 1, 5, 16, 17, 24] {
                frame(&app, width, height, USUAL);
            }
        }
    }
}

#[test]
fn a_branch_is_trained_again_with_its_whole_run() {
    let mut runs = three_runs();
    runs[1].branches = vec!["softmax".to_owned(), "arcface".to_owned()];
    runs[0].id = "demo-b-arcface".to_owned();
    runs[0].name = "demo_arcface".to_owned();
    let whole = runs[1].schedule().expect("a schedule");
    let mut app = App::new(false, START, TimeZone::UTC);
    app.hear(News::Listed(runs));
    press(&mut app, "T");
    insta::assert_snapshot!("train_branch_again_80x24", text(&frame(&app, 80, 24, USUAL)));
    let again = Retrain { schedule: whole, name: "demo".to_owned(), fresh: false };
    assert_eq!(press(&mut app, "r"), [Effect::Then(Next::Train(again))]);
}

#[test]
fn a_run_that_another_process_trains_is_attached_to() {
    let mut app = history();
    assert!(press(&mut app, "a").is_empty());
    assert!(text(&frame(&app, 100, 30, USUAL)).contains("no process trains this run"));
    let mut runs = three_runs();
    runs[0].live = true;
    app.hear(News::Listed(runs.clone()));
    assert!(text(&frame(&app, 100, 30, USUAL)).contains("a attach"));
    assert_eq!(press(&mut app, "a"), [Effect::Then(Next::Attach("runs/demo-c".into()))]);
    // Whoever trains here would end that by leaving.
    let mut app = super::app(Script::new().preparing().start().stage(0).steps(20));
    press(&mut app, "Tab");
    app.hear(News::Listed(runs.clone()));
    assert!(press(&mut app, "a").is_empty());
    assert!(app.view.notice.as_ref().is_some_and(|notice| notice.contains("facetui attach demo-c")));
    app.role = crate::tui::Role::Attached;
    assert_eq!(press(&mut app, "a"), [Effect::Then(Next::Attach("runs/demo-c".into()))]);
}

#[test]
fn compared_runs_are_plotted_together_the_baseline_first() {
    let mut app = history();
    for keys in [" ", "Down", "v"] {
        let effects = press(&mut app, keys);
        answer(&mut app, effects);
    }
    let journals = [&three_runs()[1], &three_runs()[0]].map(|run| run.journal.clone());
    assert_eq!(press(&mut app, "P"), [Effect::PlotTogether(journals.to_vec())]);
    app.hear(News::Plotted(Ok("runs/compared.svg".into())));
    assert!(text(&frame(&app, 100, 30, USUAL)).contains("wrote `runs/compared.svg`"));
}

#[test]
fn a_run_that_is_opened_while_it_is_read_opens_when_it_is_there() {
    let mut app = history();
    press(&mut app, "Enter");
    assert!(app.on_screen().is_none() && text(&frame(&app, 100, 30, USUAL)).contains("reading the journal"));
    let read = || Box::new(Ok(Script::new().whole().state()));
    app.hear(News::Opened { id: "demo-c".to_owned(), state: read() });
    assert!(app.on_screen().is_some());
    press(&mut app, "Esc");
    assert!(app.on_screen().is_none());
    // Whoever goes on to the next run meanwhile wants the list.
    let mut app = history();
    press(&mut app, "Enter");
    press(&mut app, "Down");
    app.hear(News::Opened { id: "demo-b".to_owned(), state: read() });
    assert!(app.on_screen().is_none());
}
