//! The stream protocol, spoken by hand.

use anyhow::{Result, ensure};
use moorline_shared::event::Activity;
use moorline_shared::id::SessionId;
use moorline_shared::limits::{FRAME_DATA_BYTES, FRAME_HEADER_BYTES, UNACKED_OUTPUT_BYTES};
use moorline_shared::log::ENTRY_OVERHEAD_BYTES;
use moorline_tests::expected::{self, Flood};
use moorline_tests::relay::Relay;
use moorline_tests::wait::wait_until;
use moorline_tests::wire::{Greeting, Received, Wire};
use serde_json::{Value, json};

const CLIENT: &str = "scenario-client";
/// More than any entry takes of a client's credit.
const ONE_ENTRY: u64 = FRAME_DATA_BYTES as u64 + 1024;

/// A client of `moorline.v1` that has read its answer to `resume`.
async fn resumed(relay: &Relay, session: &SessionId, resume: Value) -> Result<(Wire, Value)> {
    let mut wire = Wire::connect(relay, session, &Greeting::extended()).await?;
    wire.expect("session-meta").await?;
    wire.send(resume).await?;
    let answer = wire.skip_to("resumed").await?;
    Ok((wire, answer))
}

fn keys(message: &Value) -> Vec<&str> {
    message
        .as_object()
        .map(|object| object.keys().map(String::as_str).collect())
        .unwrap_or_default()
}

#[tokio::test]
async fn an_ic1_client_gets_ic1_and_nothing_more() -> Result<()> {
    let relay = Relay::start().await?;
    let session = relay.api().run_ready(expected::counter()).await?;
    let mut old = Wire::connect(&relay, &session, &Greeting::ic1()).await?;
    ensure!(old.chosen.is_none(), "it was offered no subprotocol");
    let meta = old.expect("session-meta").await?;
    ensure!(keys(&meta) == ["createdAt", "name", "type"], "{meta}");

    old.resume(None).await?;
    let (first, output) = old.read_until("ready\r\n").await?;
    ensure!(output == "ready\r\n", "{output:?}");
    old.send(json!({"type": "snapshot-request"})).await?;
    let snapshot = old.expect("snapshot").await?;
    ensure!(keys(&snapshot) == ["data", "seq", "type"], "{snapshot}");
    ensure!(snapshot["seq"] == first, "{snapshot} after entry {first}");

    // It sees what others type, and cannot type itself.
    old.send_input(1, b"not from here\r").await?;
    let refusal = old.expect("error").await?;
    ensure!(refusal["code"] == "resume_required", "{refusal}");
    let (mut new, _) =
        resumed(&relay, &session, json!({"type": "resume", "clientId": CLIENT})).await?;
    new.send_input(1, b"hello\r").await?;
    let (last, output) = old.read_until("1:hello\r\n").await?;
    ensure!(output == "1:hello\r\n" && last > first, "{output:?} as entry {last}");

    relay.api().delete(&session).await?;
    ensure!(old.next().await? == Received::Closed(4404));
    Ok(())
}

#[tokio::test]
async fn an_ic1_client_sees_the_end_as_a_close() -> Result<()> {
    let relay = Relay::start().await?;
    let session = relay.api().run(vec!["sh".into(), "-c".into(), "echo over".into()]).await?;
    let mut old = Wire::connect(&relay, &session, &Greeting::ic1()).await?;
    old.expect("session-meta").await?;
    old.resume(None).await?;
    loop {
        match old.next().await? {
            Received::Frame(..) => {}
            Received::Json(message) => {
                ensure!(message["type"] == "snapshot" || message["type"] == "state", "{message}");
            }
            Received::Closed(code) => {
                ensure!(code == 1000, "closed with {code}");
                return Ok(());
            }
        }
    }
}

#[tokio::test]
async fn nothing_comes_before_resume() -> Result<()> {
    let relay = Relay::start().await?;
    let session = relay.api().run(["yes"].map(str::to_owned).to_vec()).await?;
    let mut wire = Wire::connect(&relay, &session, &Greeting::extended()).await?;
    let meta = wire.expect("session-meta").await?;
    ensure!(wire.chosen.as_deref() == Some("moorline.v1"), "it chose {:?}", wire.chosen);
    ensure!(meta["driver"] == "pty" && meta["scope"] == "write", "{meta}");
    for message in [json!({"type": "snapshot-request"}), json!({"type": "ack", "seq": 1})] {
        wire.send(message).await?;
        let refusal = wire.expect("error").await?;
        ensure!(refusal["code"] == "resume_required", "{refusal}");
    }
    wire.send_input(1, b"x").await?;
    ensure!(wire.expect("error").await?["code"] == "resume_required");
    // The program has put out plenty by the time of this answer, and none of it came before.
    wire.send(json!({"type": "ping", "t": 5})).await?;
    ensure!(wire.expect("pong").await?["t"] == 5);
    wire.resume(None).await?;
    wire.expect("resumed").await?;
    Ok(())
}

