//! The order in which actions are reported as carried out.

use std::collections::BTreeSet;

use moorline_shared::agent::action::ActionNumber;

/// Actions that have begun, and those that are reported. An action whose consequences are not
/// recorded yet holds back the report of later ones, because a report covers all earlier actions.
#[derive(Debug, Default)]
pub(super) struct ActionProgress {
    /// Actions that have begun and not finished.
    pending: BTreeSet<ActionNumber>,
    /// The last action that has finished.
    last: ActionNumber,
    /// The last action that was reported.
    reported: ActionNumber,
}

impl ActionProgress {
    pub(super) fn begin(&mut self, number: ActionNumber) {
        self.pending.insert(number);
    }

    /// Finishes an action. Returns the last action that can be reported now, if one can.
    pub(super) fn finish(&mut self, number: ActionNumber) -> Option<ActionNumber> {
        self.pending.remove(&number);
        self.last = self.last.max(number);
        let held = self.pending.first().map(|first| ActionNumber(first.0.saturating_sub(1)));
        let reports = held.map_or(self.last, |held| held.min(self.last));
        (reports > self.reported).then(|| {
            self.reported = reports;
            reports
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_that_has_not_finished_holds_back_later_ones() {
        let mut actions = ActionProgress::default();
        assert_eq!(actions.finish(ActionNumber(1)), Some(ActionNumber(1)));
        actions.begin(ActionNumber(2));
        assert_eq!(actions.finish(ActionNumber(3)), None);
        actions.begin(ActionNumber(4));
        assert_eq!(actions.finish(ActionNumber(2)), Some(ActionNumber(3)));
        assert_eq!(actions.finish(ActionNumber(4)), Some(ActionNumber(4)));
        assert_eq!(actions.finish(ActionNumber(4)), None);
    }
}
