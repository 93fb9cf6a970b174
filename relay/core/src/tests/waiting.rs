//! How many actions wait for a session's host.

use moorline_shared::agent::action::SessionAction;
use moorline_shared::limits::{
    ACTIONS_BYTES, ACTIONS_WAITING, AGENT_PROMPT_BYTES, CONTROLS_WAITING,
};

use super::agent::{AT, Disk, prompt, turn};
use crate::action::ActionRefused;

#[test]
fn actions_that_wait_are_bounded() {
    let mut disk = Disk::new();
    for number in 1..=ACTIONS_WAITING as u64 {
        disk.session.act(prompt(number, "go"), AT).unwrap();
    }
    assert_eq!(disk.session.act(prompt(99, "go"), AT), Err(ActionRefused::TooMuch));
    let mut disk = Disk::new();
    let text = "x".repeat(AGENT_PROMPT_BYTES);
    let accepted = (1..).take_while(|it| disk.session.act(prompt(*it, &text), AT).is_ok()).count();
    assert_eq!(accepted, ACTIONS_BYTES / (AGENT_PROMPT_BYTES + 100));
    disk.session.delete();
    assert_eq!(disk.session.act(prompt(99, "go"), AT), Err(ActionRefused::Deleted));
}

#[test]
fn prompts_that_wait_do_not_block_decisions_and_stops() {
    let mut disk = Disk::new();
    disk.link(1, 1);
    disk.asks();
    for number in 1..=ACTIONS_WAITING as u64 {
        disk.session.act(prompt(number, "go"), AT).unwrap();
    }
    disk.store();
    assert_eq!(disk.session.act(prompt(99, "go"), AT), Err(ActionRefused::TooMuch));
    assert!(disk.decide("ann").is_ok());
    let withdraw = |number| SessionAction::Withdraw { turn_id: turn(number) };
    let stop = || SessionAction::Stop { turn_id: None, force: true };
    disk.session.act(withdraw(1), AT).unwrap();
    for _ in 2..CONTROLS_WAITING {
        disk.session.act(stop(), AT).unwrap();
    }
    disk.store();
    disk.restart();
    assert_eq!(disk.session.act(stop(), AT), Err(ActionRefused::TooMuch), "they are bounded too");
    // There is room again for each kind once the host has carried some out.
    disk.link(1, 1);
    disk.acted(ACTIONS_WAITING as u64 + 1, 1);
    disk.store();
    disk.session.act(stop(), AT).unwrap();
    assert_eq!(disk.session.act(stop(), AT), Err(ActionRefused::TooMuch));
    disk.session.act(prompt(99, "go"), AT).unwrap();
}
