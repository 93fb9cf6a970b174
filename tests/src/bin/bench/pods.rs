//! Sessions in pods: their start, throughput, echo and the return after a cut.
//!
//! Beside a program that `kubectl exec` runs in the same pod, if there is a `kubectl`.

use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use moorline_shared::id::SessionId;
use moorline_shared::pod::{PodPhase, PodSpec};
use moorline_shared::rest::CreateSession;
use moorline_tests::follower::{Follower, Following};
use moorline_tests::relay::Relay;
use moorline_tests::run_cluster::RunCluster;
use moorline_tests::wait::wait_for;

use super::lean::Lean;
use super::stage::{Stage, rate};
use super::table::{Table, Target, median, percentile};

/// Keys of one run, and those before that warm up.
const KEYS: usize = 500;
/// Cuts whose return is measured.
const CUTS: usize = 20;

pub(crate) fn measure(stage: &mut Stage, table: &mut Table) -> Result<()> {
    let cluster = stage.block_on(RunCluster::start())?;
    let relay = stage.block_on(Relay::start_with(cluster.setup()))?;
    stage.block_on(cluster.prepare(&relay.api()))?;
    let place = PodPlace { stage, cluster, relay };
    let name = if place.cluster.is_real { "a real cluster" } else { "the fake cluster" };
    place.starts(table, name)?;
    place.throughput(table, name)?;
    place.echo(table, name)?;
    place.returns(table, name)
}

/// A relay whose sessions have pods.
struct PodPlace<'a> {
    stage: &'a Stage,
    cluster: RunCluster,
    relay: Relay,
}

