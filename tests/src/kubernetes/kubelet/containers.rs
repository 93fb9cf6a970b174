//! The containers of a pod: init containers one after another, then the others side by side.

use std::fs::File;
use std::io;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::process::Child;
use tokio::time::sleep;

use super::super::json::{list, now, text, uid};
use super::super::pod_status::{
    change_container, container_id, set_condition, set_phase, set_ready, terminated, waiting,
};
use super::super::process::{ContainerPlace, exit_code, kill_all, start_error};
use super::super::resource::CLAIMS;
use super::super::runtime::{PodStop, RunningContainer};
use super::super::script::PodScript;
use super::super::store::ObjectKey;
use super::super::volumes::log_file;
use super::PodLife;

/// Exit code of a container whose process did not start.
const START_FAILED: i32 = 128;
/// Time between two calls of a probe. Shorter than any that a pod can ask for: tests do not wait.
const PROBE_INTERVAL: Duration = Duration::from_millis(50);
/// Time before a container that ends again and again is started again; grows with each start.
const BACK_OFF: Duration = Duration::from_millis(200);
/// Starts after which the time before the next one does not grow any more.
const MAX_BACK_OFF_STARTS: u32 = 50;

impl PodLife {
    /// Runs all containers to their end.
    pub(super) async fn run_containers(&self) -> Result<(), PodStop> {
        let Some(pod) = self.pod() else { return Err(self.stop().await) };
        for container in list(&pod["spec"]["initContainers"]) {
            let code = tokio::select! {
                code = self.run_once(&pod, container, 0) => code,
                stop = self.stop() => return Err(stop),
            };
            if code != 0 {
                self.change(|pod| {
                    set_phase(pod, "Failed", "", "");
                    set_ready(pod);
                });
                return Ok(());
            }
        }
        self.change(|pod| set_condition(pod, "Initialized", "True", "", ""));
        let containers = list(&pod["spec"]["containers"]).iter();
        let ended = join_all(containers.map(|container| self.run_always(&pod, container)));
        let codes = tokio::select! {
            codes = ended => codes,
            stop = self.stop() => return Err(stop),
        };
        self.change(|pod| {
            let phase = if codes.iter().all(|code| *code == 0) { "Succeeded" } else { "Failed" };
            set_phase(pod, phase, "", "");
            set_ready(pod);
        });
        Ok(())
    }

    /// Runs a container as often as the pod's restart policy says, and returns the last exit code.
    async fn run_always(&self, pod: &Value, container: &Value) -> i32 {
        let name = text(&container["name"]);
        let policy = text(&pod["spec"]["restartPolicy"]);
        let mut restarts = 0_u32;
        loop {
            let code = tokio::select! {
                code = self.run_once(pod, container, restarts) => code,
                never = self.watch_readiness(name, container) => match never {},
            };
            if policy == "Never" || (policy == "OnFailure" && code == 0) {
                return code;
            }
            if restarts > 0 {
                let message = format!("back-off restarting failed container={name}");
                self.change(|pod| {
                    change_container(pod, name, |status| {
                        status["lastState"] = status["state"].clone();
                        status["state"] = waiting("CrashLoopBackOff", &message);
                    });
                });
                self.tell(Some(name), "kubelet", "Warning", "BackOff", &message);
                sleep(BACK_OFF * restarts.min(MAX_BACK_OFF_STARTS)).await;
            }
            restarts += 1;
        }
    }

    /// Runs a container once, and returns its exit code.
    async fn run_once(&self, pod: &Value, container: &Value, restarts: u32) -> i32 {
        let name = text(&container["name"]);
        let is_init = list(&pod["spec"]["initContainers"]).contains(container);
        let started = self.start(pod, container);
        let id = container_id(pod, name, restarts.into());
        let (code, reason, message) = match started {
            Ok((place, mut child)) => {
                let pid = child.id().unwrap_or_default();
                self.runtime.started(name, RunningContainer { place, pid });
                self.say_running(name, &id, restarts);
                let status = child.wait().await;
                self.kill_rest(name).await;
                self.runtime.ended(name);
                self.node_answers().await;
                let code = status.map_or(START_FAILED, exit_code);
                let out_of_memory = self.orders.borrow().out_of_memory;
                let reason = match code {
                    137 if out_of_memory => "OOMKilled",
                    0 => "Completed",
                    _ => "Error",
                };
                (code, reason, String::new())
            }
            Err(error) => {
                let program = text(&container["command"][0]);
                let why = start_error(program, &error);
                let message = format!(
                    "failed to create containerd task: failed to create shim task: OCI runtime create \
                     failed: runc create failed: {why}"
                );
                self.tell(Some(name), "kubelet", "Warning", "Failed", &format!("Error: {message}"));
                (START_FAILED, "StartError", message)
            }
        };
        self.change(|pod| {
            change_container(pod, name, |status| {
                status["containerID"] = id.into();
                status["state"] = terminated(status, code, reason, &message);
                status["started"] = json!(false);
                // An init container is ready when it has done its work.
                status["ready"] = json!(code == 0 && is_init);
            });
            set_ready(pod);
        });
        code
    }

