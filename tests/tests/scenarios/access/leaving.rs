//! Logging out: what ends with a browser, and what stays.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use moorline_shared::id::SessionId;
use moorline_shared::rest::{Ticket, TokenList};
use moorline_tests::api::Api;
use moorline_tests::relay::Relay;
use moorline_tests::sse::{Sse, events_of};
use reqwest::Method;
use reqwest::header::{COOKIE, ORIGIN, SET_COOKIE};
use serde_json::{Value, json};

use super::{Ending, Made, counting, end_of_events, ends, open_all, until_all_end};

/// The time within which everything ends: a second, and more on a busy machine.
const SOON: Duration = Duration::from_secs(4);

/// Exchanges a code of `issuer` for a token, as a page does that was opened with it.
async fn browser(relay: &Relay, issuer: &Api, label: &str) -> Result<Made> {
    let made = issuer.expect(200, Method::POST, "/api/tickets", Value::Null).await?;
    let Ticket { ticket, .. } = serde_json::from_value(made)?;
    let path = format!("/api/tokens?ticket={ticket}");
    let wish = json!({"scope": "admin", "label": label});
    let made = relay.api().with_token(None).expect(201, Method::POST, &path, wish).await?;
    let text = |name: &str| made[name].as_str().map(str::to_owned).context("a text");
    Ok(Made { id: text("id")?, secret: text("token")? })
}

/// Logs in by a token over TLS, and returns the cookie.
async fn cookie_of(relay: &Relay, api: &Api) -> Result<String> {
    let tls = relay.url().replace("http://", "https://");
    let answer = api.request(Method::POST, "/api/login").header(ORIGIN, tls).send().await?;
    let set = answer.headers().get(SET_COOKIE).context("no cookie")?.to_str()?;
    Ok(set.split(';').next().context("it is not empty")?.to_owned())
}

/// Opens an event stream by a cookie.
async fn followed(relay: &Relay, session: &SessionId, cookie: &str) -> Result<Ending> {
    let stranger = relay.api().with_token(None);
    let request = stranger.request(Method::GET, &events_of(session)).header(COOKIE, cookie);
    let events = Sse::of(request.send().await?).await?;
    Ok(ends("events of a cookie", end_of_events(events)))
}

/// Logs out by a token, and returns true if the relay revoked it.
async fn log_out(api: &Api, path: &str) -> Result<bool> {
    let done = api.expect(200, Method::DELETE, path, Value::Null).await?;
    done["revoked"].as_bool().with_context(|| format!("{done}"))
}

async fn until_all_end_soon(endings: Vec<Ending>, began: Instant) -> Result<()> {
    until_all_end(endings).await?;
    let after = began.elapsed();
    ensure!(after < SOON, "only after {after:?}");
    Ok(())
}

async fn is_listed(relay: &Relay, token: &Made) -> Result<bool> {
    let list: TokenList = relay.api().get("/api/tokens").await?;
    Ok(list.tokens.iter().any(|listed| listed.id == token.id))
}

#[tokio::test]
async fn a_token_that_a_browser_got_for_a_code_ends_when_it_logs_out() -> Result<()> {
    let relay = Relay::start().await?;
    let session = counting(&relay).await?;
    let own = browser(&relay, &relay.api(), "browser").await?;
    let other = browser(&relay, &relay.api(), "another browser").await?;
    let pasted = Made::new(&relay, "admin", "laptop").await?;
    let of_own = open_all(&relay, &own.secret, &session, true).await?;
    let began = Instant::now();
    ensure!(log_out(&own.api(&relay), "/api/login").await?, "its token is still valid");
    until_all_end_soon(of_own, began).await?;
    own.api(&relay).expect(401, Method::GET, "/api/login", Value::Null).await?;
    ensure!(!is_listed(&relay, &own).await?, "the token is still listed");

    // Others have the same token, so it stays valid.
    ensure!(!log_out(&pasted.api(&relay), "/api/login").await?, "the token was revoked");
    ensure!(!log_out(&relay.api(), "/api/login").await?, "the relay's own token was revoked");
    for valid in [&pasted, &other] {
        valid.api(&relay).expect(200, Method::GET, "/api/login", Value::Null).await?;
    }
    // A browser with a cookie has an own token too, which nobody keeps.
    let cookie = cookie_of(&relay, &other.api(&relay)).await?;
    let stranger = relay.api().with_token(None);
    let leave = stranger.request(Method::DELETE, "/api/login").header(COOKIE, &cookie);
    let done: Value = leave.header(ORIGIN, relay.url()).send().await?.json().await?;
    ensure!(done["revoked"] == true, "{done}");
    ensure!(!is_listed(&relay, &other).await?, "the token is still listed");
    Ok(())
}

#[tokio::test]
async fn logging_out_everywhere_ends_a_persons_browsers_and_no_tokens_of_theirs() -> Result<()> {
    let relay = Relay::start().await?;
    let session = counting(&relay).await?;
    let guest = Made::new(&relay, "admin", "guest").await?;
    let guests = browser(&relay, &guest.api(&relay), "guest's browser").await?;
    let (one, two) = (
        browser(&relay, &relay.api(), "laptop").await?,
        browser(&relay, &relay.api(), "phone").await?,
    );
    let of_guest = guest.api(&relay);
    let mut endings = open_all(&relay, &one.secret, &session, true).await?;
    endings.extend(open_all(&relay, &two.secret, &session, true).await?);
    let cookies =
        [cookie_of(&relay, &two.api(&relay)).await?, cookie_of(&relay, &relay.api()).await?];
    for cookie in &cookies {
        endings.push(followed(&relay, &session, cookie).await?);
    }
    let stays = cookie_of(&relay, &of_guest).await?;
    let mut guests_stream = open_all(&relay, &guests.secret, &session, false).await?;
    guests_stream.push(followed(&relay, &session, &stays).await?);

    let began = Instant::now();
    ensure!(log_out(&one.api(&relay), "/api/login/all").await?, "its token is still valid");
    until_all_end_soon(endings, began).await?;
    for ended in [&one, &two] {
        ended.api(&relay).expect(401, Method::GET, "/api/login", Value::Null).await?;
    }
    // The relay's own token stays valid, and so do the log-ins of somebody else.
    relay.api().expect(200, Method::GET, "/api/login", Value::Null).await?;
    guests.api(&relay).prompt(&session, "still here").await?;
    let began = Instant::now();
    ensure!(!log_out(&of_guest, "/api/login/all").await?, "the guest's token was revoked");
    until_all_end_soon(guests_stream, began).await?;
    of_guest.expect(200, Method::GET, "/api/login", Value::Null).await.map(drop)
}
