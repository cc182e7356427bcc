//! The names of actions in `config.toml` and in `facetui keys`, and the older names that are still understood.

use crate::tui::action::{Action, ChartAction, HistoryAction, Motion};

/// Every action that keys can be given: the action, its name, and its older name where that was another.
const IDS: &[(Action, &str, Option<&str>)] = &[
    (Action::ToggleStop, "toggle_stop", None),
    (Action::TogglePause, "toggle_pause", None),
    (Action::EvaluateNow, "evaluate_now", None),
    (Action::SaveNow, "save_now", None),
    (Action::EditLearningRate, "learning_rate_edit", Some("ask_rate")),
    (Action::LearningRateUp, "learning_rate_up", Some("step_rate_true")),
    (Action::LearningRateDown, "learning_rate_down", Some("step_rate_false")),
    (Action::ApplyLearningRate, "learning_rate_apply", Some("apply_rate")),
    (Action::Erase, "learning_rate_erase", Some("erase")),
    (Action::AskStopNow, "ask_stop_now", None),
    (Action::StopNow, "confirm_stop_now", Some("stop_now")),
    (Action::StopAfterEpoch, "stop_after_epoch", Some("stop_gently")),
    (Action::StopAfterEpochAndQuit, "stop_after_epoch_and_quit", Some("stop_after_epoch_and_leave")),
    (Action::StopNowAndQuit, "stop_now_and_quit", Some("stop_now_and_leave")),
    (Action::Quit, "quit", Some("leave")),
    (Action::Detach, "detach", None),
    (Action::Interrupt, "interrupt", None),
    (Action::Suspend, "suspend", None),
    (Action::Redraw, "redraw", None),
    (Action::Help, "help", None),
    (Action::Commands, "commands", Some("command")),
    (Action::Close, "close", None),
    (Action::NextTab, "next_tab", None),
    (Action::ToggleMouse, "toggle_mouse", None),
    (Action::Move(Motion::Up), "scroll_up", Some("move_up")),
    (Action::Move(Motion::Down), "scroll_down", Some("move_down")),
    (Action::Move(Motion::PageUp), "page_up", Some("move_page_up")),
    (Action::Move(Motion::PageDown), "page_down", Some("move_page_down")),
    (Action::Move(Motion::Home), "scroll_to_start", Some("move_home")),
    (Action::Move(Motion::End), "scroll_to_end", Some("move_end")),
    (Action::OpenBin, "open_bin", Some("look")),
    (Action::NextBin, "next_bin", Some("look_beside_true")),
    (Action::PreviousBin, "previous_bin", Some("look_beside_false")),
    (Action::ToggleBest, "toggle_best", None),
    (Action::TogglePairKind, "toggle_pair_kind", Some("toggle_kind")),
    (Action::Warnings, "show_warnings", Some("warnings")),
    (Action::Machine, "show_machine", Some("machine")),
    (Action::Branches, "show_branches", Some("branches")),
    (Action::SavePlot, "save_plot", Some("plot")),
    (Action::ZoomPane, "zoom_pane", Some("zoom")),
    (Action::FocusNext, "focus_next", None),
    (Action::FocusPrevious, "focus_previous", None),
    (Action::Focus(1), "focus_loss", Some("focus_1")),
    (Action::Focus(2), "focus_accuracy", Some("focus_2")),
    (Action::Focus(3), "focus_bins", Some("focus_3")),
    (Action::Focus(4), "focus_learning_rate", Some("focus_4")),
    (Action::Focus(5), "focus_gradient_norm", Some("focus_5")),
    (Action::Focus(6), "focus_speed", Some("focus_6")),
    (Action::Focus(7), "focus_thresholds", Some("focus_7")),
    (Action::Focus(8), "focus_evaluation", Some("focus_8")),
    (Action::Focus(9), "focus_log", Some("focus_9")),
    (Action::ResetBorders, "reset_borders", None),
    (Action::Chart(ChartAction::NextXAxis), "next_x_axis", Some("chart_axis")),
    (Action::Chart(ChartAction::ToggleLogY), "toggle_log_y", Some("chart_log")),
    (Action::Chart(ChartAction::ToggleSmoothing), "toggle_smoothing", Some("chart_smoothing")),
    (Action::Chart(ChartAction::SmoothLess), "smooth_less", Some("chart_weaker")),
    (Action::Chart(ChartAction::SmoothMore), "smooth_more", Some("chart_stronger")),
    (Action::Chart(ChartAction::ToggleOutliers), "toggle_outliers", Some("chart_calm")),
    (Action::Chart(ChartAction::ToggleStage), "toggle_stage", Some("chart_stage")),
    (Action::Chart(ChartAction::ZoomIn), "zoom_in", Some("chart_zoom_in")),
    (Action::Chart(ChartAction::ZoomOut), "zoom_out", Some("chart_zoom_out")),
    (Action::Chart(ChartAction::ResetZoom), "reset_zoom", Some("chart_whole")),
    (Action::Chart(ChartAction::PanLeft), "pan_left", Some("chart_pan_left")),
    (Action::Chart(ChartAction::PanRight), "pan_right", Some("chart_pan_right")),
    (Action::Chart(ChartAction::ToggleFollow), "toggle_follow", Some("chart_follow")),
    (Action::Chart(ChartAction::ToggleCrosshair), "toggle_crosshair", Some("chart_cross")),
    (Action::Chart(ChartAction::MoveCrosshair(-1)), "crosshair_left", Some("chart_cross_by_-1")),
    (Action::Chart(ChartAction::MoveCrosshair(1)), "crosshair_right", Some("chart_cross_by_1")),
    (Action::Chart(ChartAction::MoveCrosshair(-10)), "crosshair_left_fast", Some("chart_cross_by_-10")),
    (Action::Chart(ChartAction::MoveCrosshair(10)), "crosshair_right_fast", Some("chart_cross_by_10")),
    (Action::OpenRun, "open_run", Some("open")),
    (Action::Refresh, "refresh_runs", Some("refresh")),
    (Action::History(HistoryAction::Compare), "compare_run", Some("past_compare")),
    (Action::History(HistoryAction::PinBaseline), "pin_baseline", Some("past_pin")),
    (Action::History(HistoryAction::ClearComparison), "clear_comparison", Some("past_clear")),
    (Action::History(HistoryAction::Filter), "filter_runs", Some("past_filter")),
    (Action::History(HistoryAction::Sort), "sort_runs", Some("past_sort")),
    (Action::History(HistoryAction::Reverse), "reverse_runs", Some("past_reverse")),
    (Action::History(HistoryAction::Tags), "edit_tags", Some("past_tags")),
    (Action::History(HistoryAction::Note), "edit_note", Some("past_note")),
    (Action::History(HistoryAction::DiffSchedules), "diff_schedules", Some("past_difference")),
    (Action::History(HistoryAction::Delete), "delete_run", Some("past_delete")),
    (Action::History(HistoryAction::ConfirmDelete), "confirm_delete", Some("past_delete_for_sure")),
    (Action::History(HistoryAction::Attach), "attach_run", Some("past_attach")),
    (Action::History(HistoryAction::TrainAgain), "train_again", Some("past_train")),
    (Action::History(HistoryAction::Resume), "resume_run", Some("past_resume")),
    (Action::History(HistoryAction::Restart), "restart_run", Some("past_repeat")),
];