#[tokio::test]
async fn each_outcome_of_resume() -> Result<()> {
    let relay = Relay::start().await?;
    let session = relay.api().run_ready(expected::counter()).await?;
    let start = json!({"type": "resume", "lastSeq": null, "clientId": CLIENT});
    let (mut wire, answer) = resumed(&relay, &session, start).await?;
    ensure!(answer["outcome"] == "continue" && answer["inputSeq"] == 0, "{answer}");
    let epoch = answer["epoch"].clone();
    let (middle, _) = wire.read_until("ready\r\n").await?;
    wire.send_input(1, b"one\r").await?;
    let (last, _) = wire.read_until("1:one\r\n").await?;
    drop(wire);

    let cursor = json!({"type": "resume", "lastSeq": middle, "epoch": epoch, "clientId": CLIENT});
    let (mut wire, answer) = resumed(&relay, &session, cursor).await?;
    ensure!(answer["outcome"] == "continue" && answer["from"] == middle, "{answer}");
    ensure!(answer["inputSeq"] == 1 && answer["epoch"] == epoch, "{answer}");
    let (_, output) = wire.read_until("1:one\r\n").await?;
    ensure!(output == "1:one\r\n", "{output:?}");

    for (resume, outcome, reason) in [
        (json!({"lastSeq": middle, "epoch": epoch, "catchUp": "snapshot"}), "snapshot", "resume"),
        (json!({"lastSeq": middle, "epoch": 12345}), "reset", "resume"),
        (json!({"lastSeq": last + 1000, "epoch": epoch}), "reset", "resume"),
    ] {
        let mut message = resume.clone();
        message["type"] = "resume".into();
        let (mut wire, answer) = resumed(&relay, &session, message).await?;
        ensure!(answer["outcome"] == outcome, "{answer} to {resume}");
        let snapshot = wire.expect("snapshot").await?;
        ensure!(snapshot["reason"] == reason && snapshot["seq"] == last, "{snapshot} to {resume}");
        ensure!(snapshot["cols"] == 80 && snapshot["rows"] == 24, "{snapshot}");
    }
    Ok(())
}

#[tokio::test]
async fn a_session_that_ended_says_so_and_keeps_its_output() -> Result<()> {
    let relay = Relay::start().await?;
    let script = "echo before; read x; echo after; exit 7";
    let session = relay.api().run(["sh", "-c", script].map(str::to_owned).to_vec()).await?;
    let start = json!({"type": "resume", "lastSeq": null, "clientId": CLIENT});
    let (mut wire, _) = resumed(&relay, &session, start).await?;
    let (middle, _) = wire.read_until("before\r\n").await?;
    wire.send_input(1, b"\r").await?;
    let (_, output) = wire.read_until("after\r\n").await?;
    ensure!(output.ends_with("after\r\n"), "{output:?}");
    let exit = wire.skip_to("exit").await?;
    ensure!(exit["code"] == 7 && exit["signal"].is_null(), "{exit}");
    ensure!(wire.close_code().await? == 1000);

    let cursor = json!({"type": "resume", "lastSeq": middle, "clientId": CLIENT});
    let (mut wire, answer) = resumed(&relay, &session, cursor).await?;
    ensure!(answer["outcome"] == "ended" && answer["from"] == middle, "{answer}");
    let (_, output) = wire.read_until("after\r\n").await?;
    ensure!(!output.contains("before"), "{output:?}");
    ensure!(wire.skip_to("exit").await?["code"] == 7);

    // A client without a cursor gets a snapshot first.
    let (mut wire, answer) = resumed(&relay, &session, json!({"type": "resume"})).await?;
    ensure!(answer["outcome"] == "ended", "{answer}");
    wire.expect("snapshot").await?;
    ensure!(wire.skip_to("exit").await?["code"] == 7);
    let status = relay.api().status(&session).await?;
    ensure!(
        status.summary.exit_code == Some(7) && status.summary.status == Activity::Exited,
        "{status:?}"
    );
    Ok(())
}

