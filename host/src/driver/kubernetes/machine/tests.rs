mod agents;

use std::collections::BTreeMap;

use moorline_shared::failure::HostFailure;
use moorline_shared::pod::PodTemplate;
use moorline_shared::session::{ExitReason, ExitStatus, Size};

use super::super::manifest::PlannedWorkspace;
use super::*;
use crate::keeper::Vitals;

/// A machine, with a clock.
struct Bench {
    machine: PodMachine,
    now: Time,
    phase: PodPhase,
    reason: Option<String>,
    said: String,
}

fn plan(change: impl FnOnce(&mut PodTemplate)) -> PodPlan {
    let mut template = PodTemplate::default();
    change(&mut template);
    PodPlan {
        session_id: "session_1".parse().unwrap(),
        installation: "abc".into(),
        namespace: "default".into(),
        template,
        env: BTreeMap::new(),
        command: Vec::new(),
        cwd: "/app/workspace".into(),
        size: Size::default(),
        workspace: None,
        agent: false,
    }
}

fn running() -> PodView {
    PodView { uid: "u".into(), phase: "Running".into(), running: true, ..PodView::default() }
}

fn over(phase: &str, reason: &str) -> PodView {
    let trouble = PodTrouble { reason: reason.into(), message: "a message".into() };
    PodView { phase: phase.into(), running: false, trouble: Some(trouble), ..running() }
}

impl Bench {
    fn new(change: impl FnOnce(&mut PodTemplate)) -> Self {
        let now = Time::from_ms(1_000_000);
        let mut bench = Self {
            machine: PodMachine::new(&plan(change), now),
            now,
            phase: PodPhase::Ended,
            reason: None,
            said: String::new(),
        };
        assert_eq!(bench.outputs(), []);
        bench
    }

    /// A session whose pod is ready.
    fn ready(change: impl FnOnce(&mut PodTemplate)) -> Self {
        let mut bench = Self::new(change);
        assert_eq!(bench.tell(PodInput::Observed(Some(running()))), [PodOutput::Deliver]);
        assert_eq!(bench.tell(PodInput::Delivered(Ok(()))), [PodOutput::Attach]);
        assert_eq!(bench.tell(PodInput::Attached), []);
        assert_eq!(bench.phase, PodPhase::Ready);
        bench
    }

    fn tell(&mut self, input: PodInput) -> Vec<PodOutput> {
        self.machine.handle(self.now, input);
        self.outputs()
    }

    /// Takes the outputs that are not words.
    fn outputs(&mut self) -> Vec<PodOutput> {
        let mut outputs = Vec::new();
        while let Some(output) = self.machine.poll_output() {
            match output {
                PodOutput::Tell(status) => {
                    (self.phase, self.reason) = (status.phase, status.reason)
                }
                PodOutput::Say(text) => self.said.push_str(&text),
                output => outputs.push(output),
            }
        }
        outputs
    }

    /// Lets the time of the timeout come.
    fn sleep(&mut self) -> (Duration, Vec<PodOutput>) {
        let due = self.machine.poll_timeout().unwrap();
        let slept = due - self.now;
        self.now = due;
        (slept, self.tell(PodInput::Timeout))
    }
}

#[test]
fn a_pod_becomes_ready_and_the_end_of_its_program_is_the_sessions() {
    let mut bench = Bench::ready(|_| ());
    assert_eq!(bench.machine.poll_timeout(), None);
    let status = ExitStatus { code: Some(3), ..ExitStatus::default() };
    let outputs = bench.tell(PodInput::Exited(status.clone()));
    let delete = PodOutput::Delete { claim: false };
    assert_eq!(outputs, [PodOutput::Detach, delete, PodOutput::End(status)]);
    assert_eq!((bench.phase, bench.reason.take()), (PodPhase::Ended, None));
    assert_eq!(bench.tell(PodInput::Typed), []);
}