    /// Kills what was started in a container and is left after its main process.
    async fn kill_rest(&self, name: &str) {
        let (cluster, uid, name) = (self.state.id.clone(), self.uid.clone(), name.to_owned());
        // Reading all of /proc takes a moment.
        _ = tokio::task::spawn_blocking(move || kill_all(&cluster, &[&uid, &name])).await;
    }

    fn start(&self, pod: &Value, container: &Value) -> io::Result<(ContainerPlace, Child)> {
        let state = &self.state;
        let claim = |name: &str| {
            let key = ObjectKey::new(&CLAIMS, &self.key.namespace, name);
            state.store.get(&key).map(|claim| uid(&claim).to_owned())
        };
        let mounts = state.volumes.mount(pod, container, claim)?;
        let folder = state.volumes.of_pod(&self.uid);
        let place = ContainerPlace::new(&state.id, pod, container, mounts, folder.join("work"));
        let file = log_file(&folder, text(&container["name"]));
        let log = File::options().create(true).append(true).open(file)?;
        let mut command = place.main(container)?;
        command.stdout(log.try_clone()?).stderr(log).process_group(0);
        Ok((place, command.spawn()?))
    }

    fn say_running(&self, name: &str, id: &str, restarts: u32) {
        self.change(|pod| {
            change_container(pod, name, |status| {
                if !status["state"]["terminated"].is_null() {
                    status["lastState"] = status["state"].clone();
                }
                status["state"] = json!({ "running": { "startedAt": now() } });
                status["containerID"] = id.into();
                status["imageID"] = format!("docker.io/library/{}", text(&status["image"])).into();
                status["restartCount"] = restarts.into();
                status["started"] = json!(true);
            });
            let is_init =
                list(&pod["spec"]["initContainers"]).iter().any(|init| init["name"] == name);
            if !is_init {
                set_phase(pod, "Running", "", "");
                pod["status"]["podIP"] = "10.244.0.5".into();
                pod["status"]["podIPs"] = json!([{ "ip": "10.244.0.5" }]);
            }
            set_ready(pod);
        });
        self.tell(
            Some(name),
            "kubelet",
            "Normal",
            "Created",
            &format!("Created container: {name}"),
        );
        self.tell(Some(name), "kubelet", "Normal", "Started", &format!("Started container {name}"));
    }

    /// Marks a container as ready: at once, when its probe says so, or when the script lets it.
    async fn watch_readiness(&self, name: &str, container: &Value) -> std::convert::Infallible {
        let mut interval = tokio::time::interval(PROBE_INTERVAL);
        let is_held = self.script == PodScript::NotReady;
        loop {
            if is_held && self.released().await.is_err() {
                break;
            }
            if self.is_ready(name, container).await {
                self.node_answers().await;
                self.change(|pod| {
                    change_container(pod, name, |status| status["ready"] = json!(true));
                    set_ready(pod);
                });
                break;
            }
            interval.tick().await;
        }
        std::future::pending().await
    }

    async fn is_ready(&self, name: &str, container: &Value) -> bool {
        let Some(running) = self.runtime.container(name) else { return false };
        let probe = list(&container["readinessProbe"]["exec"]["command"]);
        if probe.is_empty() {
            return true;
        }
        let words: Vec<_> = probe.iter().map(|word| text(word).to_owned()).collect();
        let Ok(mut command) = running.place.command(&words) else { return false };
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
        command.process_group(0).kill_on_drop(true);
        command.status().await.is_ok_and(|status| status.success())
    }
}
