use std::collections::BTreeMap;

use moorline_shared::agent::approval::{ApprovalKind, ApprovalSubject};
use moorline_shared::event::{Event, EventFields};
use moorline_shared::fold::ApprovalList;
use moorline_shared::id::Seq;
use proptest::prelude::*;

use super::*;

fn id(number: usize) -> ApprovalId {
    format!("approval{number}").parse().unwrap()
}

fn program() -> Asker {
    Asker::Program { agent: None }
}

fn request(number: usize, expires_at: Option<u64>) -> ApprovalRequest {
    ApprovalRequest {
        approval_id: id(number),
        command: "make".into(),
        explanation: String::new(),
        expires_at,
        kind: ApprovalKind::Command,
        options: of_program(),
        subject: ApprovalSubject { tool: Some("Bash".into()), ..ApprovalSubject::default() },
        digest: String::new(),
        turn_id: None,
        form: None,
        form_order: Vec::new(),
        from: None,
        truncated: false,
    }
}

fn decision(approved: bool, option: Option<&str>) -> ApprovalDecision {
    ApprovalDecision {
        approved,
        option_id: option.map(str::to_owned),
        by: "me".into(),
        at: 5,
        ..ApprovalDecision::default()
    }
}

/// Returns the outputs in short words.
fn outputs(approvals: &mut OpenApprovals) -> Vec<String> {
    let mut said = Vec::new();
    while let Some(output) = approvals.poll_output() {
        said.push(match output {
            ApprovalOutput::Record(ApprovalRecord::Requested(_)) => "requested".into(),
            ApprovalOutput::Record(ApprovalRecord::Confirmed(it)) => {
                format!("confirmed {} by {}", it.approved, it.decision.by)
            }
            ApprovalOutput::Record(ApprovalRecord::Expired(_)) => "expired".into(),
            ApprovalOutput::Record(ApprovalRecord::Progress(it)) => {
                format!("{:?}: {}", it.state, it.reason.unwrap())
            }
            ApprovalOutput::Record(ApprovalRecord::State(it)) => {
                format!("state {} {}", it.value, it.tool.unwrap_or_default()).trim_end().into()
            }
            ApprovalOutput::Answer { answer: AskerAnswer::Decided(it), .. } => {
                format!("decided {} {}", it.approved, it.option_id.unwrap_or_default())
            }
            ApprovalOutput::Answer { answer, .. } => format!("answered {answer:?}"),
            ApprovalOutput::MakeRule { answer, .. } => format!("rule {answer:?}"),
            ApprovalOutput::Acted(ActionNumber(number)) => format!("acted {number}"),
        });
    }
    said
}

fn asked(asker: Asker, expires_at: Option<u64>) -> OpenApprovals {
    let mut approvals = OpenApprovals::default();
    approvals.ask(asker, request(1, expires_at), true, None);
    outputs(&mut approvals);
    approvals
}

#[test]
fn a_decision_is_confirmed_once_it_was_delivered() {
    let mut approvals = OpenApprovals::default();
    approvals.ask(program(), request(1, None), true, None);
    assert_eq!(outputs(&mut approvals), ["requested", "state waiting Bash"]);
    approvals.decide(ActionNumber(1), &id(1), decision(true, None));
    assert_eq!(outputs(&mut approvals), ["decided true allow"]);
    approvals.delivered(&id(1), true);
    assert_eq!(outputs(&mut approvals), ["confirmed true by me", "state idle", "acted 1"]);
    approvals.delivered(&id(1), true);
    approvals.asker_left(&id(1));
    assert_eq!(outputs(&mut approvals), [""; 0]);
}

#[test]
fn a_decision_that_does_not_arrive_is_told_as_undelivered() {
    let left = "Undelivered: the program that asked has gone";
    let not_taken = "Undelivered: whoever asked no longer waits";
    for is_told in [true, false] {
        let mut approvals = asked(program(), None);
        approvals.decide(ActionNumber(3), &id(1), decision(true, None));
        // Others wait for it, so that none is reported as carried out before it is.
        approvals.acted(ActionNumber(4));
        outputs(&mut approvals);
        if is_told {
            approvals.delivered(&id(1), false);
        } else {
            approvals.asker_left(&id(1));
        }
        let want = [if is_told { not_taken } else { left }, "state idle", "acted 4"];
        assert_eq!(outputs(&mut approvals), want);
    }
}

