use moorline_shared::agent::prompt::{Prompt, PromptImage};
use moorline_shared::limits::{AGENT_PROMPT_BYTES, QUEUED_PROMPTS};

use super::*;
use crate::driver::agent::AgentSettings;

#[test]
fn prompts_with_images_are_stored_once_and_not_at_each_step() {
    let shared = SharedMachine::new(AgentMachine::new(AgentSettings::default()));
    for number in 0..QUEUED_PROMPTS {
        let data = format!("{number:03}").repeat(AGENT_PROMPT_BYTES / 3);
        let images = vec![PromptImage { mime_type: "image/png".into(), data }];
        let prompt = Prompt { images, ..Prompt::text(format!("prompt {number}")) };
        let turn_id = format!("turn_{number:04}").parse().unwrap();
        let (by, steer) = ("me".to_owned(), false);
        let action = SessionAction::Prompt { turn_id, prompt, by, steer };
        shared.act(ActionNumber(number as u64 + 1), action, None);
    }
    while shared.try_output().is_some() {}
    let first = shared.checkpoint(&BTreeSet::new());
    assert_eq!(first.fresh.len(), QUEUED_PROMPTS);
    let next = shared.checkpoint(&first.contents);
    assert_eq!((next.fresh.len(), &next.contents), (0, &first.contents));
    assert!(next.state.len() < 128 * 1024, "{} bytes at each step", next.state.len());
    let contents = first.fresh.into_iter().collect();
    let stored = StoredCheckpoint { state: next.state.clone(), contents };
    let restored = SharedMachine::restored(&stored).unwrap();
    let again = restored.checkpoint(&BTreeSet::new());
    assert_eq!(again.contents, next.contents);
    let content = |state: &DriverCheckpoint| state.fresh.iter().map(|it| it.1.len()).sum::<usize>();
    assert!(content(&again) > QUEUED_PROMPTS * AGENT_PROMPT_BYTES, "the images are there");
}
#[test]
fn a_flush_ends_when_all_that_was_said_is_reported() {
    let shared = SharedMachine::new(AgentMachine::new(AgentSettings::default()));
    while shared.try_output().is_some() {}
    let mut done = shared.flush();
    assert!(shared.try_output().is_some(), "a checkpoint");
    assert_eq!(done.try_recv(), Ok(()), "nothing was to be reported");
    shared.handle(AgentInput::NotStarted { message: "no".into() });
    let mut done = shared.flush();
    let mut count = 0;
    while done.try_recv().is_err() {
        assert!(shared.try_output().is_some());
        count += 1;
    }
    assert!(count > 1, "{count}");
}
