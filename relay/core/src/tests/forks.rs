//! What is open where a session is forked or lost, and what fits into an event.

use moorline_shared::agent::approval::ApprovalState;
use moorline_shared::agent::prompt::TurnState;
use moorline_shared::fold::DecisionRefused;
use moorline_shared::limits::AGENT_EVENT_BYTES;
use serde_json::json;

use super::agent::{AT, Disk, confirmed, prompt, turn};
use super::*;

#[test]
fn what_its_source_left_open_is_over_in_a_fork() {
    let mut disk = Disk::new();
    disk.link(1, 4);
    disk.asks();
    disk.event("agent-turn", json!({ "turnId": turn(1), "state": "running" }));
    disk.event("agent-turn", json!({ "turnId": turn(2), "state": "queued" }));
    assert_eq!(disk.state(), ApprovalState::Requested);
    disk.event("session-forked", json!({}));
    assert_eq!(disk.state(), ApprovalState::Withdrawn);
    let refused = disk.decide("ann");
    assert_eq!(refused, Err(DecisionRefused::Withdrawn.into()));
    let view = disk.session.agent(AT);
    let turns: Vec<_> = view.turns.entries().iter().map(|turn| turn.state).collect();
    assert_eq!(turns, [TurnState::Failed, TurnState::Withdrawn]);
    assert_eq!(view.turns.entries()[0].error.as_ref().unwrap().code, "forked");
    let overview = disk.session.agent_overview(AT).unwrap();
    assert_eq!((overview.approvals, overview.queued), (0, 0));
}

#[test]
fn a_session_that_is_over_has_no_agent_in_any_state() {
    for (phase, over) in [("ready", "exited"), ("failed", "failed")] {
        let mut disk = Disk::new();
        disk.link(1, 2);
        disk.event("agent-state", json!({ "value": "waiting", "tool": "edit" }));
        disk.event("agent-info", json!({ "phase": phase }));
        let agent = disk.session.agent_overview(AT).unwrap();
        assert_eq!(
            (agent.state.as_deref(), agent.phase.as_deref()),
            (Some("waiting"), Some(phase))
        );
        disk.session.handle(NOW, SessionInput::HostLost);
        let agent = disk.session.agent_overview(AT).unwrap();
        assert_eq!((agent.state, agent.tool, agent.phase.as_deref()), (None, None, Some(over)));
    }
}

#[test]
fn a_fork_begins_with_the_approvals_of_its_point() {
    let mut disk = Disk::new();
    disk.link(1, 4);
    disk.asks();
    disk.event("approval-request", json!({ "approvalId": "approval_2", "digest": "d2" }));
    disk.event("approval-confirmed", confirmed());
    disk.event("approval-request", json!({ "approvalId": "approval_3", "digest": "d3" }));
    let states = |seq| {
        let agent = disk.session.agent_at(Seq(seq));
        let entries = agent.summary.approvals.entries().iter();
        entries.map(|entry| entry.state).collect::<Vec<_>>()
    };
    let (open, over) = (ApprovalState::Requested, ApprovalState::Delivered);
    assert_eq!(states(1), [open]);
    assert_eq!(states(2), [open, open], "it was decided later");
    assert_eq!(states(3), [over, open]);
    assert_eq!(states(4), [over, open, open]);
}

#[test]
fn what_is_foreseen_fits_into_an_event() {
    let mut disk = Disk::new();
    for number in 1..=5 {
        disk.session.act(prompt(number, &"\u{1}".repeat(30_000)), AT).unwrap();
        disk.store();
    }
    let pending = disk.session.agent_pending();
    let json = serde_json::to_vec(&pending).unwrap();
    assert!(json.len() <= AGENT_EVENT_BYTES, "{}", json.len());
    assert!(pending.turns.len() == 5 && pending.turns.iter().all(|turn| turn.truncated));
}
