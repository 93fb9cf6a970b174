//! A host whose session has begun anew elsewhere cannot write, whatever the object remembers.

use anyhow::{Result, ensure};
use moorline_shared::id::{HostId, SessionId};
use moorline_shared::publish::RefusedReason;
use moorline_tests::relay::Relay;
use moorline_tests::stand_in::{ControlLink, Heard, PublishLink, hosted};
use reqwest::Method;
use serde_json::Value;

use super::{evict, plain};

/// The whole output, and its numbers.
async fn log(relay: &Relay, session: &SessionId) -> Result<Value> {
    let path = format!("/api/terminal/{session}/output");
    let answer = relay.api().expect(200, Method::GET, &path, Value::Null).await?;
    Ok(answer["output"].clone())
}

async fn is_fenced(mut stale: PublishLink) -> Result<()> {
    let reason = stale.until_refused().await?;
    ensure!(reason == RefusedReason::Fenced, "{reason:?}");
    ensure!(stale.next().await? == Heard::Closed(4409));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_host_is_fenced_though_nothing_is_in_memory() -> Result<()> {
    let relay = plain().await?;
    let (host, session): (HostId, SessionId) = ("stand_in".parse()?, "fenced_02".parse()?);
    let _control = ControlLink::welcomed(&relay, &host, vec![hosted(&session, 7)]).await?;
    let (mut new, _) = PublishLink::resumed(&relay, &session, 7, 1).await?;
    new.put_out(1, "new\r\n").await?;
    new.until_durable(1).await?;
    let before = log(&relay, &session).await?;

    evict(&relay).await?;
    let (mut stale, _) = PublishLink::resumed(&relay, &session, 6, 1).await?;
    // What it may have sent before it was told.
    let _ = stale.put_out(2, "old\r\n").await;
    is_fenced(stale).await?;
    ensure!(log(&relay, &session).await? == before, "{}", log(&relay, &session).await?);

    let (mut again, cursor) = PublishLink::resumed(&relay, &session, 7, 2).await?;
    ensure!(cursor.is_some_and(|cursor| cursor.seq.0 == 1), "{cursor:?}");
    again.put_out(2, "and on\r\n").await?;
    again.until_durable(2).await?;
    let now = log(&relay, &session).await?;
    ensure!(now.to_string().contains("and on") && !now.to_string().contains("old"), "{now}");
    Ok(())
}
