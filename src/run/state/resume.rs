//! A run that resumes: what lies beyond the point from which it does is forgotten.

use super::{Phase, RunState, StageProgress, add};
use crate::event::{Continuation, Event, Level, Point, Record};

impl RunState {
    /// Takes in that the run resumes in another process. What is superseded is not folded in at all, see
    /// [`crate::run::journal::push`].
    pub(super) fn resume(&mut self, at: f64, continuation: &Continuation) {
        self.unsaved.clear();
        let Continuation { header, point, path } = continuation;
        // Of a journal nothing is left to take back; whoever watches the run has seen it.
        self.take_back(*point);
        (self.phase, self.preparing) = (Phase::Preparing, None);
        if header.pid != self.header.as_ref().map_or(0, |known| known.pid) {
            self.stop = None;
        }
        match &mut self.header {
            Some(known) if point.within => (known.pid, known.device) = (header.pid, header.device.clone()),
            Some(known) => {
                // The schedule may have been changed on purpose.
                known.clone_from(header);
                self.stages.resize(header.stages.len(), StageProgress::ToCome);
                self.optimizers.resize(header.stages.len(), None);
            }
            // Of a journal that was lost.
            None => self.apply(&Record { at, event: Event::RunStarted(Box::new(header.clone())) }),
        }
        if let Some(comparison) = &mut self.comparison {
            comparison.whole.clone_from(header);
            comparison.rows.resize(header.branches.len(), None);
        }
        let place = match (point.index, point.step) {
            (0 | 1, 0) => "the beginning".to_owned(),
            (index, 0) => format!("the end of epoch {}", self.epoch_number(index - 1)),
            (index, step) => format!("step {step} of epoch {}", self.current.as_ref().map_or(index, |now| now.epoch)),
        };
        self.log(at, Level::Info, format!("the run resumes from {place} (`{path}`)"));
    }

    /// Forgets what lies beyond a point of the line that is trained.
    fn take_back(&mut self, point: Point) {
        let branch = self.comparison.as_ref().and_then(|comparison| comparison.current);
        if point.index == 0 || branch != point.within.then_some(point.branches) {
            return;
        }
        self.epochs.retain(|row| row.index < point.index);
        let before = self.epochs.last().map_or(0, |row| row.total_steps);
        let steps = before + point.step;
        if self.total_steps() > steps {
            self.taken_back += 1;
        }
        self.timeline.take_back(steps);
        self.step_loss.truncate(steps as usize);
        self.step_accuracy.truncate(steps as usize);
        for bin in &mut self.bins {
            bin.results.retain(|(index, _)| *index < point.index);
            bin.best = None;
            for (at, (_, result)) in bin.results.iter().enumerate() {
                let best = bin.best.map(|best: usize| bin.results[best].1.accuracy);
                if result.accuracy.is_finite() && best.is_none_or(|best| result.accuracy > best) {
                    bin.best = Some(at);
                }
            }
        }
        self.stage_steps.retain(|(_, at)| *at < steps);
        let newest = self.stage_steps.last().map(|(stage, _)| *stage);
        for (stage, progress) in self.stages.iter_mut().enumerate() {
            let done = self.epochs.iter().filter(|row| row.stage == stage).count() as u32;
            *progress = match newest {
                Some(newest) if stage < newest => StageProgress::Done,
                Some(newest) if stage == newest => StageProgress::Current(done),
                _ => StageProgress::ToCome,
            };
        }
        for (stage, optimizer) in self.optimizers.iter_mut().enumerate() {
            if newest.is_none_or(|newest| stage > newest) {
                *optimizer = None;
            }
        }
        self.current = self.current.take().filter(|current| point.step > 0 && current.index == point.index);
        if let Some(current) = &mut self.current {
            current.step = point.step;
            (current.loss_sum, current.accuracy_sum) = ((0.0, 0), (0.0, 0));
            add(&mut current.loss_sum, &self.step_loss[(before as usize).min(self.step_loss.len())..]);
            add(&mut current.accuracy_sum, &self.step_accuracy[(before as usize).min(self.step_accuracy.len())..]);
        }
    }
}
