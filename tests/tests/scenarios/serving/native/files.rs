//! The limit of open files.

use anyhow::{Context as _, Result, ensure};
use moorline_shared::rest::CreateSession;
use moorline_tests::served::{Served, by, serve};
use moorline_tests::wait::wait_until;
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Starts the rest of the command with a limit of open files.
const SOFT: [&str; 4] = ["sh", "-c", "ulimit -Sn 100; exec \"$@\"", "sh"];
const HARD: [&str; 4] = ["sh", "-c", "ulimit -n 100; exec \"$@\"", "sh"];

/// The limits of a process: soft and hard.
fn limits(pid: i32) -> Result<(u64, u64)> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/limits"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("Max open files"));
    let mut numbers = line.context("no limit")?.split_whitespace();
    let mut next = || anyhow::Ok(numbers.next().context("no number")?.parse()?);
    Ok((next()?, next()?))
}

fn waiting() -> Value {
    json!({"command": ["sh", "-c", "read end"]})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_low_limit_is_raised_and_given_back_to_programs() -> Result<()> {
    for arguments in [&[][..], &["--in-process"]] {
        let data = TempDir::new()?;
        let data = data.path();
        let relay = Served::start(serve(&mut by(&SOFT)?, data).args(arguments), data).await?;
        for pid in [relay.pid()?, relay.host_pid()?] {
            let (soft, hard) = limits(pid)?;
            ensure!(soft > 100 && soft <= hard, "{soft} of {hard}");
        }
        // More than the limit would have had room for.
        for _ in 0..40 {
            relay.api.expect(201, Method::POST, "/api/sessions", waiting()).await?;
        }
        let (_, hard) = limits(relay.pid()?)?;
        let told = relay.until_puts_out("echo \"[$(ulimit -Sn) $(ulimit -Hn)]\"", "]").await?;
        ensure!(told.contains("[100 "), "a program has {told:?}");
        ensure!(!told.contains("[100 100]") || hard == 100, "the hard limit was lowered: {told:?}");
        // A shell by its own name, and what the system says of a program that does not start.
        let shell = CreateSession::default();
        let shell = relay.api.create(&shell).await?.session_id;
        relay.type_line(shell.as_str(), "echo \"[$0 $(ulimit -Sn)]\"").await?;
        relay.until_has(shell.as_str(), "[-sh 100]").await?;
        for (command, why) in [
            ("/no/such/program", "program not found"),
            ("no-such-program", "program not found"),
            ("/", "executable"),
        ] {
            let wish = json!({"command": [command]});
            let refused = relay.api.expect(400, Method::POST, "/api/sessions", wish).await?;
            let message = refused["message"].as_str().unwrap_or_default();
            ensure!(message.contains(why), "{command}: {refused}");
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn without_descriptors_a_session_is_refused_with_the_reason() -> Result<()> {
    let data = TempDir::new()?;
    let data = data.path();
    let relay = Served::start(serve(&mut by(&HARD)?, data), data).await?;
    let mut made = Vec::new();
    let refused = loop {
        let (status, answer) = relay.api.call(Method::POST, "/api/sessions", waiting()).await?;
        if status != 201 {
            break (status, answer);
        }
        made.push(answer["sessionId"].as_str().context("no id")?.to_owned());
        ensure!(made.len() < 100, "descriptors never ran out");
    };
    let (status, answer) = refused;
    ensure!(status == 503 && answer["code"] == "overloaded", "{status} {answer}");
    let message = answer["message"].as_str().unwrap_or_default();
    ensure!(message.contains("file descriptors"), "{answer}");
    // Those that run are as before, and there is room again when some end.
    for id in &made[..4] {
        relay.api.delete(&id.parse()?).await?;
    }
    wait_until("room for another session", async || {
        let answer = relay.api.call(Method::POST, "/api/sessions", waiting()).await;
        answer.is_ok_and(|(status, _)| status == 201)
    })
    .await
}
