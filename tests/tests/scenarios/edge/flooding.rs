//! A host that publishes as fast as its relay takes it.

use anyhow::{Result, bail};
use futures_util::FutureExt as _;
use moorline_shared::id::{Seq, SessionId};
use moorline_core::profile::Profile;
use moorline_shared::limits::FRAME_DATA_BYTES;
use moorline_shared::publish::{HostCommand, HostMessage};
use moorline_tests::relay::Relay;
use moorline_tests::stand_in::{ControlLink, Heard, PublishLink, hosted};
use moorline_tests::wire::{Greeting, Wire};

/// Entries of a flood, of which each is as large as it may be.
const ENTRIES: u64 = 2048;
/// Those that may be on the way.
const WINDOW: u64 = Profile::EDGE.log.window_bytes / FRAME_DATA_BYTES as u64;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_typed_is_heard_in_the_middle_of_a_flood() -> Result<()> {
    let relay = Relay::start().await?;
    let session: SessionId = "flooding1".parse()?;
    let sessions = vec![hosted(&session, 7)];
    let _control = ControlLink::welcomed(&relay, &"stand_in".parse()?, sessions).await?;
    let (mut host, _) = PublishLink::resumed(&relay, &session, 7, 0).await?;
    let mut client = Wire::connect(&relay, &session, &Greeting::extended()).await?;
    client.resume(Some("a-client-1")).await?;
    let client_id = host
        .skip_to("the client", |command| match command {
            HostCommand::ClientResumed { client_id } => Some(client_id.clone()),
            _ => None,
        })
        .await?;
    host.say(HostMessage::InputAck { client_id, seq: Seq::ZERO }).await?;
    client.skip_to("resumed").await?;

    let data = "\r".repeat(FRAME_DATA_BYTES);
    let (mut sent, mut acked) = (0, 0);
    while sent < ENTRIES {
        let heard = match host.next().now_or_never() {
            None if sent - acked >= WINDOW => Some(host.next().await),
            other => other,
        };
        match heard.transpose()? {
            Some(Heard::Message(HostCommand::Input { .. })) => return Ok(()),
            Some(Heard::Message(HostCommand::Ack { seq })) => acked = seq.0,
            Some(Heard::Message(_)) => {}
            Some(Heard::Closed(code)) => bail!("closed with {code}"),
            None => {
                sent += 1;
                host.put_out(sent, &data).await?;
                if sent == WINDOW * 2 {
                    client.send_input(1, b"\x03").await?;
                }
            }
        }
    }
    bail!("{sent} entries later nobody has heard of what was typed")
}
