use std::time::Duration;

use bytes::Bytes;

use super::super::frame::DATA_BYTES;
use super::super::{EXITED_LIMIT, FilePiece, HOSTLESS_LIMIT, KILL_GRACE};
use super::*;

/// A machine with a clock.
struct Bench {
    machine: KeeperMachine,
    now: Time,
}

impl Bench {
    fn new() -> Self {
        let now = Time::from_ms(1000);
        Self { machine: KeeperMachine::new(7, now), now }
    }

    /// Creates a machine to which a host is connected, and drops the first frames.
    fn connected() -> Self {
        let mut bench = Self::new();
        bench.connect(0);
        bench.frames();
        bench
    }

    fn handle(&mut self, input: KeeperInput<'_>) {
        self.machine.handle(self.now, input);
    }

    fn frame(&mut self, frame: HostFrame) {
        self.handle(KeeperInput::Frame(frame));
    }

    fn connect(&mut self, read_from: u64) {
        self.handle(KeeperInput::Connected);
        self.frame(HostFrame::Hello { version: VERSION, read_from });
    }

    fn write(&mut self, offset: u64, data: &[u8]) {
        self.frame(HostFrame::Write { offset, data: Bytes::copy_from_slice(data) });
    }

    fn exit(&mut self) {
        self.handle(KeeperInput::Exited { code: Some(3), signal: None });
    }

    fn frames(&mut self) -> Vec<KeeperFrame> {
        std::iter::from_fn(|| self.machine.poll_frame()).collect()
    }

    fn actions(&mut self) -> Vec<KeeperOutput> {
        std::iter::from_fn(|| self.machine.poll_output()).collect()
    }

    /// Lets time pass until the next timeout, and returns how long that took.
    fn sleep(&mut self) -> Option<Duration> {
        let due = self.machine.poll_timeout()?;
        let slept = due - self.now;
        // A wake-up that is early changes nothing.
        self.now = Time::from_ms(due.ms.saturating_sub(1));
        self.handle(KeeperInput::Timeout);
        assert_eq!((self.actions(), self.machine.poll_timeout()), (vec![], Some(due)));
        self.now = due;
        self.handle(KeeperInput::Timeout);
        Some(slept)
    }

    /// Returns why the host is disconnected.
    fn refusal(&mut self) -> RefusalCode {
        let frames = self.frames();
        let Some(KeeperFrame::Refused { code, .. }) = frames.last() else { panic!("{frames:?}") };
        assert_eq!(self.actions(), [KeeperOutput::Disconnect]);
        *code
    }
}

fn welcome(written: u64, start: u64, end: u64) -> KeeperFrame {
    KeeperFrame::Welcome { version: VERSION, pid: 7, written, start, end, syncs: false }
}

const TERMINATE: KeeperOutput = KeeperOutput::Signal(GroupSignal::Terminate);
const KILL: KeeperOutput = KeeperOutput::Signal(GroupSignal::Kill);
const EXITED: KeeperFrame = KeeperFrame::Exited { code: Some(3), signal: None };

#[test]
fn each_byte_of_input_is_taken_once() {
    let mut bench = Bench::connected();
    bench.write(0, b"abc");
    bench.write(1, b"bcd");
    bench.write(0, b"ab");
    assert_eq!(bench.machine.input(), b"abcd");
    bench.handle(KeeperInput::InputTaken(3));
    assert_eq!(bench.frames(), [KeeperFrame::Written { offset: 3 }]);
    // The next host goes on after what was taken, and not after what was written.
    bench.connect(0);
    assert_eq!(bench.frames(), [welcome(4, 0, 0), KeeperFrame::Written { offset: 3 }]);
    bench.write(5, b"f");
    assert_eq!(bench.refusal(), RefusalCode::Protocol);
    assert_eq!(bench.machine.input(), b"d");
}

#[test]
fn more_input_than_may_wait_is_refused() {
    let mut bench = Bench::connected();
    bench.write(0, &vec![1; INPUT_BYTES]);
    bench.write(0, b"known already");
    assert!(bench.frames().is_empty());
    bench.write(INPUT_BYTES as u64, b"x");
    assert_eq!(bench.refusal(), RefusalCode::Protocol);
}

