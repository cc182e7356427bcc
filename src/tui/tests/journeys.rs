//! What happens when events and keys meet: pending requests, leaving, the history beside a training.

use super::screens::{failure, three_runs};
use super::*;
use crate::event::{Command, Event, Outcome, Saved, StopKind};
use crate::tui::action::Tab;
use crate::tui::options::Role;
use crate::tui::testing::START;
use crate::tui::view::Dialog;

fn running() -> App {
    app(Script::new().preparing().start().stage(0).steps(20))
}

fn first_line(app: &App) -> String {
    text(&frame(app, 100, 30, USUAL)).lines().next().unwrap_or_default().to_owned()
}

fn last_line(app: &App) -> String {
    text(&frame(app, 100, 30, USUAL)).lines().last().unwrap_or_default().to_owned()
}

fn event(app: &mut App, event: Event) -> Vec<Effect> {
    let at = app.now;
    hear(app, &[Record { at, event }])
}

#[test]
fn what_is_not_saved_stands_in_the_first_line_until_it_is() {
    let mut app = app(Script::new().preparing().start().stage(0).whole_epoch().steps(20));
    let failed = |reason: &str| Event::SavingFailed {
        of: Saved::Files,
        path: "checkpoints/demo.h5".to_owned(),
        index: 2,
        reason: reason.to_owned(),
    };
    event(&mut app, failed("checkpoints/demo.h5: No space left on device (os error 28)"));
    let first = |width, height, abilities| {
        text(&frame(&app, width, height, abilities)).lines().next().unwrap_or_default().to_owned()
    };
    let plain = Abilities { color: false, unicode: false, ..USUAL };
    let sizes = [(60, 20), (80, 24), (120, 40), (200, 60)];
    let lines = sizes.map(|(width, height)| [USUAL, plain].map(|abilities| first(width, height, abilities)).join("\n"));
    insta::assert_snapshot!("not_saved", lines.join("\n"));
    insta::assert_snapshot!("not_saved_80x24", text(&frame(&app, 80, 24, USUAL)));
    event(&mut app, Event::SavingRestored { of: Saved::Files });
    assert!(!first_line(&app).contains("NOT SAVED"));
}

#[test]
fn a_run_that_waits_for_a_disk_can_be_asked_to_give_up() {
    let mut app = running();
    event(&mut app, Event::StopRequested { kind: StopKind::Now });
    press(&mut app, "N");
    assert_eq!(app.view.dialog, None, "it is stopping already");
    for of in [Saved::Journal, Saved::Files] {
        let (path, reason) = ("checkpoints/demo.h5".to_owned(), "no answer from the disk for 30 s".to_owned());
        event(&mut app, Event::SavingFailed { of, path, index: 1, reason });
    }
    assert!(first_line(&app).contains("  NOT SAVED: no answer"), "{}", first_line(&app));
    press(&mut app, "N");
    let screen = text(&frame(&app, 100, 30, USUAL));
    assert!(screen.contains("stopping again gives up"), "{screen}");
    assert_eq!(press(&mut app, "s"), [Effect::Send(Command::Stop(StopKind::Now))]);
    press(&mut app, "q");
    let screen = text(&frame(&app, 100, 30, USUAL));
    assert!(screen.contains("stopping again gives up"), "{screen}");
    assert_eq!(press(&mut app, "s"), [Effect::Send(Command::Stop(StopKind::Now))]);
}

fn end(app: &mut App, outcome: Outcome) -> Vec<Effect> {
    event(app, Event::Finished { outcome, seconds: 1.0 })
}

#[test]
fn a_gentle_stop_is_pending_then_confirmed_then_withdrawn() {
    let mut app = running();
    assert!(last_line(&app).contains("n stop after epoch"));
    assert_eq!(press(&mut app, "n"), [Effect::Send(Command::Stop(StopKind::AfterEpoch))]);
    assert!(first_line(&app).contains("stop after epoch 1 requested"), "{}", first_line(&app));
    event(&mut app, Event::StopRequested { kind: StopKind::AfterEpoch });
    assert!(first_line(&app).contains("stopping after epoch 1 - n to cancel"));
    assert!(first_line(&app).contains("STOPPING"));
    assert!(last_line(&app).contains("n cancel stop"));
    assert_eq!(press(&mut app, "n"), [Effect::Send(Command::WithdrawStop)]);
    event(&mut app, Event::StopWithdrawn);
    assert!(first_line(&app).contains("TRAINING"));
    assert!(!first_line(&app).contains("stop"));
}

