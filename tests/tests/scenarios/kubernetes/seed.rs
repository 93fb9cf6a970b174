//! The flow of seed 001: a socket of plain text that starts a pod.

use moorline_tests::plain::Plain;
use moorline_tests::wire::Greeting;

use super::*;

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
