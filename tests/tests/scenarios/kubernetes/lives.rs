//! Pods that are lost, deleted or left alone, and hosts that end.

use super::*;

/// A shell whose files are in the session's folder.
async fn shell(place: &Place) -> Result<(SessionId, Follower, String)> {
    let id = place.create(expected::shell()).await?;
    let pod = place.ready(&id).await?.pod;
    let follower = place.follow(&id, 1).await?;
    follower.until("a prompt", |seen| seen.shows("moor>")).await?;
    follower.type_input("echo kept >file; echo writ''ten\r");
    follower.until("the file", |seen| seen.shows("written")).await?;
    Ok((id, follower, pod))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_that_is_lost_suspends_the_session_and_a_key_brings_it_back() -> Result<()> {
    type Loss = fn(&FakeCluster, &str) -> Result<()>;
    let losses: [(&str, Loss); 3] = [
        ("evicted", |cluster, pod| cluster.pods().evict(pod)),
        ("oom_killed", |cluster, pod| cluster.pods().kill_for_memory(pod)),
        ("pod_deleted", |cluster, pod| cluster.pods().delete(pod)),
    ];
    let place = Place::start().await?;
    let (id, follower, pod) = shell(&place).await?;
    let mut states = States::open(&place.api, &id).await?;
    for (round, (reason, lose)) in losses.into_iter().enumerate() {
        lose(&place.cluster, &pod)?;
        let suspended = states.until(PodPhase::Suspended).await?;
        ensure!(suspended.reason.as_deref() == Some(reason), "{suspended:?}");
        follower.until("the reason", |seen| seen.shows("Press a key")).await?;
        // The key that wakes it is typed, too.
        follower.type_input(format!("cat file; echo rou''nd{round}\r"));
        follower.until("the files", |seen| seen.shows(&format!("round{round}"))).await?;
        ensure!(follower.seen().shows("kept"), "{}", follower.seen().describe());
    }
    ensure!(follower.seen().clears == 0, "it is one log");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_outlives_its_host_and_orphans_are_deleted() -> Result<()> {
    let mut place = Place::start().await?;
    let (_, follower, pod) = shell(&place).await?;
    let orphan = place.create(expected::shell()).await?;
    let orphaned = place.ready(&orphan).await?.pod;
    follower.type_input("sleep 1; echo mean''while\r");
    follower.until("the command", |seen| seen.shows("sleep 1") && seen.pending == 0).await?;
    place.relay.kill_host().await?;
    // Its session is deleted while no host hears of it.
    place.api.delete(&orphan).await?;
    place.relay.launch_host().await?;
    follower.until("what happened meanwhile", |seen| seen.shows("meanwhile")).await?;
    follower.type_input("cat file; echo aft''er\r");
    follower.until("the same shell", |seen| seen.shows("after")).await?;
    ensure!(place.cluster.pods().names().contains(&pod));
    wait_until("the orphan to go", async || !place.cluster.pods().names().contains(&orphaned))
        .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_supervisor_a_cut_ends_the_shell_and_says_so() -> Result<()> {
    let place = Place::start().await?;
    let path = format!("/api/hosts/{}/pods", host_id(&place.api).await?);
    let template = json!({ "name": "default", "image": "a", "supervisor": "none" });
    place.api.expect(200, Method::POST, &path, template).await?;
    let id = place.create(expected::shell()).await?;
    let status = place.ready(&id).await?;
    ensure!(status.direct, "{status:?}");
    let follower = place.follow(&id, 1).await?;
    follower.until("a prompt", |seen| seen.shows("moor>")).await?;
    follower.resize(Size { cols: 77, rows: 22 });
    follower.type_input("v=1; stty size; echo fir''st\r");
    follower.until("the output", |seen| seen.shows("first") && seen.shows("22 77")).await?;
    place.cluster.execs().cut();
    follower.until("a new shell", |seen| seen.shows("A new one begins.")).await?;
    follower.type_input("echo \"v is $v.\"; exit 4\r");
    follower.until("the end", |seen| matches!(seen.status, ClientStatus::Ended(_))).await?;
    ensure!(follower.seen().shows("v is ."), "{}", follower.seen().describe());
    ensure!(place.api.status(&id).await?.summary.exit_code == Some(4));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_server_that_is_away_only_delays() -> Result<()> {
    let mut place = Place::start().await?;
    let (_, follower, _) = shell(&place).await?;
    place.cluster.go_away().await;
    follower.type_input("echo back''again\r");
    place.cluster.come_back().await?;
    place.cluster.expire_watches();
    follower.until("the shell", |seen| seen.shows("backagain")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_supervisor_of_another_version_says_so() -> Result<()> {
    // It refuses whoever connects, as one does that speaks another version.
    const OTHER: &str = "#!/bin/sh\ncase $1 in\n\
                         connect) printf '\\000\\000\\000\\020\\006\\001only version 9'; sleep 9;;\n\
                         *) while :; do sleep 1; done;;\nesac\n";
    let folder = tempfile::tempdir()?;
    let machine = folder.path().join(std::env::consts::ARCH);
    std::fs::create_dir(&machine)?;
    std::fs::write(machine.join("moorline-supervisor"), OTHER)?;
    let supervisors = folder.path().to_string_lossy();
    let place = Place::start_with(&[("MOORLINE_SUPERVISORS", &*supervisors)]).await?;
    let path = format!("/api/hosts/{}/pods", host_id(&place.api).await?);
    let template = json!({ "name": "default", "image": "a", "readySeconds": 5 });
    place.api.expect(200, Method::POST, &path, template).await?;
    let id = place.create(expected::shell()).await?;
    let mut events = Sse::replay(&place.api, &id, "").await?;
    let told = events.skip_to("session-error").await?;
    let message = told.data["error"].to_string();
    ensure!(told.data["code"] == "supervisor_version", "{}", told.data);
    ensure!(message.contains("only version 9") && message.contains("another version"), "{message}");
    Ok(())
}
