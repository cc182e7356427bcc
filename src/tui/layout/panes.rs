//! The panes of a run: their order, their numbers, which of them are charts.

/// The panes of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::tui) enum Pane {
    /// The stages of the schedule.
    Stages,
    /// Where the training is and how fast.
    Status,
    /// Loss.
    #[default]
    Loss,
    /// Training accuracy.
    Accuracy,
    /// The bins in numbers.
    Evaluation,
    /// The bins' accuracies as curves.
    Bins,
    /// The bins' thresholds as curves.
    Thresholds,
    /// Learning rate.
    LearningRate,
    /// Length of the gradient.
    GradientNorm,
    /// Images a second.
    Speed,
    /// The branches side by side.
    Branches,
    /// How busy the machine is.
    Machine,
    /// The log.
    Log,
}

impl Pane {
    /// All panes, in the order the focus takes; the first nine have that number.
    pub(in crate::tui) const ALL: [Self; 13] = [
        Self::Loss,
        Self::Accuracy,
        Self::Bins,
        Self::LearningRate,
        Self::GradientNorm,
        Self::Speed,
        Self::Thresholds,
        Self::Evaluation,
        Self::Log,
        Self::Branches,
        Self::Stages,
        Self::Status,
        Self::Machine,
    ];

    /// The charts, the most important first.
    pub(in crate::tui) const CHARTS: [Self; 7] =
        [Self::Loss, Self::Accuracy, Self::Bins, Self::LearningRate, Self::GradientNorm, Self::Speed, Self::Thresholds];

    /// Whether it is a chart.
    pub(in crate::tui) fn is_chart(self) -> bool {
        Self::CHARTS.contains(&self)
    }

    /// The number key that focuses it.
    pub(in crate::tui) fn number(self) -> Option<u8> {
        Self::ALL.iter().take(9).position(|pane| *pane == self).map(|at| at as u8 + 1)
    }
}