#[tokio::test]
async fn output_pauses_where_a_client_does_not_acknowledge() -> Result<()> {
    // What an entry takes of the credit, however few bytes the program wrote at a time.
    let cost = |data: &[u8]| data.len() as u64 + FRAME_HEADER_BYTES as u64 + ENTRY_OVERHEAD_BYTES;
    let relay = Relay::start().await?;
    let flood = Flood { lines: 900_000 };
    let session = relay.api().run_ready(flood.command()).await?;
    let start = json!({"type": "resume", "lastSeq": null, "clientId": CLIENT});
    let (mut wire, _) = resumed(&relay, &session, start).await?;
    wire.read_until("ready").await?;
    wire.send_input(1, b"\r").await?;

    let (mut output, mut last, mut used) = (Vec::new(), 0, 0);
    while used + 2 * ONE_ENTRY < UNACKED_OUTPUT_BYTES {
        if let Received::Frame(seq, data) = wire.next().await? {
            used += cost(&data);
            output.extend_from_slice(&data);
            last = seq;
        }
    }
    // The relay has more, and answers, but sends no more of it than one entry over the credit.
    let has_more = async || {
        let status = relay.api().status(&session).await;
        status.is_ok_and(|status| status.head.0 > last + 40)
    };
    wait_until("the session to be further than its client", has_more).await?;
    wire.send(json!({"type": "ping", "t": 1})).await?;
    loop {
        match wire.next().await? {
            Received::Frame(seq, data) => {
                used += cost(&data);
                output.extend_from_slice(&data);
                last = seq;
            }
            Received::Json(message) if message["type"] == "pong" => break,
            Received::Json(_) => {}
            Received::Closed(code) => anyhow::bail!("closed with {code}"),
        }
    }
    ensure!(used <= UNACKED_OUTPUT_BYTES + ONE_ENTRY, "{used} came without an acknowledgement");
    // With credit all the rest comes.
    while !output.ends_with(Flood::END.as_bytes()) {
        wire.send(json!({"type": "ack", "seq": last})).await?;
        if let Received::Frame(seq, data) = wire.next().await? {
            output.extend_from_slice(&data);
            last = seq;
        }
    }
    ensure!(output == flood.output(), "{} bytes came", output.len());
    Ok(())
}

#[tokio::test]
async fn a_connection_takes_the_place_of_an_older_one_of_its_client() -> Result<()> {
    let relay = Relay::start().await?;
    let session = relay.api().run_ready(expected::counter()).await?;
    let start = json!({"type": "resume", "lastSeq": null, "clientId": CLIENT});
    let (mut first, _) = resumed(&relay, &session, start.clone()).await?;
    first.read_until("ready\r\n").await?;
    let (mut other, _) =
        resumed(&relay, &session, json!({"type": "resume", "clientId": "someone-else"})).await?;
    let (mut second, _) = resumed(&relay, &session, start).await?;
    ensure!(first.close_code().await? == 4409);
    second.send_input(1, b"again\r").await?;
    other.read_until("1:again\r\n").await?;
    // The stream that waited for the program is on its way out.
    wait_until("two clients", async || {
        relay.api().status(&session).await.is_ok_and(|status| status.summary.clients == 2)
    })
    .await
}

#[tokio::test]
async fn input_is_taken_once_whoever_repeats_it() -> Result<()> {
    let relay = Relay::start().await?;
    let session = relay.api().run_ready(expected::counter()).await?;
    let start = json!({"type": "resume", "lastSeq": null, "clientId": CLIENT});
    let (mut wire, _) = resumed(&relay, &session, start.clone()).await?;
    for _ in 0..3 {
        wire.send_input(1, b"once\r").await?;
    }
    ensure!(wire.skip_to("input-ack").await?["seq"] == 1);
    let (mut again, answer) = resumed(&relay, &session, start).await?;
    ensure!(answer["inputSeq"] == 1, "{answer}");
    again.send_input(1, b"once\r").await?;
    again.send_input(2, b"twice\r").await?;
    let (_, output) = again.read_until("2:twice\r\n").await?;
    ensure!(output == "ready\r\n1:once\r\n2:twice\r\n", "{output:?}");
    // A gap is a fault of the client.
    again.send_input(9, b"later\r").await?;
    ensure!(again.skip_to("error").await?["code"] == "bad_message");
    ensure!(again.close_code().await? == 1002);
    Ok(())
}

#[tokio::test]
async fn a_resize_reaches_the_program_and_everyone() -> Result<()> {
    let relay = Relay::start().await?;
    let script = "printf ready; read go; stty size; read end";
    let session = relay.api().run(["sh", "-c", script].map(str::to_owned).to_vec()).await?;
    let start = json!({"type": "resume", "lastSeq": null, "clientId": CLIENT});
    let (mut wire, _) = resumed(&relay, &session, start).await?;
    let (mut other, _) = resumed(&relay, &session, json!({"type": "resume"})).await?;
    wire.read_until("ready").await?;
    wire.send(json!({"type": "resize", "cols": 0, "rows": 24})).await?;
    ensure!(wire.skip_to("error").await?["code"] == "bad_message");
    wire.send(json!({"type": "resize", "cols": 101, "rows": 37})).await?;
    loop {
        let meta = other.skip_to("session-meta").await?;
        if meta["cols"] == 101 && meta["rows"] == 37 {
            break;
        }
    }
    wire.send_input(1, b"\r").await?;
    wire.read_until("37 101").await?;
    Ok(())
}
