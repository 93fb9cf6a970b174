//! A relay that others on the network can reach: its certificate, and what its commands make of it.

use std::process::{Output, Stdio};

use anyhow::{Context as _, Result, ensure};
use moorline_tests::served::{moorline, refusal, run, serve};
use moorline_tests::wait::{wait_for, within};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};

/// Reads the lines that a relay prints at its start, up to its certificate's fingerprint.
async fn fingerprint(child: &mut tokio::process::Child) -> Result<String> {
    let mut lines = BufReader::new(child.stdout.take().context("no output")?).lines();
    while let Some(line) = lines.next_line().await? {
        let line = line.trim();
        if line.matches(':').count() == 31 {
            return Ok(line.to_owned());
        }
    }
    anyhow::bail!("the relay ended without a fingerprint")
}

async fn list(arguments: &[&str]) -> Result<Output> {
    let mut command = moorline()?;
    run(command.arg("ls").args(arguments)).await
}

#[tokio::test]
async fn commands_and_hosts_verify_a_certificate_of_the_relays_own() -> Result<()> {
    let (data, state) = (TempDir::new()?, TempDir::new()?);
    let mut command = moorline()?;
    serve(&mut command, data.path()).args(["--tls-self-signed", "--in-process"]);
    let mut relay = command.stdout(Stdio::piped()).spawn()?;
    let fingerprint = within("the fingerprint", fingerprint(&mut relay)).await??;
    let text = std::fs::read(data.path().join("relay.lock"))?;
    let serving: Value = serde_json::from_slice(&text)?;
    let url = format!("https://{}", serving["address"].as_str().context("no address")?);

    let folder = data.path().to_str().context("a folder's name")?;
    let certificate = format!("{folder}/self-signed.pem");
    for arguments in [
        &["--data-dir", folder][..],
        &["--url", &url, "--tls-fingerprint", &fingerprint],
        &["--url", &url, "--tls-ca", &certificate],
    ] {
        let listed = list(arguments).await?;
        ensure!(listed.status.success(), "{arguments:?}: {listed:?}");
    }
    let other = "0".repeat(64);
    for (arguments, why) in [
        (&["--url", &url, "--tls-fingerprint", &other][..], fingerprint.as_str()),
        (&["--url", &url, "--token", "any"], "UnknownIssuer"),
        (&["--url", &url, "--token", "any"], "--tls-fingerprint"),
        (&["--url", &url.replace("https", "http"), "--token", "any"], "begins with https://"),
        (&["--url", &url, "--tls-fingerprint", "12:34"], "64 hexadecimal digits"),
    ] {
        let mut command = moorline()?;
        let said = refusal(command.arg("ls").args(arguments)).await?;
        ensure!(said.contains(why), "{arguments:?}: {said}");
    }

    let mut host = moorline()?;
    host.args(["host", "--relay", &url, "--tls-fingerprint", &fingerprint, "--name", "far"])
        .arg("--state-dir")
        .arg(state.path())
        .args(["--", "sleep", "600"])
        .stdout(Stdio::null());
    let _host = host.spawn()?;
    wait_for("the host's session", async || {
        let listed = list(&["--data-dir", folder]).await.ok()?;
        String::from_utf8_lossy(&listed.stdout).contains("sleep").then_some(())
    })
    .await
}

#[tokio::test]
async fn an_address_beyond_the_machine_needs_tls_or_a_word() -> Result<()> {
    let data = TempDir::new()?;
    let mut command = moorline()?;
    command.args(["serve", "--listen", "0.0.0.0:0", "--data-dir"]).arg(data.path());
    let said = refusal(&mut command).await?;
    for way in ["--tls-cert", "--tls-self-signed", "--trust-proxy", "--insecure", "SSH"] {
        ensure!(said.contains(way), "{way}: {said}");
    }
    let mut command = moorline()?;
    command.args(["serve", "--tls-cert", "c", "--data-dir"]).arg(data.path());
    let said = refusal(&mut command).await?;
    ensure!(said.contains("--tls-key"), "{said}");
    Ok(())
}
