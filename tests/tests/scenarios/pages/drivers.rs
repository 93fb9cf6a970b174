//! The choice of a driver where a session is created.

use anyhow::{Result, bail, ensure};
use moorline_shared::control::{Hello, ToHost};
use moorline_shared::id::HostId;
use moorline_shared::rest::MissingDriver;
use moorline_tests::relay::Relay;
use moorline_tests::stand_in::{ControlLink, Heard, hello};

use super::{look, steering};
use crate::chromium::Browser;

const REASON: &str = "tmux is not installed: install it with your package manager";

#[tokio::test(flavor = "multi_thread")]
async fn a_driver_that_a_host_misses_is_shown_with_the_reason() -> Result<()> {
    let relay = Relay::start().await?;
    let host: HostId = "stand_in".parse()?;
    let greeting = Hello {
        drivers: vec!["pty".into(), "other".into()],
        missing: vec![MissingDriver { driver: "tmux".into(), reason: REASON.into() }],
        ..hello(&host)
    };
    let mut control = ControlLink::greeted(&relay, &host, greeting).await?;
    Browser::run("a_driver_that_a_host_misses", async |browser| {
        let tab = browser.open(&format!("{}/sessions", relay.url())).await?;
        tab.click("[data-testid=create-custom]").await?;
        let choose = |host: &str| {
            format!(
                "(() => {{
                    const hosts = document.querySelector('[data-testid=host]');
                    if (![...hosts.options].some(({{ value }}) => value === '{host}')) return false;
                    hosts.value = '{host}';
                    return hosts.dispatchEvent(new Event('change', {{ bubbles: true }}));
                }})()"
            )
        };
        tab.until("the choice of the stand-in", &choose("stand_in")).await?;
        steering::until_shown(&tab, "[data-testid=drivers]", REASON).await?;
        let missing = "document.querySelector('[data-testid=drivers] [value=tmux]')";
        // The reason is a part of the option's name, which screen readers say.
        let told = format!(
            "{missing}.disabled && {missing}.labels[0].innerText.includes('not installed')"
        );
        ensure!(tab.evaluate::<bool>(&told).await?, "it can be chosen, or has no reason");
        let found = look::scan(&tab, "the form", &look::axe()?).await?;
        ensure!(found.is_empty(), "{}", found.join("\n"));
        // A relay's own host has all of its drivers; an edge relay's in these tests as well.
        let others = "[...document.querySelectorAll('[data-testid=host] option')]
            .map(({ value }) => value).find(value => value !== 'stand_in')";
        let other: String = tab.evaluate(others).await?;
        tab.until("the choice of the other host", &choose(&other)).await?;
        tab.until_gone("[data-testid=drivers] [value=tmux]:disabled").await?;
        tab.until("the choice of the stand-in", &choose("stand_in")).await?;
        tab.click("[data-testid=drivers] [value=other]").await?;
        tab.click("[data-testid=start]").await?;
        match control.next().await? {
            Heard::Message(ToHost::Start { session, .. }) => {
                ensure!(session.facts.driver == "other", "{session:?}");
                Ok(())
            }
            other => bail!("{other:?} instead of a start"),
        }
    })
    .await
}
