//! What the keys of the history tab do: compare, sort, filter, note, delete, train again.

use super::compared::MOST_COMPARED;
use crate::run::history::PastRun;
use crate::run::state::RunState;
use crate::tui::action::{Effect, HistoryAction, Motion, Next, Retrain, Tab};
use crate::tui::app::App;
use crate::tui::app::text_input::Purpose;
use crate::tui::options::Role;
use crate::tui::view::Dialog;

impl App {
    /// Does what a key of the history asks for.
    pub(in crate::tui) fn act_on_history(&mut self, action: HistoryAction) -> Vec<Effect> {
        match action {
            HistoryAction::Compare => {
                let full = self.history.compared.len() == MOST_COMPARED;
                let run = self.history.toggle_compared();
                if full && self.history.compared.len() == MOST_COMPARED {
                    self.say(format!("at most {MOST_COMPARED} runs are compared; remove one first"));
                }
                compare(run)
            }
            HistoryAction::PinBaseline => compare(self.history.pin()),
            HistoryAction::ClearComparison => {
                self.history.compared.clear();
                self.history.baseline = None;
                Vec::new()
            }
            HistoryAction::Sort => {
                self.history.sort_by_next();
                self.open_chosen()
            }
            HistoryAction::Reverse => {
                self.history.reverse();
                self.open_chosen()
            }
            HistoryAction::Filter => self.prompt(Purpose::Filter, &self.history.filter_text.clone()),
            HistoryAction::Tags | HistoryAction::Note => {
                let Some(marks) = self.history.chosen().map(|run| run.marks.clone()) else { return Vec::new() };
                if action == HistoryAction::Tags {
                    self.prompt(Purpose::Tags, &marks.tags.join(" "))
                } else {
                    self.prompt(Purpose::Note, &marks.note)
                }
            }
            HistoryAction::DiffSchedules => self.diff_schedules(),
            HistoryAction::Delete => {
                match self.history.chosen() {
                    Some(run) if run.live => self.say("this run is being trained; stop it first".to_owned()),
                    Some(_) => self.view.dialog = Some(Dialog::Delete),
                    None => {}
                }
                Vec::new()
            }
            HistoryAction::ConfirmDelete => {
                self.view.dialog = None;
                self.history.chosen().map(|run| Effect::Discard(Box::new(run.clone()))).into_iter().collect()
            }
            HistoryAction::Attach => self.attach(),
            HistoryAction::TrainAgain => {
                self.ask_to_train();
                Vec::new()
            }
            HistoryAction::Resume => self.train(false),
            HistoryAction::Restart => self.train(true),
        }
    }

    /// Says something above the panes.
    fn say(&mut self, sentence: String) {
        self.view.notice_age = 0;
        self.view.notice = Some(sentence);
    }

    /// Tells whether a past run was changed.
    pub(in crate::tui) fn run_changed(&mut self, changed: Result<String, String>) {
        self.say(changed.unwrap_or_else(|reason| reason));
    }

    /// Takes in a compared run.
    pub(in crate::tui) fn compared_run(&mut self, id: &str, state: Result<RunState, String>) {
        self.history.read(id, state);
    }

    fn diff_schedules(&mut self) -> Vec<Effect> {
        let (Some(chosen), Some(other)) = (self.history.chosen(), self.history.other()) else {
            self.say("there is no other run to compare the schedule with".to_owned());
            return Vec::new();
        };
        vec![Effect::DiffSchedules(Box::new(other.clone()), Box::new(chosen.clone()))]
    }

    /// Leaves for a run that another process trains.
    fn attach(&mut self) -> Vec<Effect> {
        let Some(run) = self.history.chosen() else { return Vec::new() };
        let own = self.live_state().and_then(|state| state.whole_header());
        let refusal = if own.is_some_and(|header| header.run_id == run.id) {
            "this run is in the training tab".to_owned()
        } else if !run.live {
            "no process trains this run; Enter opens it".to_owned()
        } else if self.training() && self.role == Role::Trainer {
            format!("use `facetui attach {}` in another terminal: a run is being trained here", run.id)
        } else if let Some(folder) = run.journal.parent() {
            return vec![Effect::Then(Next::Attach(folder.to_path_buf()))];
        } else {
            return Vec::new();
        };
        self.say(refusal);
        Vec::new()
    }

    fn ask_to_train(&mut self) {
        let Some(run) = self.history.chosen() else { return };
        let refusal = if self.training() {
            Some("a run is being trained here; start another facetui")
        } else if run.live {
            Some("this run is already being trained")
        } else if run.schedule().is_none() {
            Some("only its history is left; there is no schedule to train")
        } else {
            None
        };
        match refusal {
            Some(refusal) => self.say(refusal.to_owned()),
            None => self.view.dialog = Some(Dialog::Train),
        }
    }

    fn train(&mut self, fresh: bool) -> Vec<Effect> {
        self.view.dialog = None;
        let retrain = |run: &PastRun| Some(Retrain { schedule: run.schedule()?, name: run.name.clone(), fresh });
        // A branch begins where the stages before it end: there is no schedule of it alone.
        let run = self.history.chosen().map(|run| self.history.whole_of(run).unwrap_or(run));
        run.and_then(retrain).map(|retrain| Effect::Then(Next::Train(retrain))).into_iter().collect()
    }

    /// Scrolls the difference of two schedules, or chooses nothing.
    pub(in crate::tui) fn scroll_schedule_diff(&mut self, motion: Motion) {
        let lines = match &self.history.schedule_diff {
            Some((_, Ok(lines))) => lines.len(),
            _ => 0,
        };
        let at = self.history.schedule_diff_scroll;
        self.history.schedule_diff_scroll = motion.moved(at, lines.saturating_sub(1));
    }

    /// Whether runs are compared on the screen.
    pub(in crate::tui) fn compares(&self) -> bool {
        self.view.tab == Tab::History && !self.history.full && !self.history.compared.is_empty()
    }
}

/// Has a run read that is compared from now on.
fn compare(run: Option<PastRun>) -> Vec<Effect> {
    run.map(|run| Effect::Compare(Box::new(run))).into_iter().collect()
}
