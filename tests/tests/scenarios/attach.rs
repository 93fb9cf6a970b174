//! `moorline attach` on a terminal.

use anyhow::{Result, ensure};
use moorline_shared::event::Activity;
use moorline_tests::attach::OnTerminal;
use moorline_tests::expected;
use moorline_tests::relay::{Relay, TOKEN};

#[tokio::test(flavor = "multi_thread")]
async fn attach_types_detaches_and_reports_the_end() -> Result<()> {
    let relay = Relay::start().await?;
    let session = relay.api().run(expected::shell()).await?;
    let variables = [("MOORLINE_TOKEN", TOKEN.to_owned()), ("MOORLINE_URL", relay.url())];
    let attach = || OnTerminal::start(relay.program(), &["attach", session.as_str()], &variables);

    let mut first = attach()?;
    first.until_shown("moor>").await?;
    first.type_input(b"echo $((6*7)) $(stty size)\r").await?;
    first.until_shown("42 24 80").await?;
    first.type_input(b"\x1dd").await?;
    let status = first.until_ended().await?;
    ensure!(status.success(), "detaching ended with {status}");
    ensure!(relay.api().status(&session).await?.summary.status == Activity::Running);

    let mut second = attach()?;
    second.until_shown("42 24 80").await?;
    second.type_input(b"exit 5\r").await?;
    let status = second.until_ended().await?;
    ensure!(status.code() == Some(5), "the session's end was reported as {status}");
    Ok(())
}