#[test]
fn a_second_n_before_the_answer_takes_the_wish_back() {
    let mut app = running();
    press(&mut app, "n");
    assert_eq!(press(&mut app, "n"), [Effect::Send(Command::WithdrawStop)]);
    event(&mut app, Event::StopRequested { kind: StopKind::AfterEpoch });
    assert!(first_line(&app).contains("cancelling the stop requested"), "{}", first_line(&app));
    event(&mut app, Event::StopWithdrawn);
    assert!(!first_line(&app).contains("requested"));
}

#[test]
fn pause_and_resume() {
    let mut app = running();
    assert_eq!(press(&mut app, "p"), [Effect::Send(Command::Pause)]);
    assert!(first_line(&app).contains("pause requested"));
    event(&mut app, Event::Paused);
    assert!(first_line(&app).contains("PAUSED") && last_line(&app).contains("p resume"));
    assert_eq!(press(&mut app, "p"), [Effect::Send(Command::Resume)]);
    event(&mut app, Event::Resumed);
    assert!(first_line(&app).contains("TRAINING"));
}

#[test]
fn leaving_a_live_run_asks_and_enter_does_nothing() {
    let mut app = running();
    assert!(press(&mut app, "q").is_empty());
    assert_eq!(app.view.dialog, Some(Dialog::Quit));
    assert!(press(&mut app, "Enter").is_empty());
    assert!(press(&mut app, "p").is_empty(), "keys behind the dialog are dead");
    assert_eq!(app.view.dialog, Some(Dialog::Quit));
    press(&mut app, "Esc");
    assert_eq!(app.view.dialog, None);
    assert!(app.training());
}

#[test]
fn stop_after_the_epoch_then_leave() {
    let mut app = running();
    press(&mut app, "q");
    assert_eq!(press(&mut app, "n"), [Effect::Send(Command::Stop(StopKind::AfterEpoch))]);
    event(&mut app, Event::StopRequested { kind: StopKind::AfterEpoch });
    assert!(first_line(&app).contains("then quitting"));
    assert_eq!(end(&mut app, Outcome::Stopped), [Effect::Quit]);
}

#[test]
fn a_failure_is_shown_even_to_someone_who_is_leaving() {
    let mut app = running();
    press(&mut app, "q");
    press(&mut app, "s");
    assert!(end(&mut app, failure()).is_empty());
    assert_eq!(app.view.dialog, Some(Dialog::Result));
    assert!(text(&frame(&app, 100, 30, USUAL)).contains("out of memory"));
    assert_eq!(press(&mut app, "q"), [Effect::Quit]);
}

#[test]
fn going_on_after_all_also_means_staying() {
    let mut app = running();
    press(&mut app, "q");
    press(&mut app, "n");
    event(&mut app, Event::StopRequested { kind: StopKind::AfterEpoch });
    press(&mut app, "n");
    event(&mut app, Event::StopWithdrawn);
    assert!(end(&mut app, Outcome::Completed).is_empty());
    assert_eq!(app.view.dialog, Some(Dialog::Result));
}

#[test]
fn the_screen_stays_after_the_end_until_it_is_dismissed() {
    let mut app = app(Script::new().whole());
    assert_eq!(app.view.dialog, Some(Dialog::Result));
    assert!(first_line(&app).contains("FINISHED"));
    assert!(last_line(&app).contains("finished - press q to quit"));
    assert!(press(&mut app, "Esc").is_empty());
    assert!(last_line(&app).contains("finished - press q to quit"));
    assert!(press(&mut app, "n").is_empty(), "nothing is left to stop");
    assert_eq!(press(&mut app, "q"), [Effect::Quit]);
}