#[test]
fn a_first_pod_that_does_not_become_ready_ends_the_session_with_the_clusters_reason() {
    let mut bench = Bench::new(|_| ());
    let unmet = PodView { running: false, phase: "Pending".into(), ..over("", "Unschedulable") };
    assert_eq!(bench.tell(PodInput::Observed(Some(unmet))), []);
    assert_eq!(bench.reason.as_deref(), Some("unschedulable"));
    assert_eq!(bench.tell(PodInput::Typed), []);
    assert_eq!(bench.tell(PodInput::Typed), []);
    let early = "Error: Pod is not ready yet. Current status: Pending\r\nPlease wait...\r\n";
    assert_eq!(std::mem::take(&mut bench.said), early);
    let (slept, outputs) = bench.sleep();
    assert_eq!(slept, Duration::from_secs(60));
    let message = "no node has room for the pod: a message".to_owned();
    let end = ExitStatus { reason: Some(ExitReason::PodFailed), ..ExitStatus::default() };
    assert_eq!(
        outputs,
        [
            PodOutput::Report { code: "unschedulable", message },
            PodOutput::Detach,
            PodOutput::Delete { claim: true },
            PodOutput::End(end),
        ]
    );
    assert_eq!(
        bench.said,
        "Error: Failed to create execution pod\r\nDetails: no node has room for the pod: a \
         message\r\n"
    );
}

#[test]
fn a_connection_is_made_again_for_as_long_as_the_pod_runs() {
    let mut bench = Bench::ready(|_| ());
    assert_eq!(bench.tell(PodInput::Lost("cut".into())), []);
    assert_eq!(bench.phase, PodPhase::Ready, "most losses are over at once");
    assert_eq!(bench.sleep(), (Duration::ZERO, vec![PodOutput::Attach]));
    let mut waits = Vec::new();
    for _ in 0..10 {
        assert_eq!(bench.tell(PodInput::Lost("refused".into())), []);
        let (slept, outputs) = bench.sleep();
        assert_eq!(outputs, [PodOutput::Attach]);
        waits.push(slept.as_millis());
    }
    assert_eq!(waits, [100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000, 5000]);
    assert_eq!(bench.phase, PodPhase::Reconnecting);
    assert_eq!(bench.tell(PodInput::Attached), []);
    assert_eq!((bench.phase, bench.reason), (PodPhase::Ready, None));
}

#[test]
fn a_pod_that_is_lost_suspends_the_session_and_input_wakes_it() {
    for (view, code) in [
        (Some(over("Failed", "OOMKilled")), "oom_killed"),
        (Some(over("Failed", "Evicted")), "evicted"),
        (Some(over("Failed", "NodeLost")), "node_lost"),
        (Some(PodView { deleting: true, ..running() }), "pod_deleted"),
        (Some(PodView { deleting: true, ..over("Failed", "Error") }), "pod_deleted"),
        (None, "pod_deleted"),
    ] {
        let mut bench = Bench::ready(|_| ());
        let was_there = view.is_some();
        let outputs = bench.tell(PodInput::Observed(view));
        let mut expected = vec![PodOutput::Detach];
        if was_there {
            expected.push(PodOutput::Delete { claim: false });
            assert_eq!(bench.phase, PodPhase::Suspending);
        }
        assert_eq!(outputs, expected, "{code}");
        assert_eq!(bench.tell(PodInput::Observed(None)), []);
        assert_eq!((bench.phase, bench.reason.as_deref()), (PodPhase::Suspended, Some(code)));
        assert_eq!(bench.machine.poll_timeout(), None);
        assert_eq!(bench.tell(PodInput::Typed), [PodOutput::Create]);
        assert_eq!(bench.phase, PodPhase::Pending);
        let created = PodInput::Created(Ok(CreatedPod::Exists));
        assert_eq!(bench.tell(created), []);
        assert_eq!(bench.tell(PodInput::Observed(Some(running()))), [PodOutput::Deliver]);
    }
}

