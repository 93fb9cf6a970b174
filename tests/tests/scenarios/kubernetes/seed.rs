//! The flow of seed 001: a socket of plain text that starts a pod.

use moorline_tests::plain::Plain;
use moorline_tests::relay::TOKEN;
use moorline_tests::wire::Greeting;

use super::*;
use crate::chromium::{Browser, Tab};

/// An id of the seed: longer than ours, with underscores.
const ID: &str = "user_1_ws_abc123_1234567890_uuid";

async fn connect(place: &Place) -> Result<Plain> {
    let path = format!("/api/terminal/ws/{ID}");
    Plain::connect(place.relay.address(), &path, &Greeting::ic1()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn connecting_to_an_unknown_id_starts_a_pod_and_keeps_early_commands() -> Result<()> {
    let place = Place::start_with(&[("MOORLINE_TERMINAL_DRIVER", "kubernetes")]).await?;
    place.cluster.script_next(PodScript::Unschedulable("0/1 nodes are available.".to_owned()));
    let mut socket = connect(&place).await?;
    socket.send("echo ear''ly\n").await?;
    let text = socket.read_until("Please wait...").await?;
    ensure!(text.contains("Error: Pod is not ready yet. Current status: Pending"), "{text}");
    let name = "exec-user-1-ws-abc123-1234567890-uuid";
    place.cluster.pods().release(name)?;
    socket.read_until("early").await?;
    // Reconnecting finds the same pod.
    drop(socket);
    let mut socket = connect(&place).await?;
    socket.send("echo again''\n").await?;
    socket.read_until("again").await?;
    ensure!(place.cluster.pods().names() == [name]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_that_does_not_become_ready_is_told_with_the_clusters_reason() -> Result<()> {
    let place = Place::start_with(&[("MOORLINE_TERMINAL_DRIVER", "kubernetes")]).await?;
    let path = format!("/api/hosts/{}/pods", host_id(&place.api).await?);
    let template = json!({ "name": "default", "image": "a", "readySeconds": 2 });
    place.api.expect(200, Method::POST, &path, template).await?;
    let sentence = "0/1 nodes are available: 1 Insufficient cpu.";
    place.cluster.script_next(PodScript::Unschedulable(sentence.to_owned()));
    let mut socket = connect(&place).await?;
    let (text, _) = socket.read_to_end().await?;
    ensure!(text.contains("Error: Failed to create execution pod\r\nDetails: "), "{text}");
    ensure!(text.contains(sentence), "{text}");
    wait_until("nothing to be left", async || {
        place.cluster.pods().names().is_empty() && place.cluster.claims().names().is_empty()
    })
    .await?;

    place.cluster.forbid("create", "pods");
    let path = "/api/terminal/ws/another_session_1";
    let mut socket = Plain::connect(place.relay.address(), path, &Greeting::ic1()).await?;
    let (text, _) = socket.read_to_end().await?;
    ensure!(text.starts_with("Error: Failed to create execution pod\nDetails: "), "{text}");
    ensure!(text.contains("forbidden"), "{text}");
    Ok(())
}

/// Waits until the component on a page has shown this since it was last looked at.
async fn until_shown(tab: &Tab, text: &str) -> Result<()> {
    let shown = format!("component.shown.includes({})", json!(text));
    tab.until(text, &shown).await?;
    tab.evaluate::<bool>("(component.shown = '', true)").await.map(drop)
}

async fn send(tab: &Tab, line: &str) -> Result<()> {
    tab.until("an open socket", &format!("component.send({})", json!(format!("{line}\n")))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_of_react_works_in_strict_mode_and_again_after_everything() -> Result<()> {
    let mut place = Place::start_with(&[("MOORLINE_TERMINAL_DRIVER", "kubernetes")]).await?;
    Browser::run("a_component_of_react", async |browser| {
        // A socket that is closed before it is open is an error on the console.
        browser.expect_bad_network();
        let tab = browser.open_exactly(&format!("{}/healthz", place.relay.url())).await?;
        tab.evaluate::<bool>(include_str!("seed/component.js")).await?;
        tab.evaluate::<bool>(&format!("(component.token = '{TOKEN}', true)")).await?;

        // Mounted, unmounted and mounted: one pod, and what was sent early runs once.
        let mount = format!("component.mount('{ID}', 'echo one >>runs; echo ear\\'\\'ly\\n')");
        tab.evaluate::<bool>(&mount).await?;
        until_shown(&tab, "early").await?;
        send(&tab, "wc -l <runs | tr -d ' ' | sed s/^/runs-/").await?;
        until_shown(&tab, "runs-1").await?;
        ensure!(place.cluster.pods().names().len() == 1, "{:?}", place.cluster.pods().names());

        // Left and opened again, as by navigation within a page.
        send(&tab, "v=kept").await?;
        tab.evaluate::<bool>("(component.unmount(), true)").await?;
        tab.evaluate::<bool>(&format!("component.mount('{ID}')")).await?;
        send(&tab, "echo still-$v").await?;
        until_shown(&tab, "still-kept").await?;

        // Every connection is lost: those of the page, and those into the pod.
        place.cluster.execs().cut();
        place.relay.kill().await?;
        tab.until("the loss", "component.socket.readyState !== WebSocket.OPEN").await?;
        place.relay.launch().await?;
        send(&tab, "echo back-$v").await?;
        until_shown(&tab, "back-kept").await?;
        let failed: u32 = tab.evaluate("component.failed").await?;
        ensure!(failed == 0, "{failed} messages were no text");
        ensure!(place.cluster.pods().names().len() == 1, "{:?}", place.cluster.pods().names());
        Ok(())
    })
    .await
}