#[test]
fn an_engine_that_falls_silent_has_failed() {
    let mut app = running();
    app.hear(News::Silence);
    assert!(first_line(&app).contains("FAILED"));
    assert!(!app.training());
    let mut ended = self::app(Script::new().whole());
    ended.hear(News::Silence);
    assert!(first_line(&ended).contains("FINISHED"), "silence after the end is no failure");
}

#[test]
fn the_history_can_be_read_while_a_run_trains() {
    let mut app = running();
    assert_eq!(press(&mut app, "Tab"), [Effect::ListRuns]);
    let effects = app.hear(News::Listed(three_runs()));
    assert_eq!(effects, [Effect::OpenRun(Box::new(three_runs()[0].clone()))]);
    assert_eq!(press(&mut app, "Down"), [Effect::OpenRun(Box::new(three_runs()[1].clone()))]);
    // The answer to the first request comes late and is not taken for the second.
    app.hear(News::Opened { id: "demo-c".to_owned(), state: Box::new(Ok(Script::new().whole().state())) });
    assert!(app.history.shown().is_none());
    app.hear(News::Opened { id: "demo-b".to_owned(), state: Box::new(Ok(Script::new().whole().state())) });
    press(&mut app, "Enter");
    assert!(app.history.full);
    assert!(first_line(&app).contains("TRAINING"), "the header still tells of the live run");
    assert!(last_line(&app).contains("n stop after epoch"), "and it can still be stopped from here");
    press(&mut app, "Esc");
    assert!(!app.history.full);
    assert!(press(&mut app, "Tab").is_empty());
    assert_eq!(app.view.tab, Tab::Training);
}

#[test]
fn the_choice_stays_with_its_run_when_the_list_grows() {
    let mut app = App::new(false, START, TimeZone::UTC);
    app.hear(News::Listed(three_runs()));
    press(&mut app, "Down");
    let mut grown = three_runs();
    grown.insert(0, super::screens::past("demo-d", -1.0, 1, None));
    app.hear(News::Listed(grown));
    assert_eq!(app.history.chosen().map(|run| run.id.as_str()), Some("demo-b"));
    app.hear(News::Listed(Vec::new()));
    assert_eq!(app.history.chosen(), None);
}

#[test]
fn live_runs_of_others_are_read_again() {
    let mut app = App::new(false, START, TimeZone::UTC);
    let mut runs = three_runs();
    runs[0].live = true;
    runs[0].outcome = None;
    app.hear(News::Listed(runs));
    let effects: Vec<Effect> = (0..5).flat_map(|_| app.hear(News::Tick)).collect();
    assert_eq!(effects, [Effect::ListRuns]);
}

#[test]
fn a_scrolled_log_stays_where_it_is() {
    let mut app = running();
    press(&mut app, "Up");
    let before = app.view.log_scroll;
    for _ in 0..3 {
        let message = "one more line".to_owned();
        event(&mut app, Event::Log { level: crate::event::Level::Info, message });
    }
    assert_eq!(app.view.log_scroll, before + 3);
    press(&mut app, "End");
    assert_eq!(app.view.log_scroll, 0);
}

#[test]
fn printed_lines_reach_the_log_without_being_events_of_the_run() {
    let mut app = running();
    let message = "stderr: a library speaks".to_owned();
    let record = Record { at: app.now, event: Event::Log { level: crate::event::Level::Info, message } };
    assert!(app.hear(News::Printed(&record)).is_empty());
    assert!(text(&frame(&app, 120, 40, USUAL)).contains("a library speaks"));
}

#[test]
fn a_history_without_a_run_leaves_at_once() {
    let mut app = App::new(false, START, TimeZone::UTC);
    assert_eq!(app.start(), [Effect::ListRuns]);
    assert!(press(&mut app, "p").is_empty(), "there is nothing to pause");
    assert_eq!(press(&mut app, "q"), [Effect::Quit]);
}