#[test]
fn input_closes_after_all_of_it() {
    let mut bench = Bench::connected();
    bench.write(0, b"ab");
    bench.frame(HostFrame::CloseInput);
    bench.frame(HostFrame::CloseInput);
    bench.write(2, b"dropped");
    bench.handle(KeeperInput::InputTaken(1));
    assert_eq!(bench.actions(), []);
    bench.handle(KeeperInput::InputTaken(1));
    assert_eq!(bench.actions(), [KeeperOutput::CloseInput]);
    assert_eq!(bench.frames(), [KeeperFrame::Written { offset: 2 }]);
    let mut idle = Bench::connected();
    idle.frame(HostFrame::CloseInput);
    assert_eq!(idle.actions(), [KeeperOutput::CloseInput]);
}

#[test]
fn input_that_the_program_has_closed_is_dropped_and_never_reported() {
    let mut bench = Bench::connected();
    bench.write(0, b"abc");
    bench.handle(KeeperInput::InputTaken(1));
    bench.handle(KeeperInput::InputBroken);
    assert_eq!(bench.actions(), [KeeperOutput::CloseInput]);
    bench.write(3, &vec![0; INPUT_BYTES]);
    bench.write(3 + INPUT_BYTES as u64, b"x");
    assert_eq!(bench.frames(), [KeeperFrame::Written { offset: 1 }]);
    assert!(bench.machine.input().is_empty());
}

#[test]
fn output_is_held_until_it_is_acknowledged() {
    let mut bench = Bench::connected();
    bench.handle(KeeperInput::Output(b"abcdef"));
    let all = KeeperFrame::Output { offset: 0, data: "abcdef".into() };
    assert_eq!(bench.frames(), [all]);
    assert_eq!(bench.machine.output_room(), OUTPUT_BYTES - 6);
    bench.frame(HostFrame::Read { up_to: 4 });
    bench.frame(HostFrame::Read { up_to: 2 });
    assert_eq!(bench.machine.output_room(), OUTPUT_BYTES - 2);
    bench.handle(KeeperInput::Disconnected);
    bench.handle(KeeperInput::Output(b"gh"));
    bench.connect(5);
    let frames = bench.frames();
    assert_eq!(frames[0], welcome(0, 4, 8));
    assert_eq!(frames[2], KeeperFrame::Output { offset: 5, data: "fgh".into() });
    for missing in [3, 9] {
        bench.connect(missing);
        assert_eq!(bench.refusal(), RefusalCode::Range);
    }
}

#[test]
fn output_beyond_the_bound_is_not_read() {
    let mut bench = Bench::new();
    bench.handle(KeeperInput::Output(&vec![0; OUTPUT_BYTES]));
    assert_eq!(bench.machine.output_room(), 0);
    bench.connect(0);
    let sent: usize = bench
        .frames()
        .into_iter()
        .map(|frame| match frame {
            KeeperFrame::Output { data, .. } => {
                assert!(data.len() <= DATA_BYTES);
                data.len()
            }
            _ => 0,
        })
        .sum();
    assert_eq!(sent, OUTPUT_BYTES);
    bench.frame(HostFrame::Read { up_to: 10 });
    assert_eq!(bench.machine.output_room(), 10);
}

#[test]
fn what_breaks_the_protocol_disconnects() {
    let mut bench = Bench::new();
    bench.handle(KeeperInput::Connected);
    bench.frame(HostFrame::Kill { force: true });
    assert_eq!(bench.refusal(), RefusalCode::Protocol);
    // Nothing follows a refusal, in either direction.
    bench.frame(HostFrame::Kill { force: true });
    bench.handle(KeeperInput::Output(b"abc"));
    assert_eq!((bench.frames(), bench.actions()), (vec![], vec![]));

    bench.handle(KeeperInput::Connected);
    bench.frame(HostFrame::Hello { version: VERSION + 1, read_from: 0 });
    assert_eq!(bench.refusal(), RefusalCode::Version);
    bench.connect(0);
    bench.frame(HostFrame::Hello { version: VERSION, read_from: 0 });
    assert_eq!(bench.refusal(), RefusalCode::Protocol);
    bench.connect(0);
    bench.handle(KeeperInput::BadFrame(BadFrame::TooLong));
    assert_eq!(bench.refusal(), RefusalCode::Protocol);
    bench.connect(0);
    bench.machine.poll_frame();
    bench.frame(HostFrame::Read { up_to: 1 });
    assert_eq!(bench.refusal(), RefusalCode::Protocol);
}