/// An action's name in the settings.
pub(in crate::tui) fn id(action: Action) -> &'static str {
    // Letters that are typed into the prompt are no binding.
    IDS.iter().find(|(known, ..)| *known == action).map_or("type", |(_, id, _)| id)
}

/// The action of a name, or of an older name.
pub(in crate::tui) fn action(name: &str) -> Option<Action> {
    IDS.iter().find(|(_, id, old)| *id == name || *old == Some(name)).map(|(action, ..)| *action)
}

/// The names of all actions.
pub(in crate::tui) fn all() -> impl Iterator<Item = &'static str> {
    IDS.iter().map(|(_, id, _)| *id)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::tui::keymap::bindings::BINDINGS;

    /// Every older name: what the `Debug` text of the actions was.
    const OLD: &[&str] = &[
        "toggle_stop",
        "toggle_pause",
        "look",
        "look_beside_false",
        "look_beside_true",
        "toggle_best",
        "toggle_kind",
        "warnings",
        "open",
        "plot",
        "past_compare",
        "past_filter",
        "past_sort",
        "past_reverse",
        "past_pin",
        "past_clear",
        "past_difference",
        "past_tags",
        "past_note",
        "past_attach",
        "past_train",
        "past_delete",
        "refresh",
        "close",
        "leave",
        "help",
        "command",
        "next_tab",
        "branches",
        "chart_axis",
        "chart_log",
        "chart_smoothing",
        "zoom",
        "chart_weaker",
        "chart_stronger",
        "chart_calm",
        "chart_stage",
        "chart_cross",
        "chart_cross_by_-1",
        "chart_cross_by_1",
        "chart_cross_by_-10",
        "chart_cross_by_10",
        "chart_zoom_in",
        "chart_zoom_out",
        "chart_pan_left",
        "chart_pan_right",
        "chart_follow",
        "chart_whole",
        "focus_1",
        "focus_2",
        "focus_3",
        "focus_4",
        "focus_5",
        "focus_6",
        "focus_7",
        "focus_8",
        "focus_9",
        "focus_next",
        "focus_previous",
        "reset_borders",
        "toggle_mouse",
        "machine",
        "evaluate_now",
        "save_now",
        "ask_rate",
        "ask_stop_now",
        "move_up",
        "move_down",
        "move_page_up",
        "move_page_down",
        "move_home",
        "move_end",
        "detach",
        "stop_after_epoch_and_leave",
        "stop_now_and_leave",
        "stop_now",
        "stop_gently",
        "apply_rate",
        "step_rate_true",
        "step_rate_false",
        "erase",
        "past_delete_for_sure",
        "past_resume",
        "past_repeat",
        "interrupt",
        "suspend",
        "redraw",
    ];

    #[test]
    fn every_action_has_one_name_and_every_name_one_action() {
        let mut names = HashSet::new();
        for (action, id, old) in IDS {
            assert!(
                names.insert(*id) && old.is_none_or(|old| names.insert(old)),
                "`{id}` or its old name is used twice"
            );
            assert_eq!(super::id(*action), *id, "{action:?} has two names");
            let plain = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_';
            assert!(id.chars().all(plain) && !id.starts_with('_') && !id.ends_with('_'), "`{id}` is not snake_case");
        }
        for binding in BINDINGS {
            assert_eq!(action(id(binding.action)), Some(binding.action), "{:?} has no name", binding.action);
        }
    }

    #[test]
    fn every_old_name_still_means_its_action() {
        let mut actions = Vec::new();
        for old in OLD {
            let found = action(old).unwrap_or_else(|| panic!("`{old}` is forgotten"));
            assert!(!actions.contains(&found), "`{old}` means {found:?}, as another old name does");
            actions.push(found);
        }
        assert_eq!(actions.len(), IDS.len(), "every action had a name");
        assert_eq!(action("step_rate_true"), Some(Action::LearningRateUp));
        assert_eq!(action("chart_cross_by_-10"), Some(Action::Chart(ChartAction::MoveCrosshair(-10))));
        assert_eq!(action("past_pin"), Some(Action::History(HistoryAction::PinBaseline)));
    }
}