#[test]
fn the_reason_for_a_loss_may_come_after_it() {
    let mut bench = Bench::ready(|_| ());
    bench.tell(PodInput::Observed(Some(over("Failed", "Error"))));
    assert_eq!(bench.reason.as_deref(), Some("pod_failed"));
    assert_eq!(bench.tell(PodInput::Observed(Some(over("Failed", "Evicted")))), []);
    let deleting = PodView { deleting: true, ..over("Failed", "Evicted") };
    assert_eq!(bench.tell(PodInput::Observed(Some(deleting))), []);
    bench.tell(PodInput::Observed(None));
    assert_eq!((bench.phase, bench.reason.as_deref()), (PodPhase::Suspended, Some("evicted")));
    assert_eq!(bench.said.matches("The reason: ").count(), 1);
}

#[test]
fn input_while_a_pod_is_deleted_wakes_the_session_afterwards() {
    let mut bench = Bench::ready(|_| ());
    bench.tell(PodInput::Observed(Some(over("Failed", "Evicted"))));
    assert_eq!(bench.tell(PodInput::Typed), []);
    assert_eq!(bench.tell(PodInput::Observed(None)), [PodOutput::Create]);
    let deleting = PodInput::Created(Ok(CreatedPod::Deleting));
    assert_eq!(bench.tell(deleting), []);
    assert_eq!(bench.tell(PodInput::Observed(Some(PodView { deleting: true, ..running() }))), []);
    assert_eq!(bench.tell(PodInput::Observed(None)), [PodOutput::Create]);
}

#[test]
fn a_pod_that_cannot_be_woken_leaves_the_session_suspended() {
    let mut bench = Bench::ready(|_| ());
    bench.tell(PodInput::Observed(None));
    bench.tell(PodInput::Typed);
    let quota = ClusterError::Quota("exceeded quota".into());
    let outputs = bench.tell(PodInput::Created(Err(quota)));
    assert!(matches!(outputs[0], PodOutput::Report { code: "quota_exceeded", .. }), "{outputs:?}");
    bench.tell(PodInput::Observed(None));
    assert_eq!(bench.phase, PodPhase::Suspended);
    assert_eq!(bench.tell(PodInput::Typed), [PodOutput::Create]);
    let away = ClusterError::Unreachable("refused".into());
    assert_eq!(bench.tell(PodInput::Created(Err(away))), []);
    assert_eq!(bench.sleep(), (RETRY_WAIT, vec![PodOutput::Create]));
}

#[test]
fn an_idle_pod_is_suspended_but_not_while_a_command_runs() {
    let mut bench = Bench::ready(|template| template.idle_minutes = Some(30));
    bench.tell(PodInput::Active { running: true });
    assert_eq!(bench.machine.poll_timeout(), None);
    bench.now = bench.now + Duration::from_secs(3600);
    bench.tell(PodInput::Active { running: false });
    let busy = Vitals { busy: true, ..Vitals::default() };
    bench.now = bench.now + Duration::from_secs(600);
    bench.tell(PodInput::Vitals(busy));
    let (slept, outputs) = bench.sleep();
    assert_eq!(slept, Duration::from_secs(1800));
    assert_eq!(outputs, [PodOutput::Detach, PodOutput::Delete { claim: false }]);
    // The end of its program is no other reason.
    bench.tell(PodInput::Observed(Some(PodView { deleting: true, ..over("Failed", "Error") })));
    bench.tell(PodInput::Observed(None));
    assert_eq!((bench.phase, bench.reason.as_deref()), (PodPhase::Suspended, Some("idle")));

    let mut bench = Bench::ready(|template| {
        (template.idle_minutes, template.when_idle) = (Some(1), WhenIdle::Delete);
    });
    let (_, outputs) = bench.sleep();
    assert_eq!(outputs[1], PodOutput::Delete { claim: true });
    assert_eq!(bench.phase, PodPhase::Ended);
}

#[test]
fn a_later_host_finds_the_pod_or_its_files() {
    let now = Time::from_ms(0);
    let mut machine = PodMachine::restored(&plan(|_| ()), now);
    machine.handle(now, PodInput::Observed(None));
    let outputs: Vec<_> = std::iter::from_fn(|| machine.poll_output()).collect();
    assert!(!outputs.iter().any(|it| matches!(it, PodOutput::End(_))), "{outputs:?}");
    machine.handle(now, PodInput::Typed);
    assert!(std::iter::from_fn(|| machine.poll_output()).any(|it| it == PodOutput::Create));
}