#[test]
fn a_late_decision_is_told_as_undelivered_once() {
    let late = "Undelivered: the approval no longer waits for a decision";
    let close: [fn(&mut OpenApprovals); 4] = [
        |approvals| approvals.tick(9),
        |approvals| approvals.withdraw(&id(1), "never mind"),
        |approvals| approvals.asker_left(&id(1)),
        |approvals| {
            approvals.decide(ActionNumber(1), &id(1), decision(false, None));
            approvals.delivered(&id(1), true);
        },
    ];
    for close in close {
        let mut approvals = asked(Asker::Driver, Some(9));
        close(&mut approvals);
        outputs(&mut approvals);
        approvals.decide(ActionNumber(2), &id(1), decision(true, None));
        assert_eq!(outputs(&mut approvals), [late, "acted 2"]);
        approvals.decide(ActionNumber(3), &id(1), decision(true, None));
        assert_eq!(outputs(&mut approvals), ["acted 3"]);
    }
    let mut unknown = OpenApprovals::default();
    unknown.decide(ActionNumber(1), &id(7), decision(true, None));
    assert_eq!(outputs(&mut unknown), [late, "acted 1"]);
}

#[test]
fn a_second_decision_meanwhile_changes_nothing() {
    let mut approvals = asked(Asker::Driver, Some(9));
    approvals.decide(ActionNumber(1), &id(1), decision(true, None));
    approvals.decide(ActionNumber(2), &id(1), decision(false, None));
    approvals.tick(9);
    assert_eq!(outputs(&mut approvals), ["decided true allow"]);
    approvals.delivered(&id(1), true);
    assert_eq!(outputs(&mut approvals), ["confirmed true by me", "acted 2"]);
}

#[test]
fn an_approval_expires_at_its_time() {
    let mut approvals = asked(program(), Some(9));
    assert_eq!(approvals.poll_timeout(), Some(9));
    approvals.tick(8);
    assert_eq!(outputs(&mut approvals), [""; 0]);
    approvals.tick(9);
    assert_eq!(outputs(&mut approvals), ["expired", "answered Expired", "state idle"]);
    assert_eq!(approvals.poll_timeout(), None);
    // A decision that was made in time counts, even if it arrives late.
    let mut approvals = asked(program(), Some(9));
    approvals.decide(ActionNumber(1), &id(1), decision(true, None));
    assert_eq!(approvals.poll_timeout(), None);
    assert_eq!(outputs(&mut approvals), ["decided true allow"]);
}

#[test]
fn a_session_withdraws_all_at_its_end() {
    let mut approvals = asked(program(), None);
    approvals.ask(Asker::Driver, request(2, None), false, None);
    approvals.decide(ActionNumber(1), &id(2), decision(true, None));
    outputs(&mut approvals);
    approvals.end();
    let over = "the session has ended";
    let want = [
        format!("Withdrawn: {over}"),
        "answered Over".into(),
        format!("Undelivered: {over}"),
        "acted 1".into(),
    ];
    assert_eq!(outputs(&mut approvals), want);
    approvals.ask(program(), request(3, None), false, None);
    approvals.report(AgentState::default());
    assert_eq!(outputs(&mut approvals), ["answered Over"]);
}

#[test]
fn no_more_are_open_than_allowed() {
    let mut approvals = OpenApprovals::default();
    for number in 0..OPEN_APPROVALS {
        approvals.ask(Asker::Driver, request(number, None), false, None);
    }
    outputs(&mut approvals);
    approvals.ask(program(), request(999, None), false, None);
    // One that is open already is not asked again.
    approvals.ask(program(), request(0, None), false, None);
    assert_eq!(outputs(&mut approvals), ["answered TooMany"]);
    approvals.withdraw(&id(0), "x");
    outputs(&mut approvals);
    approvals.ask(Asker::Driver, request(999, None), false, None);
    assert_eq!(outputs(&mut approvals), ["requested"]);
}

#[test]
fn a_rule_decides_at_once_and_is_recorded() {
    let mut approvals = OpenApprovals::default();
    let ruled = ApprovalDecision { by: "rule r".into(), ..decision(true, None) };
    approvals.ask(program(), request(1, None), true, Some(ruled));
    assert_eq!(outputs(&mut approvals), ["requested", "decided true allow"]);
    approvals.delivered(&id(1), true);
    assert_eq!(outputs(&mut approvals), ["confirmed true by rule r"]);
}