#[test]
fn each_host_gets_the_last_of_the_errors_in_turns_with_output() {
    let mut bench = Bench::new();
    bench.handle(KeeperInput::Errors(b"too early"));
    bench.handle(KeeperInput::Errors(&vec![b'e'; ERROR_BYTES]));
    bench.handle(KeeperInput::Output(&vec![b'o'; 2 * DATA_BYTES]));
    bench.exit();
    bench.handle(KeeperInput::OutputEnded);
    for _ in 0..2 {
        bench.connect(0);
        let frames = bench.frames();
        let kinds: Vec<_> = frames.iter().map(std::mem::discriminant).collect();
        let [_, _, output, errors, again, exited] = kinds.as_slice() else { panic!("{frames:?}") };
        assert_eq!(output, again);
        assert_ne!(output, errors);
        let bytes: usize = frames
            .iter()
            .filter_map(|frame| match frame {
                KeeperFrame::Errors { data } => Some(data.iter().filter(|b| **b == b'e').count()),
                _ => None,
            })
            .sum();
        assert_eq!(bytes, ERROR_BYTES);
        assert_eq!((frames.last(), *exited), (Some(&EXITED), std::mem::discriminant(&EXITED)));
    }
}

#[test]
fn the_end_is_told_after_all_output() {
    let mut bench = Bench::connected();
    bench.exit();
    assert_eq!(bench.actions(), [KeeperOutput::CloseInput]);
    assert!(bench.frames().is_empty(), "some output may be in the pipe");
    bench.handle(KeeperInput::Output(b"last"));
    bench.handle(KeeperInput::OutputEnded);
    let frames = bench.frames();
    assert_eq!(frames, [KeeperFrame::Output { offset: 0, data: "last".into() }, EXITED]);
}

#[test]
fn a_kill_is_gentle_first_and_then_by_force() {
    let mut bench = Bench::connected();
    assert_eq!(bench.machine.poll_timeout(), None);
    bench.frame(HostFrame::Kill { force: false });
    bench.frame(HostFrame::Kill { force: false });
    assert_eq!(bench.actions(), [TERMINATE]);
    assert_eq!(bench.sleep(), Some(KILL_GRACE));
    assert_eq!(bench.actions(), [KILL]);
    assert_eq!(bench.sleep(), None);
    let mut impatient = Bench::connected();
    impatient.frame(HostFrame::Kill { force: false });
    impatient.frame(HostFrame::Kill { force: true });
    impatient.frame(HostFrame::Kill { force: false });
    assert_eq!(impatient.actions(), [TERMINATE, KILL]);
    impatient.exit();
    impatient.actions();
    impatient.frame(HostFrame::Kill { force: true });
    assert_eq!(impatient.actions(), []);
}

#[test]
fn to_forget_is_to_kill_and_to_leave() {
    let mut bench = Bench::connected();
    bench.frame(HostFrame::Forget);
    assert_eq!(bench.actions(), [KILL]);
    bench.exit();
    assert_eq!(bench.actions(), [KeeperOutput::CloseInput, KeeperOutput::Leave]);
    let mut ended = Bench::connected();
    ended.exit();
    ended.actions();
    ended.frame(HostFrame::Forget);
    ended.frame(HostFrame::Forget);
    assert_eq!(ended.actions(), [KeeperOutput::Leave]);
}

#[test]
fn a_keeper_that_is_asked_to_end_ends_its_program_first() {
    let mut bench = Bench::new();
    bench.handle(KeeperInput::Terminate);
    assert_eq!(bench.actions(), [TERMINATE]);
    assert_eq!(bench.sleep(), Some(KILL_GRACE));
    assert_eq!(bench.actions(), [KILL]);
    bench.exit();
    assert_eq!(bench.actions(), [KeeperOutput::CloseInput, KeeperOutput::Leave]);
}