#[test]
fn a_later_host_gives_up_no_pod_because_the_cluster_cannot_be_asked() {
    let mut bench = Bench::new(|_| ());
    bench.machine = PodMachine::restored(&plan(|_| ()), bench.now);
    for _ in 0..5 {
        assert_eq!(bench.sleep(), (Duration::from_secs(60), vec![]));
    }
    assert_eq!(bench.tell(PodInput::Observed(Some(running()))), [PodOutput::Deliver]);
    bench.tell(PodInput::Delivered(Err(DeliveryError::Lost("refused".into()))));
    for _ in 0..100 {
        assert_eq!(bench.sleep().1, [PodOutput::Deliver]);
        bench.tell(PodInput::Delivered(Err(DeliveryError::Lost("refused".into()))));
    }
    assert_eq!(bench.tell(PodInput::Delivered(Ok(()))), [PodOutput::Attach]);
    bench.tell(PodInput::Attached);
    assert_eq!(bench.phase, PodPhase::Ready);
}

#[test]
fn the_clusters_words_cannot_control_the_terminal() {
    let mut bench = Bench::new(|_| ());
    let message = "\x1b]0;title\x07 pulled".to_owned();
    let pod_uid = Some("u".to_owned());
    let news = PodNews { pod_uid, is_warning: false, reason: "Pulled".into(), message };
    let earlier = PodNews { pod_uid: Some("other".into()), ..news.clone() };
    bench.tell(PodInput::News(earlier));
    bench.tell(PodInput::News(news.clone()));
    // A cluster repeats itself.
    bench.tell(PodInput::News(news));
    assert_eq!(bench.said, "", "it may be about another pod");
    let waiting = PodView { running: false, phase: "Pending".into(), ..running() };
    bench.tell(PodInput::Observed(Some(waiting)));
    assert_eq!(bench.said, "Pulled: ]0;title pulled\r\n");
}

#[test]
fn use_of_memory_is_told_when_it_has_changed_noticeably() {
    let mut bench = Bench::ready(|_| ());
    let mut told = 0;
    for memory in 0..1000 {
        let vitals = Vitals {
            memory_bytes: Some(memory << 19),
            memory_limit_bytes: Some(512 << 20),
            ..Vitals::default()
        };
        bench.machine.handle(bench.now, PodInput::Vitals(vitals));
        told += std::iter::from_fn(|| bench.machine.poll_output()).count();
    }
    assert_eq!(told, 16);
}

/// A session with a workspace, whose pod is ready.
fn synced(change: impl FnOnce(&mut PodTemplate)) -> Bench {
    let mut bench = Bench::ready(change);
    bench.machine.syncs = true;
    bench
}

#[test]
fn an_idle_pod_goes_after_its_last_files() {
    let mut bench = synced(|template| template.idle_minutes = Some(1));
    let (_, outputs) = bench.sleep();
    assert_eq!((outputs, bench.phase), (vec![PodOutput::Settle], PodPhase::Suspending));
    // The connection is made again, for as long as there is time.
    bench.tell(PodInput::Lost("cut".into()));
    assert_eq!(bench.sleep().1, [PodOutput::Attach]);
    assert_eq!(bench.tell(PodInput::Attached), [PodOutput::Settle]);
    assert_eq!(bench.tell(PodInput::Typed), []);
    let outputs = bench.tell(PodInput::Settled(None));
    assert_eq!(outputs, [PodOutput::Detach, PodOutput::Delete { claim: false }]);
    assert_eq!(bench.reason.as_deref(), Some("idle"));
    assert_eq!(bench.tell(PodInput::Observed(None)), [PodOutput::Create], "it was typed meanwhile");
}

