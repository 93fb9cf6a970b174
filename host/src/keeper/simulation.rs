//! A program, a keeper and hosts that are killed at any time, on one thread with one seed.
//!
//! The connection delivers any number of bytes at a time, and is cut at any byte. A host remembers
//! only the offset of the output that it has applied, and sometimes its part of a request about files. In
//! the end, the program must have read and the hosts must have applied each byte once, in order, and
//! each request about files must have its answer.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use moorline_shared::time::Time;

use super::INPUT_BYTES;
use super::file_exchange::FileExchange;
use super::frame::{HostFrame, KeeperFrame, decode, encode};
use super::kept_machine::{KeptEvent, KeptMachine, KeptStatus, NotTaken};
use super::machine::{KeeperInput, KeeperMachine, KeeperOutput};

/// A small random number generator: SplitMix64.
struct Dice(u64);

impl Dice {
    /// Returns a number from 0 up to, but not including, `bound`.
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }
}

/// Returns bytes of an endless stream.
fn stream(salt: u64, offset: u64, length: u64) -> Bytes {
    let byte = |at: u64| ((at ^ salt).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as u8;
    (offset..offset + length).map(byte).collect()
}

const INPUT: u64 = 1 << 50;
const OUTPUT: u64 = 1 << 51;

/// Returns the answer to a request about files: all of it, and twice as much.
fn answer_to(request: &[u8]) -> Bytes {
    [request, request, request].concat().into()
}

/// A host process and its connection.
struct SimulatedHost {
    machine: KeptMachine,
    status: Option<KeptStatus>,
    written: u64,
    to_keeper: VecDeque<u8>,
    to_host: VecDeque<u8>,
    incoming: BytesMut,
}

struct World {
    dice: Dice,
    now: Time,
    keeper: KeeperMachine,
    /// What the keeper has received and is not a whole frame yet.
    incoming: BytesMut,
    host: Option<SimulatedHost>,
    /// The most bytes that move at a time.
    piece: u64,
    /// The bytes of each stream.
    total: u64,
    /// A host acknowledges once in so many steps.
    laziness: u64,
    /// The offset after the input that the program has read.
    consumed: u64,
    /// The offset after the output that the program has written.
    produced: u64,
    /// The offset after the output that hosts have applied.
    applied: u64,
    has_exited: bool,
    is_input_closed: bool,
    is_over: bool,
    was_full: bool,
    cuts: u32,
    /// The hosts' end of what is asked about files.
    files: FileExchange,
    /// The request that is to be answered.
    asked: Option<Bytes>,
    /// The answers that the keeper has got, of `requests`.
    answers: u64,
    requests: u64,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut dice = Dice(seed);
        let is_large = dice.once_in(25);
        let piece = if is_large { 1 << 17 } else { 1 << (4 + dice.below(8)) };
        let total = piece * (40 + dice.below(30));
        Self {
            dice,
            now: Time::from_ms(0),
            keeper: KeeperMachine::new(1, Time::from_ms(0)).holding(4 << 20).with_folder(),
            incoming: BytesMut::new(),
            host: None,
            piece,
            total,
            laziness: if is_large { 2000 } else { 8 },
            consumed: 0,
            produced: 0,
            applied: 0,
            has_exited: false,
            is_input_closed: false,
            is_over: false,
            was_full: false,
            cuts: 0,
            files: FileExchange::answering(),
            asked: None,
            answers: 0,
            requests: 3,
        }
    }

    fn run(&mut self) {
        self.keeper.handle(self.now, KeeperInput::Ask(self.request()));
        for step in 0_u64.. {
            assert!(step < 100_000, "no end: {} of {}", self.applied, self.total);
            self.now = Time::from_ms(step);
            if self.dice.once_in(self.laziness) {
                self.host_acknowledges();
            }
            self.exchange_files();
            match self.dice.below(7) {
                0 => self.program_reads(),
                1 => self.program_writes(),
                2 => self.host_writes(),
                3 => self.keeper_sends(),
                4 => self.host_sends(),
                5 => self.deliver_to_keeper(),
                _ => self.deliver_to_host(),
            }
            self.carry_out();
            // The cuts become rare, so that there is an end.
            if self.host.is_none() {
                self.connect();
            } else if self.dice.once_in(30 + 2 * u64::from(self.cuts)) {
                self.cut();
            }
            self.was_full |= self.keeper.output_room() == 0;
            assert!(self.keeper.input().len() <= INPUT_BYTES);
            if self.is_over && self.answers == self.requests {
                break;
            }
        }
        assert_eq!(
            (self.consumed, self.produced, self.applied),
            (self.total, self.total, self.total)
        );
    }

    fn some(&mut self, available: u64) -> u64 {
        self.dice.below(self.piece.min(available) + 1)
    }

    fn program_reads(&mut self) {
        let count = self.some(self.keeper.input().len() as u64);
        let input = &self.keeper.input()[..count as usize];
        assert!(*input == stream(INPUT, self.consumed, count), "at {}", self.consumed);
        self.consumed += count;
        self.keeper.handle(self.now, KeeperInput::InputTaken(count as usize));
    }

    fn program_writes(&mut self) {
        let room = self.keeper.output_room() as u64;
        let count = self.some((self.total - self.produced).min(room));
        let output = stream(OUTPUT, self.produced, count);
        self.produced += count;
        self.keeper.handle(self.now, KeeperInput::Output(&output));
        if self.dice.once_in(20) {
            self.keeper.handle(self.now, KeeperInput::Errors(b"!"));
        }
        if self.is_input_closed && !self.has_exited && self.dice.once_in(3) {
            self.has_exited = true;
            self.keeper.handle(self.now, KeeperInput::Exited { code: Some(0), signal: None });
        }
        if self.has_exited && self.produced == self.total {
            self.keeper.handle(self.now, KeeperInput::OutputEnded);
        }
    }

    fn host_writes(&mut self) {
        let Some(host) = self.host.as_mut().filter(|host| host.status.is_some()) else { return };
        let count = self.dice.below(self.piece + 1).min(self.total - host.written);
        // Sometimes more than is needed.
        let again = self.dice.below(3).min(host.written);
        let data = stream(INPUT, host.written - again, count + again);
        match host.machine.write(host.written - again, &data) {
            Ok(()) => host.written += count,
            Err(NotTaken::Closed) => assert_eq!(host.written, self.total),
            Err(NotTaken::Full) => {}
            Err(error) => panic!("{error}"),
        }
        if host.written == self.total {
            host.machine.close_input();
        }
    }

    /// Returns a request about files.
    fn request(&self) -> Bytes {
        stream(self.answers, 0, 1 + self.answers * self.piece)
    }

    /// Asks, takes an answer, and answers.
    fn exchange_files(&mut self) {
        if let Some(answer) = self.keeper.poll_answer() {
            assert!(answer == answer_to(&self.request()), "answer {}", self.answers);
            self.answers += 1;
            if self.answers < self.requests {
                self.keeper.handle(self.now, KeeperInput::Ask(self.request()));
            }
        }
        if let Some(asked) = self.asked.take_if(|_| self.dice.once_in(3)) {
            assert!(asked == self.request());
            self.files.answer(self.files.number(), answer_to(&asked));
        }
        let Some(host) = self.host.as_mut().filter(|host| host.status.is_some()) else { return };
        if let Some(piece) = self.files.poll_piece() {
            host.machine.files(piece);
        }
    }

    fn host_acknowledges(&mut self) {
        let read = self.applied - self.dice.below(self.applied.min(9) + 1);
        if let Some(host) = &mut self.host {
            host.machine.read(read);
        }
    }

    fn keeper_sends(&mut self) {
        let Some(host) = &mut self.host else { return };
        let mut frame = BytesMut::new();
        if let Some(next) = self.keeper.poll_frame() {
            assert!(!matches!(next, KeeperFrame::Refused { .. }), "{next:?}");
            encode(&next, &mut frame);
        }
        host.to_host.extend(frame);
    }

    fn host_sends(&mut self) {
        let Some(host) = &mut self.host else { return };
        let mut frame = BytesMut::new();
        if let Some(next) = host.machine.poll_frame() {
            encode(&next, &mut frame);
        }
        host.to_keeper.extend(frame);
    }

    fn deliver_to_keeper(&mut self) {
        let waiting = self.host.as_ref().map_or(0, |host| host.to_keeper.len() as u64);
        let count = self.some(waiting) as usize;
        if let Some(host) = &mut self.host {
            self.incoming.extend(host.to_keeper.drain(..count));
        }
        while let Some(frame) = decode::<HostFrame>(&mut self.incoming).unwrap() {
            self.keeper.handle(self.now, KeeperInput::Frame(frame));
        }
    }

    fn deliver_to_host(&mut self) {
        let waiting = self.host.as_ref().map_or(0, |host| host.to_host.len() as u64);
        let count = self.some(waiting) as usize;
        let Some(host) = &mut self.host else { return };
        host.incoming.extend(host.to_host.drain(..count));
        while let Some(frame) = decode::<KeeperFrame>(&mut host.incoming).unwrap() {
            if host.status.is_none() {
                let status = host.machine.welcome(frame).unwrap();
                host.written = status.taken;
                host.status = Some(status);
                self.files.connected();
                continue;
            }
            let Some(event) = host.machine.handle(frame) else { panic!("a part of a snapshot") };
            match event {
                KeptEvent::Output { offset, data } => {
                    assert_eq!(offset, self.applied);
                    assert!(data == stream(OUTPUT, offset, data.len() as u64), "at {offset}");
                    self.applied += data.len() as u64;
                }
                KeptEvent::Written(offset) => assert!(offset <= self.consumed),
                KeptEvent::Errors(_) => {}
                KeptEvent::Files(piece) => {
                    if let Some(request) = self.files.receive(&piece).unwrap() {
                        self.asked = Some(request);
                    }
                }
                KeptEvent::Snapshot(_)
                | KeptEvent::Status(_)
                | KeptEvent::Pong(_)
                | KeptEvent::Folder(_) => {
                    panic!("the program has no terminal")
                }
                KeptEvent::Exited(exit) => {
                    assert_eq!(exit.code, Some(0));
                    self.is_over = true;
                }
                KeptEvent::Lost(reason) => panic!("{reason:?}"),
            }
        }
    }

    fn carry_out(&mut self) {
        while let Some(action) = self.keeper.poll_output() {
            assert_eq!(action, KeeperOutput::CloseInput);
            assert!(!self.is_input_closed);
            self.is_input_closed = true;
            assert_eq!(self.consumed, self.total, "it is closed too early");
        }
    }

    fn connect(&mut self) {
        self.host = Some(SimulatedHost {
            machine: KeptMachine::new(self.applied),
            status: None,
            written: 0,
            to_keeper: VecDeque::new(),
            to_host: VecDeque::new(),
            incoming: BytesMut::new(),
        });
        self.incoming.clear();
        self.keeper.handle(self.now, KeeperInput::Connected);
    }

    /// Kills the host. The keeper may still receive some of what was sent, and notices the end, or
    /// only the next connection.
    fn cut(&mut self) {
        self.cuts += 1;
        self.deliver_to_keeper();
        self.host = None;
        if self.dice.once_in(4) {
            // Another host.
            (self.files, self.asked) = (FileExchange::answering(), None);
        }
        if self.dice.once_in(2) {
            self.keeper.handle(self.now, KeeperInput::Disconnected);
        }
    }
}

#[test]
fn both_streams_are_exact_however_often_hosts_are_killed() {
    let (mut cuts, mut full) = (0, 0);
    for seed in 0..200 {
        let run = || {
            let mut world = World::new(seed);
            world.run();
            (world.cuts, u32::from(world.was_full))
        };
        let Ok((times_cut, times_full)) = std::panic::catch_unwind(run) else {
            panic!("failed as told above, with seed {seed}");
        };
        cuts += times_cut;
        full += times_full;
    }
    assert!(cuts > 3000 && full > 2, "{cuts} cuts, {full} times full");
}