#[test]
fn the_table_of_branches_opens_where_there_are_branches() {
    let mut app = running();
    press(&mut app, "b");
    assert_eq!(app.view.dialog, None, "this run has none");
    assert!(!last_line(&app).contains("branches"));
    for _ in 0..8 {
        press(&mut app, "w");
        assert_ne!(app.view.focus, crate::tui::layout::Pane::Branches);
    }
    let script = Script::new().branched(&["softmax", "arcface"]).preparing().start().whole_stage(0);
    let mut app = self::app(script.start_evaluated().branch(0).steps(20));
    assert!(first_line(&app).contains("branch 1/2 softmax"), "{}", first_line(&app));
    press(&mut app, "b");
    assert_eq!(app.view.dialog, Some(Dialog::Branches));
    assert!(press(&mut app, "n").is_empty(), "nothing behind the table is hit");
    press(&mut app, "b");
    assert_eq!(app.view.dialog, None);
    press(&mut app, "n");
    event(&mut app, Event::StopRequested { kind: StopKind::AfterEpoch });
    assert!(text(&frame(&app, 120, 40, USUAL)).contains("the last branch will not be started"));
}

#[test]
fn the_curves_of_a_branch_are_its_own() {
    let script = Script::new().branched(&["softmax", "arcface"]).preparing().start().whole_stage(0);
    let script = script.branch(0).steps(300).branch_end(0, Outcome::Completed).branch(1).steps(30);
    let records = script.records();
    let mut app = App::new(true, 0.0, TimeZone::UTC);
    hear(&mut app, &records);
    let live = app.live.as_ref().expect("a run");
    assert_eq!(live.state.total_steps(), 30);
    assert_eq!(
        *live,
        crate::tui::shown_run::ShownRun::of(live.state.clone(), crate::tui::charts::options::STRENGTH),
        "live or read back, it is the same"
    );
}

#[test]
fn a_plot_is_asked_for_once_and_its_path_is_told_until_the_next_key() {
    let mut app = running();
    assert_eq!(press(&mut app, "P"), [Effect::Plot(None)]);
    assert!(press(&mut app, "P").is_empty(), "one at a time");
    assert!(first_line(&app).contains("drawing the plot"));
    app.hear(News::Plotted(Ok("runs/demo-1/plot.svg".into())));
    assert!(first_line(&app).contains("wrote `runs/demo-1/plot.svg`"), "{}", first_line(&app));
    let log = app.live.as_ref().and_then(|run| run.state.log.back().cloned()).expect("a line");
    assert!(log.message.contains("plot.svg"));
    press(&mut app, "s");
    assert!(first_line(&app).contains("TRAINING") && !first_line(&app).contains("plot.svg"));
    app.hear(News::Plotted(Ok("plot.svg".into())));
    (0..6).for_each(|_| drop(app.hear(News::Tick)));
    assert!(first_line(&app).contains("TRAINING"), "it does not hide the phase for long");
    assert_eq!(press(&mut app, "P"), [Effect::Plot(None)]);
    app.hear(News::Plotted(Err("`demo` has no finished epoch to plot".to_owned())));
    assert!(first_line(&app).contains("no plot: `demo` has no finished epoch"));
    press(&mut app, "Tab");
    app.hear(News::Listed(three_runs()));
    assert_eq!(press(&mut app, "P"), [Effect::Plot(Some(three_runs()[0].journal.clone()))]);
}

#[test]
fn leaving_an_attached_run_asks_nothing_of_it() {
    let mut app = App { role: Role::Attached, ..running() };
    assert!(first_line(&app).contains("attached TRAINING"), "{}", first_line(&app));
    assert_eq!(press(&mut app, "q"), [Effect::Quit]);
    // Ctrl-C offers the stops as well; a second one leaves.
    assert!(press(&mut app, "C-c").is_empty());
    let shown = text(&frame(&app, 100, 30, USUAL));
    assert!(shown.contains("quit; training continues") && shown.contains("stop now, then quit"), "{shown}");
    assert_eq!(press(&mut app, "q"), [Effect::Quit]);
    assert_eq!(press(&mut app, "C-c"), [Effect::Quit]);
    // Someone else's stop ends this one's wish to resume.
    let mut app = App { role: Role::Attached, ..running() };
    event(&mut app, Event::StopRequested { kind: StopKind::AfterEpoch });
    press(&mut app, "n");
    assert!(first_line(&app).contains("cancelling the stop requested"));
    event(&mut app, Event::StopRequested { kind: StopKind::Now });
    assert!(first_line(&app).contains("stopping now"), "{}", first_line(&app));
}