impl PodPlace<'_> {
    fn create(&self, script: &str) -> Result<SessionId> {
        let command = ["sh", "-c", script].map(str::to_owned).to_vec();
        let wish = CreateSession {
            command: Some(command),
            pod: Some(PodSpec::default()),
            ..CreateSession::default()
        };
        Ok(self.stage.block_on(self.relay.api().create(&wish))?.session_id)
    }

    /// Waits until a session's pod is ready.
    fn ready(&self, id: &SessionId) -> Result<()> {
        let api = self.relay.api();
        let ready = async || {
            let listed = api.list().await.ok()?;
            let found = listed.into_iter().find(|it| it.session_id == *id)?;
            (found.pod_phase == Some(PodPhase::Ready)).then_some(())
        };
        self.stage.block_on(wait_for("a ready pod", ready))
    }

    fn remove(&self, id: &SessionId) -> Result<()> {
        self.stage.block_on(self.relay.api().delete(id))
    }

    /// Measures from the request to a ready pod, and to the program's first output.
    fn starts(&self, table: &mut Table, name: &str) -> Result<()> {
        let (mut ready, mut prompt) = (Vec::new(), Vec::new());
        for run in 0..self.stage.scale.runs {
            let begun = Instant::now();
            let id = self.create("echo first''output; read x")?;
            self.ready(&id)?;
            ready.push(begun.elapsed().as_secs_f64() * 1e3);
            self.stage.block_on(async {
                let following = Following::new(self.relay.address(), &id, run as u64);
                let follower = Follower::live(following).await?;
                follower.until("the prompt", |seen| seen.shows("firstoutput")).await
            })?;
            prompt.push(begun.elapsed().as_secs_f64() * 1e3);
            self.remove(&id)?;
        }
        table.add(&format!("{name}, create to Ready"), median(ready), "ms", Target::None);
        table.add(&format!("{name}, create to prompt"), median(prompt), "ms", Target::None);
        Ok(())
    }

    fn throughput(&self, table: &mut Table, name: &str) -> Result<()> {
        let bytes = self.stage.scale.flood_bytes / 4;
        let flood = format!("head -c {bytes} /dev/zero | tr '\\0' x");
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..self.stage.scale.runs {
            let id = self.create(&format!("stty -echo -opost; read x; {flood}; exit 0"))?;
            self.ready(&id)?;
            if let Some(mut exec) = self.kubectl(&id, &flood)? {
                let begun = Instant::now();
                let mut output = exec.stdout.take().context("no output")?;
                let read = std::io::copy(&mut output, &mut std::io::sink())?;
                ensure!(read == bytes, "{read} of {bytes} bytes came");
                theirs.push(rate(read, begun.elapsed()));
                exec.wait()?;
            }
            let mut viewer = Lean::connect(self.relay.address(), &id)?;
            viewer.resume("bench-viewer", "replay")?;
            self.stage.settle()?;
            let begun = Instant::now();
            viewer.send_input(1, b"\n")?;
            ensure!(viewer.until_exit()?, "the connection ended before the session");
            ensure!(viewer.received >= bytes, "{} of {bytes} bytes came", viewer.received);
            ours.push(rate(viewer.received, begun.elapsed()));
            self.remove(&id)?;
        }
        let ratios: Vec<f64> = ours.iter().zip(&theirs).map(|(ours, its)| ours / its).collect();
        table.add(&format!("{name}, throughput"), median(ours), "MB/s", Target::None);
        if !ratios.is_empty() {
            table.add(&format!("{name}, kubectl exec"), median(theirs), "MB/s", Target::None);
            table.add("  Moorline of kubectl exec", median(ratios), "×", Target::None);
        }
        Ok(())
    }

    fn echo(&self, table: &mut Table, name: &str) -> Result<()> {
        let id = self.create("stty raw -echo; printf ready; exec cat")?;
        self.ready(&id)?;
        let mut client = Lean::connect(self.relay.address(), &id)?;
        client.resume("bench-typist", "replay")?;
        client.until_output()?;
        let mut exec = self.kubectl(&id, "exec cat")?;
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for key in 0..KEYS + 50 {
            let begun = Instant::now();
            client.send_input(key as u64 + 1, b"x")?;
            client.until_output()?;
            ours.push(begun.elapsed());
            if let Some(exec) = &mut exec {
                theirs.push(echo_of(exec)?);
            }
        }
        for (what, times) in [("echo", ours), ("kubectl exec, echo", theirs)] {
            let micros = |time: &Duration| time.as_secs_f64() * 1e6;
            // The first keys warm up.
            let mut micros: Vec<f64> = times.iter().skip(50).map(micros).collect();
            if !micros.is_empty() {
                let p50 = median(micros.clone());
                table.add(&format!("{name}, {what}, p50"), p50, "µs", Target::None);
                let p99 = percentile(&mut micros, 0.99);
                table.add(&format!("{name}, {what}, p99"), p99, "µs", Target::None);
            }
        }
        exec.iter_mut().for_each(|exec| drop(exec.kill()));
        self.remove(&id)
    }

    /// Measures from a cut of all connections to the echo of a key that was typed after it.
    fn returns(&self, table: &mut Table, name: &str) -> Result<()> {
        let id = self.create("stty raw -echo; printf ready; exec cat")?;
        self.ready(&id)?;
        let mut client = Lean::connect(self.relay.address(), &id)?;
        client.resume("bench-typist", "replay")?;
        client.until_output()?;
        let mut times = Vec::new();
        for key in 1..=CUTS {
            self.cluster.proxy.cut();
            let begun = Instant::now();
            client.send_input(key as u64, b"x")?;
            client.until_output()?;
            times.push(begun.elapsed().as_secs_f64() * 1e3);
        }
        let worst = times.iter().copied().fold(0.0, f64::max);
        table.add(&format!("{name}, echo after a cut"), median(times), "ms", Target::None);
        table.add(&format!("{name}, the longest of {CUTS}"), worst, "ms", Target::None);
        self.remove(&id)
    }

    /// Runs a script in a session's pod by `kubectl exec`; `None` if there is no `kubectl`.
    fn kubectl(&self, id: &SessionId, script: &str) -> Result<Option<Child>> {
        if Command::new("kubectl").arg("version").arg("--client").output().is_err() {
            return Ok(None);
        }
        let pod = format!("exec-{id}").replace('_', "-");
        let names = Command::new("kubectl")
            .arg("--kubeconfig")
            .arg(self.cluster.direct())
            .args(["get", "pods", "-o", "name"])
            .output()?;
        let names = String::from_utf8_lossy(&names.stdout).into_owned();
        // Ids that are not names are written differently.
        let pod = names.lines().find(|name| name.ends_with(&pod)).or(names.lines().last());
        let Some(pod) = pod else { return Ok(None) };
        let child = Command::new("kubectl")
            .arg("--kubeconfig")
            .arg(self.cluster.direct())
            .args(["exec", "-i", pod, "-c", "session", "--", "sh", "-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Some(child))
    }
}

/// Returns the time from a byte to its echo by a program that repeats its input.
fn echo_of(exec: &mut Child) -> Result<Duration> {
    let begun = Instant::now();
    let input = exec.stdin.as_mut().context("no input")?;
    input.write_all(b"x")?;
    input.flush()?;
    exec.stdout.as_mut().context("no output")?.read_exact(&mut [0])?;
    Ok(begun.elapsed())
}
