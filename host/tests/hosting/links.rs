//! Tests the properties that hold whatever happens to links.

use moorline_host::dial::WireItem;
use moorline_shared::frame::Frame;
use moorline_shared::id::{ClientId, Seq};
use moorline_shared::limits::HOST_KEEPS_BYTES;
use moorline_shared::message::close;
use moorline_shared::publish::HostCommand;
use moorline_shared::session::Size;

use super::fake_relay::{Copy, FakeRelay, id, say, script, start};
use super::wait_until;

fn counted(last: u32) -> Vec<u8> {
    (1..=last).flat_map(|number| format!("{number}\r\n").into_bytes()).collect()
}

/// A small random number generator that yields the same numbers in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) % bound
    }
}

#[tokio::test]
async fn output_is_exact_however_links_are_cut_and_resumed() {
    for seed in 0..4 {
        let mut random = Random(seed);
        let (_host, mut relay) = FakeRelay::with_host();
        let (mut control, _) = relay.control().await;
        start(&mut control, script("session1", "seq 1 60000; sleep 0.2; seq 60001 90000")).await;
        let mut link = relay.publish(&id("session1")).await;
        let mut copy = Copy::default();
        // The relay would still have this after a crash: everything that it has acknowledged.
        let mut durable = (Seq::ZERO, 0);
        copy.resume(&mut link, 64 * 1024).await;
        while copy.exit.is_none() {
            let choice = random.below(200);
            if choice < 4 {
                drop(link);
                link = relay.publish(&id("session1")).await;
            } else if choice < 8 {
                // The relay has lost its memory, and resumes again on the same link.
                copy.head = durable.0;
                copy.output.truncate(durable.1);
            }
            if choice < 8 {
                copy.resume(&mut link, 16 * 1024 + random.below(1 << 18)).await;
            } else if choice < 50 || link.receiver.is_empty() {
                durable = (copy.head, copy.output.len());
                copy.ack(&link).await;
                copy.hear(&mut link).await;
            } else {
                copy.hear(&mut link).await;
            }
        }
        assert!(copy.output == counted(90_000), "seed {seed}");
    }
}

#[tokio::test]
async fn no_more_than_the_window_is_sent() {
    let (_host, mut relay) = FakeRelay::with_host();
    let (mut control, _) = relay.control().await;
    let done = tempfile::tempdir().unwrap();
    let flag = done.path().join("done");
    let program = format!("seq 1 100000; touch {}; echo end; cat", flag.display());
    start(&mut control, script("session1", &program)).await;
    let mut link = relay.publish(&id("session1")).await;
    let mut copy = Copy::default();
    let window = 100_000;
    copy.resume(&mut link, window).await;
    while copy.unacked_bytes < window {
        copy.hear(&mut link).await;
    }
    // The terminal is still being read, but no more is sent.
    wait_until("the program to go on", || flag.exists()).await;
    copy.catch_up(&mut link).await;
    assert!(copy.unacked_bytes < window + 66_000, "{} bytes came", copy.unacked_bytes);
    copy.ack(&link).await;
    copy.read_until(&mut link, "end").await;
    assert!(copy.output == [counted(100_000), b"end\r\n".to_vec()].concat());
}

#[tokio::test]
async fn while_the_relay_is_away_much_is_kept_and_then_the_program_waits() {
    let (_host, mut relay) = FakeRelay::with_host();
    let (mut control, _) = relay.control().await;
    let done = tempfile::tempdir().unwrap();
    let flag = done.path().join("done");
    let numbers = 6_000_000;
    let program = format!("seq 1 {numbers}; touch {}", flag.display());
    start(&mut control, script("session1", &program)).await;
    let mut copy = Copy::default();
    // A relay that stores nothing gets as much as the host keeps.
    let mut link = relay.publish(&id("session1")).await;
    copy.resume(&mut link, u64::MAX).await;
    // The host stops once it has more; the last read of the terminal may exceed the bound.
    while copy.entry_bytes <= HOST_KEEPS_BYTES {
        copy.hear(&mut link).await;
    }
    // The relay is away, and comes back without memory: the host still has everything, and has not
    // read more.
    relay.set_up(false);
    drop((control, link));
    relay.set_up(true);
    let mut link = relay.publish(&id("session1")).await;
    let mut copy = Copy::default();
    let head = copy.resume(&mut link, u64::MAX).await;
    while copy.head < head {
        copy.hear(&mut link).await;
    }
    assert_eq!(copy.snapshot(&mut link).await.seq, head, "the terminal was read on");
    assert!(copy.entry_bytes <= HOST_KEEPS_BYTES + 66_000, "{} bytes are kept", copy.entry_bytes);
    assert!(!flag.exists(), "the program does not wait");
    copy.ack(&link).await;
    copy.read_to_end(&mut link).await;
    assert!(flag.exists());
    assert!(copy.output == counted(numbers));
}

#[tokio::test]
async fn a_piece_of_input_is_taken_once_over_all_links() {
    let (_host, mut relay) = FakeRelay::with_host();
    let (mut control, _) = relay.control().await;
    start(&mut control, script("session1", "stty -echo; echo ready; cat")).await;
    let mut link = relay.publish(&id("session1")).await;
    let mut copy = Copy::default();
    copy.resume(&mut link, u64::MAX).await;
    copy.read_until(&mut link, "ready\r\n").await;
    let client_id: ClientId = "client_1".parse().unwrap();
    for last in 1..=20_u64 {
        // A client sends everything again that was not acknowledged.
        for seq in last.saturating_sub(3).max(1)..=last {
            let piece = Frame::copy(Seq(seq), format!("{seq}\n").as_bytes()).unwrap();
            say(&link, HostCommand::Input { client_id: client_id.clone(), piece }).await;
        }
        if last % 5 == 0 {
            drop(link);
            link = relay.publish(&id("session1")).await;
            copy.resume(&mut link, u64::MAX).await;
        }
    }
    say(&link, HostCommand::ClientResumed { client_id }).await;
    copy.read_until(&mut link, "20\r\n").await;
    assert!(copy.output == [b"ready\r\n".to_vec(), counted(20)].concat());
}

#[tokio::test]
async fn a_relay_that_is_back_is_told_of_all_sessions() {
    let (_host, mut relay) = FakeRelay::with_host();
    let (mut control, _) = relay.control().await;
    let first = start(&mut control, script("session1", "cat")).await;
    let second = start(&mut control, script("session2", "cat")).await;
    _ = control.sender.send(WireItem::Closed(close::GOING_AWAY)).await;
    drop(control);
    let (_control, hello) = relay.control().await;
    assert_eq!(hello.sessions, [first, second]);
}

#[tokio::test]
async fn the_terminal_gets_its_size_whatever_link_brings_it() {
    let (_host, mut relay) = FakeRelay::with_host();
    let (mut control, _) = relay.control().await;
    let program = "trap 'stty size' WINCH; echo ready; while :; do sleep 0.01; done";
    start(&mut control, script("session1", program)).await;
    let mut copy = Copy::default();
    let mut link = relay.publish(&id("session1")).await;
    copy.resume(&mut link, u64::MAX).await;
    copy.read_until(&mut link, "ready").await;
    say(&link, HostCommand::Resize { size: Size { cols: 91, rows: 33 } }).await;
    drop(link);
    let mut link = relay.publish(&id("session1")).await;
    copy.resume(&mut link, u64::MAX).await;
    copy.read_until(&mut link, "33 91").await;
}
