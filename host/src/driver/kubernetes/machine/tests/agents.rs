//! The pods of agents.

use super::*;

fn agent_plan() -> PodPlan {
    let minutes = |template: &mut PodTemplate| template.idle_minutes = Some(5);
    PodPlan { agent: true, ..plan(minutes) }
}

fn bench(machine: PodMachine) -> Bench {
    let now = Time::from_ms(1_000_000);
    Bench { machine, now, phase: PodPhase::Ended, reason: None, said: String::new() }
}

fn ready() -> Bench {
    let mut bench = bench(PodMachine::new(&agent_plan(), Time::from_ms(1_000_000)));
    bench.tell(PodInput::Observed(Some(running())));
    bench.tell(PodInput::Delivered(Ok(())));
    bench.tell(PodInput::Attached);
    assert_eq!(bench.phase, PodPhase::Ready);
    bench
}

fn gone(reason: &str, is_idle: bool) -> PodOutput {
    PodOutput::Gone { reason: reason.to_owned(), is_idle }
}

const DELETE: PodOutput = PodOutput::Delete { claim: false };

#[test]
fn the_end_of_an_agent_suspends_its_session_and_a_prompt_brings_another() {
    let mut bench = ready();
    let outputs = bench.tell(PodInput::Exited(ExitStatus::default()));
    assert_eq!(outputs, [gone("the agent has ended", false), PodOutput::Detach, DELETE]);
    assert!(bench.machine.is_gone() && bench.said.contains("The next prompt"));
    // One that comes before the pod is gone waits for that.
    assert_eq!(bench.tell(PodInput::Typed), []);
    assert_eq!(bench.tell(PodInput::Observed(None)), [PodOutput::Create]);
    assert!(!bench.machine.is_gone());
    assert!(!bench.said.contains("not ready yet"), "{}", bench.said);
    bench.tell(PodInput::Created(Ok(CreatedPod::Exists)));
    // A kill before there is a connection.
    let outputs = bench.tell(PodInput::Exited(ExitStatus::default()));
    assert_eq!(outputs[0], gone("the agent has ended", false));
}

#[test]
fn an_agents_pod_is_idle_unless_a_turn_runs() {
    let mut bench = ready();
    bench.tell(PodInput::Active { running: true });
    assert_eq!(bench.machine.poll_timeout(), None);
    bench.tell(PodInput::Active { running: false });
    let (slept, outputs) = bench.sleep();
    assert_eq!(slept, Duration::from_secs(300));
    let reason = "the session was idle for 5 minutes";
    assert_eq!(outputs, [gone(reason, true), PodOutput::Detach, DELETE]);
    assert_eq!(bench.tell(PodInput::Observed(None)), []);
    assert_eq!((bench.phase, bench.reason.as_deref()), (PodPhase::Suspended, Some("idle")));
    assert_eq!(bench.tell(PodInput::Typed), [PodOutput::Create]);
}

#[test]
fn a_first_pod_of_an_agent_that_fails_leaves_the_session() {
    let mut bench = bench(PodMachine::new(&agent_plan(), Time::from_ms(1_000_000)));
    let (_, outputs) = bench.sleep();
    let message = "the pod was not ready within 60 seconds";
    assert_eq!(
        outputs,
        [
            PodOutput::Report { code: "not_ready", message: message.to_owned() },
            gone(message, false),
            PodOutput::Detach,
            PodOutput::Delete { claim: true },
        ]
    );
    bench.tell(PodInput::Observed(None));
    assert_eq!(bench.tell(PodInput::Typed), [PodOutput::Create]);
    let over = bench.tell(PodInput::Close);
    assert!(matches!(over.last(), Some(PodOutput::End(_))), "{over:?}");
}

#[test]
fn the_end_is_told_before_the_last_files_and_once() {
    let workspace = PlannedWorkspace { id: "notes_1234".parse().unwrap(), host: "h".into() };
    let plan = PodPlan { workspace: Some(workspace), ..agent_plan() };
    let mut bench = bench(PodMachine::new(&plan, Time::from_ms(1_000_000)));
    bench.tell(PodInput::Observed(Some(running())));
    bench.tell(PodInput::Delivered(Ok(())));
    bench.tell(PodInput::Attached);
    let (_, outputs) = bench.sleep();
    let reason = "the session was idle for 5 minutes";
    assert_eq!(outputs, [gone(reason, true), PodOutput::Settle]);
    assert_eq!(bench.tell(PodInput::Typed), []);
    let outputs = bench.tell(PodInput::Settled(None));
    assert_eq!(outputs, [PodOutput::Detach, DELETE]);
    assert_eq!(bench.tell(PodInput::Observed(None)), [PodOutput::Create]);
}

#[test]
fn a_pod_of_an_agent_that_does_not_run_is_deleted() {
    let mut bench = bench(PodMachine::resting(&agent_plan(), Time::from_ms(1_000_000)));
    assert_eq!(bench.outputs(), [DELETE]);
    assert_eq!(bench.tell(PodInput::Observed(Some(running()))), []);
    assert_eq!(bench.tell(PodInput::Observed(None)), []);
    assert_eq!(bench.phase, PodPhase::Suspended);
    assert_eq!(bench.tell(PodInput::Typed), [PodOutput::Create]);
}
