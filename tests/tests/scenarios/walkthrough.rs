//! The walk-through of `docs/API.md`, run as it is printed there.

use anyhow::{Result, ensure};
use moorline_tests::relay::{Relay, TOKEN};
use moorline_tests::wait::within;
use tokio::process::Command;

const PAGE: &str = include_str!("../../../docs/API.md");
/// Begins a block that belongs to the walk-through.
const FENCE: &str = "```sh walkthrough\n";

/// All blocks as one script, which keeps the variables of earlier blocks.
fn script() -> String {
    let blocks = PAGE.split(FENCE).skip(1);
    blocks.filter_map(|block| block.split_once("```")).map(|(block, _)| block).collect()
}

#[tokio::test]
async fn walkthrough_of_the_api_page_works() -> Result<()> {
    let relay = Relay::start().await?;
    let mut curl = Command::new("sh");
    curl.args(["-e", "-c", &script()]).kill_on_drop(true);
    curl.env("MOORLINE_URL", relay.url()).env("MOORLINE_TOKEN", TOKEN);
    let output = within("the walk-through", curl.output()).await??;
    let printed = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "{printed}\n{}", String::from_utf8_lossy(&output.stderr));
    for step in [
        r#""name":"A walk-through""#,
        r#""message":"Command sent""#,
        "answer-42",
        "event: session-output",
        r#""status":"exited""#,
        r#""message":"Session deleted""#,
    ] {
        ensure!(printed.contains(step), "{step} is missing:\n{printed}");
    }
    ensure!(relay.api().list().await?.is_empty(), "{printed}");
    Ok(())
}
