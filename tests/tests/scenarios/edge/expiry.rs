//! Sessions that nobody comes back to: alarms end them, and remove them, though no memory tells when.

use anyhow::{Context as _, Result, ensure};
use moorline_shared::control::ToHost;
use moorline_shared::id::{HostId, SessionId};
use moorline_shared::link::ClientStatus;
use moorline_shared::rest::SessionSummary;
use moorline_shared::session::Lifecycle;
use moorline_tests::expected;
use moorline_tests::follower::{Follower, Following};
use moorline_tests::relay::Relay;
use moorline_tests::stand_in::{ControlLink, Heard, Honest, hosted};
use moorline_tests::wait::wait_until;
use reqwest::Method;

use super::with;

/// Three seconds, in days.
const SOON: &str = "0.000035";

async fn listed(relay: &Relay, id: &SessionId) -> Result<Option<SessionSummary>> {
    Ok(relay.api().list().await?.into_iter().find(|session| session.session_id == *id))
}

async fn until_listed_as(
    relay: &Relay,
    id: &SessionId,
    lifecycle: Option<Lifecycle>,
) -> Result<()> {
    wait_until(&format!("the list to say {lifecycle:?}"), async || {
        listed(relay, id).await.is_ok_and(|found| found.map(|it| it.lifecycle) == lifecycle)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_over_expires_and_is_removed() -> Result<()> {
    let relay = with(&[("MOORLINE_EXPIRY_DAYS", SOON), ("MOORLINE_FORGETS", "0.1")]).await?;
    let api = relay.api();
    let stays = api.run(expected::counter()).await?;
    let script = "printf 'something to keep'; exit 3";
    let over = api.run(["sh", "-c", script].map(str::to_owned).to_vec()).await?;
    until_listed_as(&relay, &over, Some(Lifecycle::Exited)).await?;
    let follower = Follower::start(Following::new(relay.address(), &over, 1));
    follower.until("the end", |seen| matches!(seen.status, ClientStatus::Ended(_))).await?;
    until_listed_as(&relay, &over, Some(Lifecycle::Expired)).await?;
    let status = api.status(&over).await?.summary;
    ensure!(status.lifecycle == Lifecycle::Expired, "{status:?}");
    ensure!(status.exit_code == listed(&relay, &over).await?.context("listed")?.exit_code);
    until_listed_as(&relay, &over, None).await?;
    wait_until("the session to be gone", async || {
        let path = format!("/api/session/{over}/status");
        api.refusal(Method::GET, &path).await.is_ok_and(|(status, _)| status == 404)
    })
    .await?;
    let late = Follower::start(Following::new(relay.address(), &over, 2));
    late.until("the refusal", |seen| seen.status == ClientStatus::Refused { code: 4404 }).await?;
    // One that runs does not expire, however old.
    ensure!(api.status(&stays).await?.summary.lifecycle == Lifecycle::Live);
    ensure!(api.list().await?.len() == 1, "{:?}", api.list().await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_whose_host_stays_away_is_removed_and_forgotten() -> Result<()> {
    let relay = with(&[("MOORLINE_EXPIRY_DAYS", SOON), ("MOORLINE_FORGETS", "0.1")]).await?;
    let (host, session): (HostId, SessionId) = ("stand_in".parse()?, "left_0001".parse()?);
    let mut shell = Honest::publish(&relay, &host, &session, 7).await?;
    shell.put_out("I was here\r\n").await?;
    shell.until_durable().await?;
    drop(shell);
    until_listed_as(&relay, &session, Some(Lifecycle::Detached)).await?;
    until_listed_as(&relay, &session, Some(Lifecycle::Expired)).await?;
    until_listed_as(&relay, &session, None).await?;
    // Its host comes after all, and is told.
    let mut control = ControlLink::welcomed(&relay, &host, vec![hosted(&session, 7)]).await?;
    let told = control.next().await?;
    ensure!(told == Heard::Message(ToHost::Forget { session_id: session }), "{told:?}");
    ensure!(relay.api().list().await?.is_empty(), "it is back");
    Ok(())
}