#[test]
fn what_the_asker_cannot_be_allowed_is_not_allowed_by_the_host() {
    let reject = |option: &ApprovalOption| option.kind.rejects();
    for own in [vec![], of_program().into_iter().filter(reject).collect::<Vec<_>>()] {
        let ruled = ApprovalDecision { by: "rule r".into(), ..decision(true, None) };
        let request = ApprovalRequest { options: own, ..request(1, None) };
        let mut approvals = OpenApprovals::default();
        approvals.ask(Asker::Driver, request, true, Some(ruled));
        let Some(ApprovalOutput::Record(ApprovalRecord::Requested(shown))) =
            approvals.poll_output()
        else {
            panic!("not recorded");
        };
        assert!(shown.options.iter().all(reject), "{:?}", shown.options);
        assert_eq!(outputs(&mut approvals), [""; 0], "the rule has not decided");
    }
}

#[test]
fn answers_of_the_host_are_told_in_the_askers_own() {
    for (option, approved, rule, told) in [
        (SESSION_OPTION, true, "rule AllowSession", "decided true allow"),
        (ALWAYS_OPTION, true, "rule AllowAlways", "decided true allow"),
        (NEVER_OPTION, false, "rule RejectAlways", "decided false deny"),
    ] {
        let mut approvals = asked(Asker::Driver, None);
        approvals.decide(ActionNumber(1), &id(1), decision(approved, Some(option)));
        assert_eq!(outputs(&mut approvals), [rule, told]);
    }
    // Those of the driver are told as they are, and add none of the same kind.
    let mut own = request(1, None);
    let option_id = "mine".to_owned();
    let kind = AnswerKind::AllowAlways;
    own.options.push(ApprovalOption { option_id, name: "Mine".into(), kind });
    let mut approvals = OpenApprovals::default();
    approvals.ask(Asker::Driver, own, true, None);
    let Some(ApprovalOutput::Record(ApprovalRecord::Requested(shown))) = approvals.poll_output()
    else {
        panic!("not recorded");
    };
    let shown: Vec<_> = shown.options.iter().map(|option| option.option_id.as_str()).collect();
    assert_eq!(shown, ["allow", "deny", "mine", SESSION_OPTION, NEVER_OPTION]);
    approvals.decide(ActionNumber(1), &id(1), decision(true, Some("mine")));
    assert_eq!(outputs(&mut approvals), ["rule AllowAlways", "decided true mine"]);
}

#[test]
fn the_state_before_an_approval_returns_after_it() {
    let state = |value: &str| AgentState { value: value.into(), tool: None };
    let mut approvals = OpenApprovals::default();
    approvals.report(state("working"));
    approvals.ask(program(), request(1, None), false, None);
    approvals.ask(program(), request(2, None), false, None);
    assert_eq!(
        outputs(&mut approvals),
        ["state working", "requested", "state waiting Bash", "requested"]
    );
    approvals.asker_left(&id(1));
    let left = "Withdrawn: the program that asked has gone";
    assert_eq!(outputs(&mut approvals), [left]);
    // A state that is reported meanwhile is that of afterwards.
    approvals.report(state("error"));
    assert_eq!(outputs(&mut approvals), [""; 0]);
    approvals.asker_left(&id(2));
    assert_eq!(outputs(&mut approvals), [left, "state error"]);
}

#[derive(Debug, Clone)]
enum Step {
    Ask { number: usize, is_program: bool, expires_in: Option<u64>, is_ruled: bool },
    Decide { number: usize, approved: bool },
    Delivered { number: usize, is_taken: bool },
    Withdraw(usize),
    Leave(usize),
    Pass(u64),
    End,
}

fn step() -> impl Strategy<Value = Step> {
    let number = 0..8_usize;
    prop_oneof![
        4 => (number.clone(), any::<bool>(), prop::option::of(1..9_u64), prop::bool::weighted(0.2))
            .prop_map(|(number, is_program, expires_in, is_ruled)| Step::Ask {
                number, is_program, expires_in, is_ruled
            }),
        4 => (number.clone(), any::<bool>())
            .prop_map(|(number, approved)| Step::Decide { number, approved }),
        4 => (number.clone(), prop::bool::weighted(0.8))
            .prop_map(|(number, is_taken)| Step::Delivered { number, is_taken }),
        1 => number.clone().prop_map(Step::Withdraw),
        1 => number.prop_map(Step::Leave),
        2 => (0..6_u64).prop_map(Step::Pass),
        1 => Just(Step::End),
    ]
}

