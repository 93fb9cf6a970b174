//! What a browser's cookie opens, and for how long.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use moorline_tests::relay::Relay;
use moorline_tests::sse::{Sse, events_of};
use reqwest::header::{COOKIE, ORIGIN, SET_COOKIE};
use reqwest::{Method, RequestBuilder};

use super::{counting, end_of_events};

#[tokio::test]
async fn what_a_cookie_has_opened_ends_when_it_expires_and_not_if_it_is_renewed() -> Result<()> {
    let relay = Relay::start().await?;
    let session = counting(&relay).await?;
    let (api, stranger) = (relay.api(), relay.api().with_token(None));
    let tls = relay.url().replace("http://", "https://");
    let cookie_of = async |request: RequestBuilder| -> Result<String> {
        let answer = request.header(ORIGIN, &tls).send().await?;
        let set = answer.headers().get(SET_COOKIE).context("no cookie")?.to_str()?;
        Ok(set.split(';').next().context("it is not empty")?.to_owned())
    };
    let log_in = api.request(Method::POST, "/api/login?keepForMs=3000");
    let (short, renewed) =
        (cookie_of(log_in.try_clone().context("no body")?).await?, cookie_of(log_in).await?);
    let began = Instant::now();
    let follow = async |cookie: &str, path: &str| {
        Sse::of(stranger.request(Method::GET, path).header(COOKIE, cookie).send().await?).await
    };
    let ending = follow(&short, &events_of(&session)).await?;
    let of_lists = follow(&short, "/api/events").await?;
    let mut lasting = follow(&renewed, &events_of(&session)).await?;
    let by_cookie = stranger.request(Method::POST, "/api/login?keepForMs=60000");
    cookie_of(by_cookie.header(COOKIE, &renewed)).await?;
    for events in [ending, of_lists] {
        end_of_events(events).await?;
        let after = began.elapsed();
        ensure!(after < Duration::from_secs(5), "only after {after:?}");
    }
    api.prompt(&session, "still here").await?;
    lasting.output(Some("still here")).await.map(drop)
}
