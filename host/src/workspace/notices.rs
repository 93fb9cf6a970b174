//! The notices about a session's folder that its users get.

use moorline_shared::failure::HostFailure;

/// The code of a session whose folder is not in sync with its workspace.
pub(crate) const NOT_SYNCED: &str = "workspace_not_synced";

/// The problems of a folder that a session's users were told.
#[derive(Debug, Default)]
pub(crate) struct SyncNotices {
    /// The problem that was told last, unless it has passed.
    told: Option<HostFailure>,
}

impl SyncNotices {
    /// Takes the reason why not everything is in sync, if there is one. Returns it unless one of its
    /// kind was told already.
    pub(crate) fn problem(&mut self, problem: Option<HostFailure>) -> Option<HostFailure> {
        // A relay that is away is no fault of the session, and not heard by it now.
        let problem = problem.filter(|problem| problem.code != "relay_away");
        let before = std::mem::replace(&mut self.told, problem.clone());
        problem.filter(|problem| before.is_none_or(|told| told.code != problem.code))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_told_once_until_it_has_passed() {
        let mut notices = SyncNotices::default();
        let full = |path: &str| Some(HostFailure::new("workspace_full", path));
        assert_eq!(notices.problem(full("a")), full("a"));
        assert_eq!(notices.problem(full("b")), None);
        let other = Some(HostFailure::new("path_collision", "why"));
        assert_eq!(notices.problem(other.clone()), other);
        assert_eq!(notices.problem(Some(HostFailure::new("relay_away", "why"))), None);
        assert_eq!(notices.problem(other.clone()), other);
        assert_eq!(notices.problem(None), None);
        assert_eq!(notices.problem(full("a")), full("a"));
    }
}