/// What a model of an asker has seen.
#[derive(Debug, Default)]
struct AskerModel {
    answers: usize,
    left: bool,
    /// True if it has a decision, and false if it was told that it has none.
    delivered: Option<bool>,
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 512,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Each asker is answered exactly once, unless it leaves first; and what the log says of each
    /// approval is what its asker knows.
    #[test]
    fn each_asker_is_answered_once(steps in prop::collection::vec(step(), 1..60)) {
        let mut approvals = OpenApprovals::default();
        let mut models: BTreeMap<ApprovalId, AskerModel> = BTreeMap::new();
        let mut log = ApprovalList::default();
        let (mut now, mut number, mut acted, mut asked) = (1_u64, 0, 0, 0);
        let mut is_over = false;
        for step in steps.into_iter().chain([Step::End]) {
            // An asker that has asked before asks under a new id.
            let id_of = |number: usize| id(number + 8 * (asked / 8));
            match step {
                Step::Ask { number, is_program, expires_in, is_ruled } => {
                    asked += 1;
                    let approval_id = id(number + 8 * (asked / 8));
                    if models.contains_key(&approval_id) {
                        continue;
                    }
                    models.insert(approval_id.clone(), AskerModel::default());
                    let mut request = request(0, expires_in.map(|wait| now + wait));
                    request.approval_id = approval_id;
                    let asker = if is_program { program() } else { Asker::Driver };
                    approvals.ask(asker, request, true, is_ruled.then(|| decision(true, None)));
                }
                Step::Decide { number: place, approved } => {
                    number += 1;
                    approvals.decide(ActionNumber(number), &id_of(place), decision(approved, None));
                }
                Step::Delivered { number, is_taken } => {
                    let approval_id = id_of(number);
                    if let Some(model) = models.get_mut(&approval_id)
                        && model.answers == 1 && model.delivered.is_none() && !model.left && !is_over
                    {
                        model.delivered = Some(is_taken);
                    }
                    approvals.delivered(&approval_id, is_taken);
                }
                Step::Withdraw(number) | Step::Leave(number) => {
                    let approval_id = id_of(number);
                    if let Some(model) = models.get_mut(&approval_id) {
                        model.left = true;
                    }
                    approvals.withdraw(&approval_id, "left");
                }
                Step::Pass(passed) => {
                    now += passed;
                    approvals.tick(now);
                }
                Step::End => {
                    is_over = true;
                    approvals.end();
                }
            }
            while let Some(output) = approvals.poll_output() {
                match output {
                    ApprovalOutput::Answer { approval_id, answer, .. } => {
                        let model = models.get_mut(&approval_id).unwrap();
                        prop_assert!(!model.left, "answered after it left");
                        model.answers += 1;
                        if !matches!(answer, AskerAnswer::Decided(_)) {
                            model.delivered = Some(false);
                        }
                    }
                    ApprovalOutput::Record(record) => apply(&mut log, &record, now),
                    ApprovalOutput::Acted(ActionNumber(up_to)) => {
                        prop_assert!(up_to > acted && up_to <= number);
                        acted = up_to;
                    }
                    ApprovalOutput::MakeRule { .. } => {}
                }
            }
        }
        prop_assert_eq!(acted, number, "all actions are reported in the end");
        for (approval_id, model) in &models {
            prop_assert_eq!(model.answers, usize::from(!model.left || model.answers > 0));
            let Some(entry) = log.get(approval_id) else { continue };
            prop_assert!(!entry.state.is_open(), "{:?}", entry);
            let is_delivered = entry.state == ApprovalState::Delivered;
            prop_assert_eq!(is_delivered, model.delivered == Some(true), "{:?} {:?}", entry, model);
        }
    }
}

fn apply(log: &mut ApprovalList, record: &ApprovalRecord, now: u64) {
    fn event(fields: &impl EventFields, now: u64) -> Event {
        Event::new("session_1".parse().unwrap(), now, fields)
    }
    let event = match record {
        ApprovalRecord::Requested(fields) => event(&**fields, now),
        ApprovalRecord::Confirmed(fields) => event(fields, now),
        ApprovalRecord::Expired(fields) => event(fields, now),
        ApprovalRecord::Progress(fields) => event(fields, now),
        ApprovalRecord::State(fields) => event(fields, now),
    };
    log.apply(Seq(1), &event);
}
