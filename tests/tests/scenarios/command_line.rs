//! `moorline new`, `ls`, `kill` and `attach` by name, as someone on the relay's machine uses them.

use std::process::Output;

use anyhow::{Context as _, Result, ensure};
use moorline_shared::message::close;
use moorline_shared::rest::{AuditKind, AuditList};
use moorline_tests::attach::OnTerminal;
use moorline_tests::expected;
use moorline_tests::relay::{Kind, Relay, Setup};
use moorline_tests::wait::{wait_until, within};
use moorline_tests::wire::{Greeting, Wire};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::process::Command;

/// Runs a command without a token and an address: both come from the data folder.
async fn run(relay: &Relay, arguments: &[&str]) -> Result<Output> {
    let mut command = Command::new(relay.program());
    command.args(arguments).env("MOORLINE_DATA_DIR", relay.data_dir()).kill_on_drop(true);
    command.env_remove("MOORLINE_TOKEN").env_remove("MOORLINE_URL");
    Ok(within("a command", command.output()).await??)
}

async fn lines(relay: &Relay, arguments: &[&str]) -> Result<Vec<String>> {
    let output = run(relay, arguments).await?;
    ensure!(output.status.success(), "{arguments:?}: {output:?}");
    Ok(String::from_utf8(output.stdout)?.lines().map(str::to_owned).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_made_listed_and_ended_by_name() -> Result<()> {
    let relay = Relay::start_as(Kind::Native, Setup::default()).await?;
    let made = lines(&relay, &["new", "-d", "--name", "one", "--cwd", "/", "--", "cat"]).await?;
    let [id] = made.as_slice() else { anyhow::bail!("{made:?}") };
    let session = &relay.api().list().await?[0];
    ensure!(session.session_id.as_str() == id && session.name == "one", "{session:?}");
    ensure!(session.cwd.as_deref() == Some("/"), "{session:?}");

    let listed = lines(&relay, &["ls"]).await?;
    ensure!(listed.len() == 2 && listed[1].starts_with(id.as_str()), "{listed:?}");
    ensure!(listed[1].contains("one") && listed[1].contains("running"), "{listed:?}");
    let json = lines(&relay, &["ls", "--json"]).await?;
    ensure!(json.len() == 1 && json[0].contains(&format!("\"sessionId\":\"{id}\"")), "{json:?}");

    let missing = run(&relay, &["kill", "one", "none"]).await?;
    ensure!(!missing.status.success(), "{missing:?}");
    ensure!(relay.api().list().await?.len() == 1, "one was ended although the other is missing");
    ensure!(lines(&relay, &["kill", "one"]).await? == made);
    ensure!(relay.api().list().await?.is_empty());
    // No token is left of all this.
    let api = relay.api();
    let tokens = api.expect(200, Method::GET, "/api/tokens", Value::Null).await?;
    ensure!(!tokens.to_string().contains("command line"), "{tokens}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn new_attaches_and_attach_takes_a_name() -> Result<()> {
    let relay = Relay::start_as(Kind::Native, Setup::default()).await?;
    let data_dir = relay.data_dir().to_str().unwrap_or_default().to_owned();
    let variables = [("MOORLINE_DATA_DIR", data_dir)];
    let mut words = vec!["new", "--name", "mine", "--"];
    let shell = expected::shell();
    words.extend(shell.iter().map(String::as_str));
    let mut new = OnTerminal::start(relay.program(), &words, &variables)?;
    new.until_shown("moor>").await?;
    new.type_input(b"echo $((6*7))-$(stty size)\r").await?;
    new.until_shown("42-24 80").await?;
    new.type_input(b"\x1dd").await?;
    ensure!(new.until_ended().await?.success());

    let mut again = OnTerminal::start(relay.program(), &["attach", "mine"], &variables)?;
    again.until_shown("42-24 80").await?;
    again.type_input(b"exit 5\r").await?;
    ensure!(again.until_ended().await?.code() == Some(5));
    Ok(())
}

#[tokio::test]
async fn completion_is_printed_for_every_shell() -> Result<()> {
    let relay = Relay::start_as(Kind::Native, Setup::default()).await?;
    for shell in ["bash", "zsh", "fish"] {
        let script = lines(&relay, &["completion", shell]).await?;
        ensure!(
            script.iter().any(|line| line.contains("MOORLINE_COMPLETE")),
            "{shell}: {script:?}"
        );
    }
    // What a shell asks for then.
    let session = relay.api().run(expected::shell()).await?;
    let completed = Command::new(relay.program())
        .args(["--", "moorline", "attach", ""])
        .env("MOORLINE_DATA_DIR", relay.data_dir())
        .env_remove("MOORLINE_URL")
        .env_remove("MOORLINE_TOKEN")
        .env("MOORLINE_COMPLETE", "fish")
        .output()
        .await?;
    let completed = String::from_utf8(completed.stdout)?;
    ensure!(completed.contains(session.as_str()), "{completed}");
    Ok(())
}

#[tokio::test]
async fn open_prints_an_address_with_a_code_of_its_own() -> Result<()> {
    let relay = Relay::start_as(Kind::Native, Setup::default()).await?;
    let session = relay.api().run(expected::shell()).await?;
    let printed = lines(&relay, &["open", "--print"]).await?;
    let (page, code) = printed[0].split_once("#code=").context("no code")?;
    ensure!(page == format!("{}/", relay.url()), "{page}");
    // What the page does with it, once.
    let nobody = relay.api().with_token(None);
    let exchange = format!("/api/tokens?ticket={code}");
    let own = json!({"scope": "admin", "label": "a page", "expiresInMs": 600_000});
    let made = nobody.expect(201, Method::POST, &exchange, own.clone()).await?;
    let page = relay.api().with_token(made["token"].as_str());
    page.expect(200, Method::GET, "/api/sessions", Value::Null).await?;
    nobody.expect(401, Method::POST, &exchange, own).await?;

    let printed = lines(&relay, &["open", "--print", session.as_str()]).await?;
    ensure!(printed[0].starts_with(&format!("{}/terminal/{session}#code=", relay.url())));
    Ok(())
}

/// Lets the relay store no token and remove none, as a full disk does.
async fn lock_tokens(relay: &Relay) -> Result<()> {
    for change in ["INSERT", "DELETE"] {
        let what = format!(
            "CREATE TRIGGER no_{change} BEFORE {change} ON tokens
             BEGIN SELECT RAISE(FAIL, 'there is no room'); END"
        );
        let database = relay.data_dir().join("moorline.sqlite3");
        let done = Command::new("sqlite3").arg(database).arg(what).output().await?;
        ensure!(done.status.success(), "{done:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_need_no_room_for_a_token() -> Result<()> {
    for kind in [Kind::Native, Kind::InProcess] {
        let relay = Relay::start_as(kind, Setup::default()).await?;
        let own = json!({"scope": "admin", "label": "to be revoked"});
        let made = relay.api().expect(201, Method::POST, "/api/tokens", own).await?;
        lock_tokens(&relay).await?;

        let mut words = vec!["new", "-d", "--name", "one", "--"];
        let shell = expected::shell();
        words.extend(shell.iter().map(String::as_str));
        let made_session = lines(&relay, &words).await?;
        let listed = lines(&relay, &["ls"]).await?;
        ensure!(listed[1].starts_with(&made_session[0]), "{listed:?}");
        let data_dir = relay.data_dir().to_str().unwrap_or_default().to_owned();
        let variables = [("MOORLINE_DATA_DIR", data_dir)];
        let mut attached = OnTerminal::start(relay.program(), &["attach", "one"], &variables)?;
        attached.until_shown("moor>").await?;
        attached.type_input(b"echo $((6*7))-works\r").await?;
        attached.until_shown("42-works").await?;
        attached.type_input(b"\x1dd").await?;
        ensure!(attached.until_ended().await?.success());
        let printed = lines(&relay, &["open", "--print"]).await?;
        ensure!(printed[0].contains("#code="), "{printed:?}");
        ensure!(lines(&relay, &["kill", "one"]).await? == made_session);

        // It is in the database yet, and void.
        let page = relay.api().with_token(made["token"].as_str());
        page.expect(200, Method::GET, "/api/sessions", Value::Null).await?;
        let revoked = run(&relay, &["token", "revoke", made["id"].as_str().context("id")?]).await?;
        ensure!(!revoked.status.success(), "{revoked:?}");
        page.expect(401, Method::GET, "/api/sessions", Value::Null).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_changed_at_once_and_the_audit_says_so() -> Result<()> {
    for kind in [Kind::Native, Kind::InProcess] {
        let relay = Relay::start_as(kind, Setup::default()).await?;
        let session = relay.api().run(expected::shell()).await?;
        let made = lines(&relay, &["token", "new", "--label", "phone"]).await?;
        let secret = made[0].split_once("#token=").context("no token")?.1.to_owned();
        let listed = lines(&relay, &["token", "list"]).await?;
        let phone = listed.iter().find(|line| line.ends_with("  phone")).context("not listed")?;
        let id = phone.split_whitespace().next().context("no id")?.to_owned();

        let greeting = Greeting { bearer: Some(secret.clone()), ..Greeting::extended() };
        let mut stream = Wire::connect(&relay, &session, &greeting).await?;
        let scope = format!("session:{session}:read");
        let change = ["token", "change", &id, "--scope", &scope, "--expires", "1h"];
        let changed = lines(&relay, &[&change[..], &["--label", "tablet"]].concat()).await?;
        ensure!(changed[0].contains(&scope) && changed[0].ends_with("  tablet"), "{changed:?}");
        ensure!(stream.close_code().await? == close::UNAUTHORIZED);
        let page = relay.api().with_token(Some(&secret));
        page.expect(403, Method::GET, "/api/sessions", Value::Null).await?;
        for wrong in [&["token", "change", "none", "--label", "x"][..], &["token", "change", &id]] {
            ensure!(!run(&relay, wrong).await?.status.success(), "{wrong:?}");
        }
        lines(&relay, &["token", "revoke", &id]).await?;

        let expected = [AuditKind::Revoked, AuditKind::Changed, AuditKind::Shared];
        wait_until("the audit", async || {
            let list =
                relay.api().get::<AuditList>("/api/audit?kinds=shared,changed,revoked").await;
            list.is_ok_and(|list| {
                let kinds = list.events.iter().map(|event| event.kind);
                kinds.eq(expected) && list.events.iter().all(|event| event.who == "command line")
            })
        })
        .await?;
    }
    Ok(())
}
