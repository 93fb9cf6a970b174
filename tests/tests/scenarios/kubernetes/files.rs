//! Workspaces in pods: the folder of a pod in sync with the files of the relay.

use std::path::PathBuf;

use moorline_tests::workspaces::Workspace;

use super::*;

/// A session in a pod whose folder is in sync with a workspace.
struct Synced {
    place: Place,
    files: Workspace,
    id: SessionId,
    follower: Follower,
    pod: String,
}

pub(super) fn synced_wish(files: &Workspace, command: Vec<String>) -> Result<CreateSession> {
    Ok(CreateSession { workspace: Some(files.id.parse()?), ..wish(command) })
}

/// Bytes that no two files share.
pub(super) fn content(length: usize, salt: usize) -> Vec<u8> {
    let mut state = salt as u64 + 1;
    let mut byte = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    };
    (0..length).map(|_| byte()).collect()
}

/// Types a command, and waits until it has ended: until `done`, of two letters or more, is shown.
pub(super) async fn run(follower: &Follower, command: &str, done: &str) -> Result<()> {
    let (first, rest) = done.split_at(1);
    follower.type_input(format!("{command}; echo {first}''{rest}\r"));
    follower.until(command, |seen| seen.shows(done)).await
}

impl Synced {
    async fn start(place: Place, files: Workspace, command: Vec<String>) -> Result<Self> {
        let id = place.api.create(&synced_wish(&files, command)?).await?.session_id;
        let pod = place.ready(&id).await?.pod;
        let follower = place.follow(&id, 1).await?;
        Ok(Self { place, files, id, follower, pod })
    }

    /// Starts a shell in a workspace with the file `first`.
    async fn shell() -> Result<Self> {
        let place = Place::start().await?;
        let files = Workspace::create(&place.api).await?;
        files.put("first", "first\n").await?;
        let synced = Self::start(place, files, expected::shell()).await?;
        synced.follower.until("a prompt", |seen| seen.shows("moor>")).await?;
        Ok(synced)
    }

    /// The path of a file of the pod, as long as it has this volume.
    fn at(&self, path: &str) -> Result<PathBuf> {
        Ok(self.place.cluster.claims().folder(&self.pod).context("no volume")?.join(path))
    }

    async fn until_file(&self, path: &str, content: &[u8]) -> Result<()> {
        wait_until(&format!("{path} in the pod"), async || {
            self.at(path).is_ok_and(|path| std::fs::read(path).is_ok_and(|now| now == content))
        })
        .await
    }

    /// Types a command, and waits until it has ended: see [`run`].
    async fn run(&self, command: &str, done: &str) -> Result<()> {
        run(&self.follower, command, done).await
    }