#[test]
fn files_that_cannot_be_sent_are_told_and_hold_nothing_up_for_long() {
    let mut bench = synced(|template| {
        (template.idle_minutes, template.when_idle) = (Some(1), WhenIdle::Delete);
    });
    assert_eq!(bench.sleep().1, [PodOutput::Settle]);
    let (slept, outputs) = bench.sleep();
    assert_eq!(slept, Duration::from_secs(12));
    let codes: Vec<_> = outputs
        .iter()
        .filter_map(|output| match output {
            PodOutput::Report { code, .. } => Some(*code),
            _ => None,
        })
        .collect();
    assert_eq!(codes, ["workspace_not_synced"]);
    assert!(outputs.contains(&PodOutput::Delete { claim: true }), "{outputs:?}");
    let mut full = synced(|_| ());
    assert_eq!(full.tell(PodInput::Close), [PodOutput::Settle]);
    let problem = HostFailure::new("workspace_full", "The workspace is full.");
    let outputs = full.tell(PodInput::Settled(Some(problem)));
    assert!(matches!(outputs[0], PodOutput::Report { .. }), "{outputs:?}");
    assert!(full.said.contains("The workspace is full."), "{}", full.said);
}

#[test]
fn a_pod_that_is_deleted_sends_its_last_files_while_it_ends() {
    let deleting = || PodInput::Observed(Some(PodView { deleting: true, ..running() }));
    let mut bench = synced(|_| ());
    assert_eq!(bench.tell(deleting()), [PodOutput::Settle]);
    assert_eq!(bench.tell(deleting()), []);
    // Its supervisor tells the end after the last files.
    let hung_up = ExitStatus { signal: Some("SIGHUP".into()), ..ExitStatus::default() };
    let outputs = bench.tell(PodInput::Exited(hung_up));
    assert_eq!(outputs, [PodOutput::Detach, PodOutput::Delete { claim: false }]);
    assert_eq!(bench.reason.as_deref(), Some("pod_deleted"));
    // One that is gone has none to send.
    let mut gone = synced(|_| ());
    assert_eq!(gone.tell(PodInput::Observed(None)), [PodOutput::Detach]);
    let mut going = synced(|_| ());
    assert_eq!(going.tell(deleting()), [PodOutput::Settle]);
    assert_eq!(going.tell(PodInput::Observed(None)), [PodOutput::Detach]);
    assert_eq!(going.phase, PodPhase::Suspended);
    // Without a supervisor, nobody sends them.
    let mut direct = Bench::ready(|_| ());
    assert_eq!(direct.tell(deleting())[0], PodOutput::Detach);
}

#[test]
fn a_full_volume_is_told_and_is_no_reason_any_more_once_there_is_room() {
    let mut bench = Bench::ready(|_| ());
    let vitals = |free| {
        let (volume_bytes, volume_free_bytes) = (Some(1 << 30), Some(free));
        PodInput::Vitals(Vitals { volume_bytes, volume_free_bytes, ..Vitals::default() })
    };
    assert_eq!(bench.tell(vitals(5 << 20)), []);
    assert_eq!(bench.reason, None);
    let outputs = bench.tell(vitals(1 << 20));
    let [PodOutput::Report { code, message }] = &*outputs else { panic!("{outputs:?}") };
    assert!(*code == "volume_full" && message.contains("1024 MiB"), "{message}");
    assert_eq!((bench.phase, bench.reason.as_deref()), (PodPhase::Ready, Some("volume_full")));
    assert_eq!(bench.tell(vitals(0)), [], "it is told once");
    bench.tell(vitals(1 << 29));
    assert_eq!(bench.reason, None);
    // What is not a volume of the session's own is not its concern.
    let mut bench = Bench::ready(|template| template.storage = None);
    assert_eq!(bench.tell(vitals(0)), []);
    assert_eq!(bench.reason, None);
}

#[test]
fn a_supervisor_of_another_version_is_told_at_once() {
    let mut bench = Bench::ready(|_| ());
    bench.tell(PodInput::Lost("cut".into()));
    assert_eq!(bench.sleep().1, [PodOutput::Attach]);
    bench.tell(PodInput::OtherVersion("version 2".into()));
    assert_eq!(bench.reason.as_deref(), Some("supervisor_version"));
    assert_eq!(bench.sleep().1, [PodOutput::Attach]);
    bench.tell(PodInput::Attached);
    assert_eq!(bench.reason, None);
}
