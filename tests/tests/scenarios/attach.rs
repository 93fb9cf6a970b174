//! `moorline attach` on a terminal.

use anyhow::{Context as _, Result, ensure};
use moorline_shared::event::Activity;
use moorline_tests::attach::OnTerminal;
use moorline_tests::expected;
use moorline_tests::relay::{Relay, TOKEN};
use moorline_tests::wait::wait_until;
use rustix::process::Signal;

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
    // The shell tells nothing itself: it is at its prompt.
    wait_until("an idle shell", async || {
        let status = relay.api().status(&session).await;
        status.is_ok_and(|status| status.summary.status == Activity::Idle)
    })
    .await?;

    let mut second = attach()?;
    second.until_shown("42 24 80").await?;
    second.type_input(b"exit 5\r").await?;
    let status = second.until_ended().await?;
    ensure!(status.code() == Some(5), "the session's end was reported as {status}");
    Ok(())
}

/// Sets what a full-screen program sets, and more, and then waits.
const SETS: &str = "printf '\\033[5 q\\033]0;theirs\\007\\033[?1049h\\033[?1003h\\033[?1006h\\033[?2004h\\033[?1h\\033=\
    \\033[?25l\\033]11;#102030\\007\\033[>5u\\033[>4;2mup\\055and\\055running'; exec cat";

#[tokio::test(flavor = "multi_thread")]
async fn attach_takes_back_what_programs_set() -> Result<()> {
    let relay = Relay::start().await?;
    let session =
        relay.api().run(["sh", "-c", "read -r a; eval \"$a\""].map(str::to_owned).to_vec()).await?;
    let variables = [("MOORLINE_TOKEN", TOKEN.to_owned()), ("MOORLINE_URL", relay.url())];
    let attach = || OnTerminal::start(relay.program(), &["attach", session.as_str()], &variables);

    let mut first = attach()?;
    first.until_shown("attached").await?;
    first.type_input(format!("{SETS}\r").as_bytes()).await?;
    first.until_shown("up-and-running").await?;
    first.type_input(b"\x1dd").await?;
    first.until_ended().await?;
    // Another one that gets the same in a snapshot, and is ended from elsewhere.
    let mut second = attach()?;
    second.until_shown("up-and-running").await?;
    second.signal(Signal::INT)?;
    second.until_ended().await?;

    for ended in [first, second] {
        wait_until("the end of its output", async || ended.output().contains("comes back")).await?;
        let output = ended.output();
        ensure!(output.starts_with("\x1b[22;0t"), "the title is not saved: {output:?}");
        for sequence in ["\x1bc", "\x1b[3J"] {
            ensure!(!output.contains(sequence), "the user's own lines go by {sequence:?}");
        }
        let (_, undo) = output.rsplit_once("\x18\x1b\\").context("nothing is taken back")?;
        for sequence in
            ["\x1b[0 q", "\x1b[23;0t", "\x1b[?1049l", "\x1b>", "\x1b[?7;25h", "\x1b[>4m"]
        {
            ensure!(undo.contains(sequence), "{sequence:?} is not in {undo:?}");
        }
        for mode in ["1003", "1006", "2004"] {
            ensure!(undo.contains(mode), "{mode} is not in {undo:?}");
        }
        ensure!(!ended.shown().alternate, "the other screen stays");
    }
    Ok(())
}