    /// Waits for an error with this code in the session's log.
    async fn until_error(&self, code: &str) -> Result<String> {
        let mut events = Sse::replay(&self.place.api, &self.id, "").await?;
        loop {
            let told = events.skip_to("session-error").await?;
            if told.data["code"] == code {
                return Ok(told.data["error"].to_string());
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_a_pod_are_there_before_its_first_command_and_go_both_ways() -> Result<()> {
    let place = Place::start().await?;
    let files = Workspace::create(&place.api).await?;
    files.put("in/hello.txt", "hello\n").await?;
    files
        .send(Method::PUT, "run.sh", &[("x-moorline-mode", "755")], "#!/bin/sh\ncat in/*\n")
        .await?;
    let script = "./run.sh > copied; exec cat";
    let command = ["sh", "-c", script].map(str::to_owned).to_vec();
    let pod = Synced::start(place, files, command).await?;
    pod.files.until_content("copied", b"hello\n").await?;

    let large = content(3_000_000, 1);
    std::fs::create_dir(pod.at("out")?)?;
    std::fs::write(pod.at("out/data.bin")?, &large)?;
    pod.files.until_content("out/data.bin", &large).await?;
    std::fs::rename(pod.at("out")?, pod.at("moved")?)?;
    pod.files.until_content("moved/data.bin", &large).await?;
    pod.files.until_gone("out").await?;
    let larger = content(4_000_000, 2);
    pod.files.put("moved/data.bin", larger.clone()).await?;
    pod.until_file("moved/data.bin", &larger).await?;
    pod.files.delete("moved").await?;
    wait_until("the deletion", async || pod.at("moved").is_ok_and(|path| !path.exists())).await?;
    let listed: Vec<_> = pod.files.listing().await?.into_keys().collect();
    ensure!(listed == ["copied", "in", "in/hello.txt", "run.sh"], "{listed:?}");

    // What a program writes last is in the workspace before its end is told.
    let last = ["sh", "-c", "echo last > last.txt"].map(str::to_owned).to_vec();
    let id = pod.place.api.create(&synced_wish(&pod.files, last)?).await?.session_id;
    wait_until("the end", async || {
        pod.place.api.status(&id).await.is_ok_and(|it| it.summary.lifecycle.is_over())
    })
    .await?;
    ensure!(pod.files.read("last.txt").await?.as_deref() == Some(&b"last\n"[..]));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_pod_has_the_files_with_its_volume_and_without() -> Result<()> {
    let pod = Synced::shell().await?;
    let mut states = States::open(&pod.place.api, &pod.id).await?;
    pod.run("cat first; echo one >kept; echo two >changed; echo three >removed", "round-a1")
        .await?;
    pod.files.until_content("removed", b"three\n").await?;
    // The last files are sent while the pod ends.
    pod.run("echo late >late", "round-a2").await?;
    pod.place.cluster.pods().delete(&pod.pod)?;
    states.until(PodPhase::Suspended).await?;
    pod.files.until_content("late", b"late\n").await?;
    // Meanwhile somebody else works with the files: that is no conflict.
    pod.files.put("changed", "two, changed\n").await?;
    pod.files.delete("removed").await?;
    pod.run("cat kept changed late; ls removed", "round-b1").await?;
    let seen = pod.follower.seen().recent();
    ensure!(seen.contains("two, changed\r\nlate"), "{seen}");
    let listed: Vec<_> = pod.files.listing().await?.into_keys().collect();
    ensure!(listed == ["changed", "first", "kept", "late"], "{listed:?}");

    // The volume is lost, too.
    let (pods, claims) = (pod.place.cluster.pods(), pod.place.cluster.claims());
    claims.delete(&pod.pod)?;
    if pods.names().contains(&pod.pod) {
        pods.delete(&pod.pod)?;
    }
    states.until(PodPhase::Suspended).await?;
    wait_until("the volume to go", async || claims.names().is_empty()).await?;
    pod.run("cat first kept changed late", "round-c1").await?;
    let seen = pod.follower.seen().recent();
    let all = "first\r\none\r\ntwo, changed\r\nlate\r\n";
    ensure!(seen.matches(all).count() == 1, "{seen}");
    let listed: Vec<_> = pod.files.listing().await?.into_keys().collect();
    ensure!(listed == ["changed", "first", "kept", "late"], "{listed:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_exact_however_often_the_exec_of_a_sync_is_cut() -> Result<()> {
    const FILES: usize = 6;
    let pod = Synced::shell().await?;
    // Each connection is cut after so many bytes of either direction, anywhere in a message.
    pod.place.cluster.execs().cut_each_after(Some(400_001), Some(300_001));
    pod.place.cluster.execs().cut();
    for number in 0..FILES {
        pod.files.put(&format!("in/{number}"), content(1_000_000, number)).await?;
    }
    for number in 0..FILES {
        pod.until_file(&format!("in/{number}"), &content(1_000_000, number)).await?;
    }
    // And the other way, beside output.
    for number in 0..FILES {
        std::fs::write(pod.at(&format!("out-{number}"))?, content(1_000_000, 10 + number))?;
    }
    pod.run("seq 1 50000", "all-ended").await?;
    for number in 0..FILES {
        let expected = content(1_000_000, 10 + number);
        pod.files.until_content(&format!("out-{number}"), &expected).await?;
    }
    let opened = pod.place.cluster.execs().opened();
    ensure!(opened > 30, "{opened} execs");
    ensure!(pod.files.listing().await?.len() == 2 * FILES + 2);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_goes_on_after_the_host_was_killed() -> Result<()> {
    let mut pod = Synced::shell().await?;
    pod.place.relay.kill_host().await?;
    std::fs::write(pod.at("meanwhile")?, content(2_000_000, 1))?;
    pod.files.put("first", "changed meanwhile\n").await?;
    pod.place.relay.launch_host().await?;
    pod.files.until_content("meanwhile", &content(2_000_000, 1)).await?;
    pod.until_file("first", b"changed meanwhile\n").await?;
    ensure!(pod.files.listing().await?.len() == 2);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_in_sync_is_told_with_a_code() -> Result<()> {
    let pod = Synced::shell().await?;
    std::fs::write(pod.at("FIRST")?, "another\n")?;
    let told = pod.until_error("path_collision").await?;
    ensure!(told.contains("FIRST"), "{told}");
    // Where no supervisor can run, nothing is in sync.
    let path = format!("/api/hosts/{}/pods", host_id(&pod.place.api).await?);
    let template = json!({ "name": "direct", "image": "a", "supervisor": "none" });
    pod.place.api.expect(200, Method::POST, &path, template).await?;
    let direct = PodSpec { template: Some("direct".to_owned()), ..PodSpec::default() };
    let wanted = CreateSession { pod: Some(direct), ..synced_wish(&pod.files, expected::shell())? };
    let id = pod.place.api.create(&wanted).await?.session_id;
    let follower = pod.place.follow(&id, 2).await?;
    follower.until("the sentence", |seen| seen.shows("are not in sync with the workspace")).await?;
    let direct = Synced { id, follower, ..pod };
    direct.until_error("workspace_not_synced").await.map(drop)
}