#[test]
fn without_a_host_the_program_ends_and_then_the_keeper() {
    let mut bench = Bench::connected();
    bench.now = bench.now + Duration::from_secs(5);
    bench.handle(KeeperInput::Disconnected);
    // Who does not say hello is not a host.
    bench.now = bench.now + Duration::from_secs(1);
    bench.handle(KeeperInput::Connected);
    bench.handle(KeeperInput::Disconnected);
    assert_eq!(bench.sleep(), Some(HOSTLESS_LIMIT - Duration::from_secs(1)));
    assert_eq!(bench.actions(), [TERMINATE]);
    bench.exit();
    bench.actions();
    assert_eq!(bench.sleep(), Some(EXITED_LIMIT));
    assert_eq!(bench.actions(), [KeeperOutput::Leave]);
    assert_eq!(bench.sleep(), None);
}

#[test]
fn a_host_that_comes_back_stops_the_timers() {
    let mut bench = Bench::new();
    assert!(bench.machine.poll_timeout().is_some());
    bench.connect(0);
    assert_eq!(bench.machine.poll_timeout(), None);
    bench.exit();
    assert_eq!(bench.machine.poll_timeout(), None);
    bench.handle(KeeperInput::Disconnected);
    assert_eq!(bench.machine.poll_timeout(), Some(bench.now + EXITED_LIMIT));
}

/// A piece of a host that has nothing, or that has so much of a request.
fn piece(number: u64, taken: u64) -> FilePiece {
    FilePiece { number, taken, length: 0, offset: 0, data: Bytes::new() }
}

fn is_piece(frame: &KeeperFrame) -> bool {
    matches!(frame, KeeperFrame::Files { .. })
}

#[test]
fn output_comes_before_files_and_then_they_take_turns() {
    let mut bench = Bench::new();
    bench.machine = bench.machine.with_folder();
    bench.connect(0);
    bench.frames();
    bench.handle(KeeperInput::Ask(vec![7; 100_000].into()));
    bench.handle(KeeperInput::Folder(Bytes::from_static(b"{}")));
    assert_eq!(bench.frames(), [], "this host does not know of folders");
    bench.frame(HostFrame::Files { piece: piece(0, 0) });
    bench.handle(KeeperInput::Output(&vec![b'o'; 3 * DATA_BYTES]));
    let frames = bench.frames();
    let kinds: Vec<bool> = frames[1..].iter().map(is_piece).collect();
    assert!(matches!(frames[0], KeeperFrame::Folder { .. }));
    assert_eq!(kinds[..7], [false, true, false, true, false, true, true], "{kinds:?}");
    let bytes = |frame: &KeeperFrame| match frame {
        KeeperFrame::Files { piece } => piece.data.len(),
        _ => 0,
    };
    assert_eq!(frames.iter().map(bytes).sum::<usize>(), 100_000);
}

#[test]
fn a_settle_and_its_report_are_passed_on_and_repeated_to_the_next_host() {
    let mut bench = Bench::new();
    bench.machine = bench.machine.with_folder();
    bench.connect(0);
    bench.frame(HostFrame::Settle { number: 3 });
    assert_eq!(bench.actions(), [KeeperOutput::Settle(3)]);
    bench.handle(KeeperInput::Folder(Bytes::from_static(b"{\"settled\":3}")));
    for _ in 0..2 {
        bench.connect(0);
        bench.frame(HostFrame::Files { piece: piece(0, 0) });
        let frames = bench.frames();
        let told = |frame: &KeeperFrame| matches!(frame, KeeperFrame::Folder { .. });
        assert_eq!(frames.iter().filter(|frame| told(frame)).count(), 1, "{frames:?}");
    }
    // Without a folder, a host has nothing to say about files.
    let mut bench = Bench::connected();
    bench.frame(HostFrame::Settle { number: 3 });
    assert_eq!(bench.actions(), []);
    bench.frame(HostFrame::Files { piece: piece(0, 0) });
    assert_eq!(bench.refusal(), RefusalCode::Protocol);
}
