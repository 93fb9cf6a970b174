//! What a session keeps is bounded, in its log as in its database.

use anyhow::{Result, ensure};
use moorline_core::profile::Profile;
use moorline_shared::id::Seq;
use moorline_shared::limits::SNAPSHOT_BYTES;
use moorline_tests::expected::Flood;
use moorline_tests::follower::{Follower, Following};
use moorline_tests::wait::wait_until;
use reqwest::Method;
use serde_json::Value;

use super::{plain, size_of};

/// Bytes of a log that are retained.
const RETENTION_BYTES: u64 = Profile::EDGE.log.retention_bytes;
/// Several times what is retained.
const FLOOD: Flood = Flood { lines: 6_000_000 };
const PARTS: u64 = 12;
/// Rows that go are only looked for when there is this much of them, and SQLite's pages, its journal
/// and the directory want room too.
const ROOM: u64 = 16 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn old_output_goes_and_its_room_is_used_again() -> Result<()> {
    let mut relay = plain().await?;
    let api = relay.api();
    let session = api.run_ready(FLOOD.command_in_parts(PARTS)).await?;
    let follower = Follower::live(Following::new(relay.address(), &session, 1)).await?;
    let storage = relay.data_dir().join("storage");
    let bound = RETENTION_BYTES + SNAPSHOT_BYTES as u64 + ROOM;
    let mut tail = api.status(&session).await?.tail;
    for part in 1..=PARTS {
        follower.flood_part(FLOOD, (part, PARTS), || {}).await?;
        let size = size_of(&storage)?;
        ensure!(size < bound, "{size} bytes are stored after part {part}");
        if part % 4 == 0 {
            wait_until("the oldest entry to be a later one", async || {
                api.status(&session).await.is_ok_and(|status| status.tail > tail)
            })
            .await?;
            tail = api.status(&session).await?.tail;
        }
    }
    // What is in memory alone is no proof.
    relay.kill().await?;
    relay.launch().await?;
    ensure!(api.status(&session).await?.tail >= tail);
    let output = FLOOD.output();
    ensure!(output.len() as u64 > 4 * RETENTION_BYTES, "a flood of {} bytes", output.len());

    // Who reads from the beginning begins with what there is, and that is the log's true end.
    let (mut text, mut next) = (String::new(), Seq::ZERO);
    loop {
        let path = format!("/api/terminal/{session}/output?since={next}");
        let answer = api.expect(200, Method::GET, &path, Value::Null).await?;
        let pieces = answer["output"].as_array().into_iter().flatten();
        text.extend(pieces.filter_map(|piece| piece["content"].as_str()));
        let after = Seq(answer["next"].as_u64().unwrap_or_default());
        if after == next {
            break;
        }
        next = after;
    }
    ensure!(output.ends_with(text.as_bytes()), "{} bytes that are not its end", text.len());
    let kept = text.len() as u64;
    ensure!((RETENTION_BYTES / 2..2 * RETENTION_BYTES).contains(&kept), "{kept} bytes");
    Ok(())
}
