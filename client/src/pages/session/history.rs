//! A session's activity over the last minutes, in steps of equal length.

use std::collections::VecDeque;

/// The length of a step, in milliseconds.
pub const STEP_MS: u32 = 5_000;
/// The number of steps in five minutes. One more is kept: the step that is still going on.
pub const STEPS: usize = 60;

/// Steps of time, oldest first. The last one is still going on.
#[derive(Debug, Clone, PartialEq)]
pub struct History {
    began_ms: f64,
    steps: VecDeque<HistoryStep>,
}

/// The activity within one step.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HistoryStep {
    /// The output in this step, in bytes.
    pub bytes: u64,
    /// The number of clients, as it was reported last.
    pub clients: usize,
}

impl History {
    /// Creates a history that begins now.
    #[must_use]
    pub fn new(now_ms: f64) -> Self {
        Self { began_ms: now_ms, steps: VecDeque::from([HistoryStep::default()]) }
    }

    /// Adds steps up to the current time. Hidden pages call this rarely, so several may be due.
    pub fn advance(&mut self, now_ms: f64) {
        let step = f64::from(STEP_MS);
        let clients = self.steps.back().map_or(0, |last| last.clients);
        let passed = ((now_ms - self.began_ms) / step).max(0.0) as usize;
        self.began_ms += passed as f64 * step;
        for _ in 0..passed.min(STEPS + 1) {
            self.steps.push_back(HistoryStep { bytes: 0, clients });
            if self.steps.len() > STEPS + 1 {
                self.steps.pop_front();
            }
        }
    }

    /// Adds output to the current step.
    pub fn output(&mut self, bytes: u64) {
        if let Some(step) = self.steps.back_mut() {
            step.bytes += bytes;
        }
    }

    /// Sets the number of clients in the current step.
    pub fn clients(&mut self, now: usize) {
        if let Some(step) = self.steps.back_mut() {
            step.clients = now;
        }
    }

    /// Returns the steps, oldest first.
    pub fn steps(&self) -> impl Iterator<Item = HistoryStep> {
        self.steps.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn what_happens_is_counted_in_its_step() {
        let mut history = History::new(1_000.0);
        history.output(10);
        history.clients(2);
        history.advance(5_999.0);
        history.output(5);
        history.advance(17_000.0);
        history.output(1);
        let steps: Vec<_> = history.steps().map(|step| (step.bytes, step.clients)).collect();
        assert_eq!(steps, [(15, 2), (0, 2), (0, 2), (1, 2)]);
    }

    #[test]
    fn only_the_last_minutes_are_kept() {
        let mut history = History::new(0.0);
        history.output(1);
        history.advance(1e12);
        assert_eq!(history.steps().count(), STEPS + 1);
        assert!(history.steps().all(|step| step.bytes == 0));
        // Setting the clock back only stops the history.
        history.advance(0.0);
        history.advance(1e12 + 5_000.0);
        assert_eq!(history.steps().count(), STEPS + 1);
    }
}