#[test]
fn a_watched_run_is_asked_nothing() {
    let mut app = App { role: Role::Watching, ..running() };
    for key in ["n", "p"] {
        assert!(press(&mut app, key).is_empty(), "{key}");
    }
    assert!(!last_line(&app).contains("stop"), "{}", last_line(&app));
    app.hear(News::Silence);
    let shown = text(&frame(&app, 100, 30, USUAL));
    assert!(shown.contains("ended unexpectedly"), "{shown}");
    assert_eq!(press(&mut app, "C-c"), [Effect::Quit]);
}

/// Everything a user does in an evening, one after the other.
#[test]
fn from_the_start_to_the_plot() {
    // Start: what is prepared is told, then the first steps come.
    let mut app = app(Script::new().preparing());
    app.area = ratatui::layout::Rect::new(0, 0, 120, 40);
    assert!(first_line(&app).contains("PREPARING"));
    let script = Script::new().preparing().start().stage(0).whole_epoch().epoch().steps(80);
    let known = Script::new().preparing().records().len();
    hear(&mut app, &script.clone().records()[known..]);
    assert!(first_line(&app).contains("TRAINING"));
    // Zoom: one pane on the screen, and a part of its axis.
    for key in ["2", "z", "+", "+"] {
        press(&mut app, key);
    }
    let shown = text(&frame(&app, 120, 40, USUAL));
    assert!(shown.contains("2 accuracy") && shown.contains("following") && !shown.contains("1 loss"), "{shown}");
    press(&mut app, "z");
    // The crosshair reads out, on both charts.
    for key in ["0", "c", "Left"] {
        press(&mut app, key);
    }
    assert!(text(&frame(&app, 120, 40, USUAL)).matches("raw ").count() >= 2);
    press(&mut app, "Esc");
    // Stop gently, withdraw, and let it end.
    press(&mut app, "n");
    event(&mut app, Event::StopRequested { kind: StopKind::AfterEpoch });
    assert!(first_line(&app).contains("stopping after epoch 2"));
    press(&mut app, "n");
    event(&mut app, Event::StopWithdrawn);
    let before = script.clone().records().len();
    hear(&mut app, &script.steps(220).evaluation().epoch_end().finish(Outcome::Completed).records()[before..]);
    assert_eq!(app.view.dialog, Some(Dialog::Result));
    assert!(first_line(&app).contains("FINISHED"));
    press(&mut app, "Esc");
    // Browse, compare two, open one, look at its bins and come back, plot both.
    press(&mut app, "Tab");
    app.hear(News::Listed(three_runs()));
    for key in [" ", "Down", " "] {
        for effect in press(&mut app, key) {
            if let Effect::Compare(run) = effect {
                app.hear(News::Compared { id: run.id, state: Box::new(Ok(Script::new().whole().state())) });
            }
        }
    }
    let shown = text(&frame(&app, 120, 40, USUAL));
    assert!(shown.contains("compared") && shown.contains(" A ") && shown.contains(" B "), "{shown}");
    app.hear(News::Opened { id: "demo-b".to_owned(), state: Box::new(Ok(Script::new().whole().state())) });
    press(&mut app, "Enter");
    assert!(text(&frame(&app, 120, 40, USUAL)).contains("8 evaluation"));
    press(&mut app, "Esc");
    let effects = press(&mut app, "P");
    assert!(matches!(&effects[..], [Effect::PlotTogether(journals)] if journals.len() == 2), "{effects:?}");
    app.hear(News::Plotted(Ok("runs/compared.svg".into())));
    assert!(first_line(&app).contains("wrote `runs/compared.svg`"));
    assert_eq!(press(&mut app, "q"), [Effect::Quit]);
}
