//! The pod and the volume of a session, as Kubernetes describes them.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use moorline_shared::id::{SessionId, WorkspaceId};
use moorline_shared::pod::{PodSpec, PodTemplate, SupervisorWay};
use moorline_shared::session::Size;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::names::pod_name;

/// The folder of the supervisor in a pod.
pub(super) const FOLDER: &str = "/moorline";
/// The supervisor's program in a pod.
pub(super) const SUPERVISOR: &str = "/moorline/supervisor";
/// The supervisor's socket in a pod.
pub(super) const SOCKET: &str = "/moorline/run/socket";
/// The name of the container.
pub(super) const CONTAINER: &str = "session";
/// The label with the installation that a pod belongs to.
pub(super) const INSTALLATION: &str = "moorline.dev/installation";
/// The annotation with the id of the session.
const SESSION: &str = "moorline.dev/session";
/// The label, and its value, of everything that Moorline has created.
const MANAGED: (&str, &str) = ("app.kubernetes.io/managed-by", "moorline");

/// All that a session's pod is made from. It is stored, so that a later pod of the session is the
/// same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::driver) struct PodPlan {
    pub(super) session_id: SessionId,
    /// The host's folder, in a word: pods of other hosts are left alone.
    pub(super) installation: String,
    pub(super) namespace: String,
    /// The template, with what the session has chosen instead.
    pub(super) template: PodTemplate,
    /// The session's own variables.
    pub(super) env: BTreeMap<String, String>,
    /// The program and its arguments; empty for the image's login shell.
    pub(super) command: Vec<String>,
    /// The folder that the program starts in.
    pub(super) cwd: String,
    pub(super) size: Size,
    /// The workspace that the folder is in sync with, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) workspace: Option<PlannedWorkspace>,
    /// True if the program is an agent, which has pipes instead of a terminal.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) agent: bool,
}

/// The workspace of a pod's folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::driver) struct PlannedWorkspace {
    pub(super) id: WorkspaceId,
    /// The host's name, for the names of files that are moved aside.
    pub(super) host: String,
}

impl PodPlan {
    /// Returns the folder that the program starts in.
    pub(in crate::driver) fn cwd(&self) -> &str {
        &self.cwd
    }

    /// Returns the program and its arguments.
    pub(in crate::driver) fn command(&self) -> Vec<String> {
        self.command.clone()
    }

    pub(super) fn name(&self) -> String {
        pod_name(&self.session_id)
    }

    /// Returns the volume, if the session has one.
    pub(super) fn claim(&self) -> Option<Result<PersistentVolumeClaim, serde_json::Error>> {
        let PodTemplate { storage, storage_class, .. } = &self.template;
        let storage = storage.as_ref()?;
        let mut spec = json!({
            "accessModes": ["ReadWriteOnce"],
            "resources": { "requests": { "storage": storage } },
        });
        if let Some(class) = storage_class {
            spec["storageClassName"] = json!(class);
        }
        Some(serde_json::from_value(json!({ "metadata": self.metadata(), "spec": spec })))
    }

    /// Returns the pod. The volume of this id owns it, so that it goes when the volume does.
    pub(super) fn pod(&self, claim_uid: Option<&str>) -> Result<Pod, serde_json::Error> {
        let template = &self.template;
        let mut metadata = self.metadata();
        if let Some(uid) = claim_uid {
            metadata["ownerReferences"] = json!([{
                "apiVersion": "v1", "kind": "PersistentVolumeClaim", "name": self.name(), "uid": uid,
            }]);
        }
        let files = match template.storage {
            Some(_) => json!({ "persistentVolumeClaim": { "claimName": self.name() } }),
            None => json!({ "emptyDir": {} }),
        };
        let volume = |name: &str, mut source: Value| {
            source["name"] = json!(name);
            source
        };
        let mut spec = json!({
            "restartPolicy": "Never",
            "automountServiceAccountToken": template.service_account.is_some(),
            "enableServiceLinks": false,
            "terminationGracePeriodSeconds": self.grace_seconds(),
            "nodeSelector": template.node_selector,
            "securityContext": {
                "runAsNonRoot": template.user != 0,
                "runAsUser": template.user,
                "runAsGroup": template.user,
                "fsGroup": template.user,
                "seccompProfile": { "type": "RuntimeDefault" },
            },
            "containers": [self.container()],
            "volumes": [
                volume("files", files),
                volume("moorline", json!({ "emptyDir": {} })),
                volume("tmp", json!({ "emptyDir": {} })),
            ],
        });
        if let Some(account) = &template.service_account {
            spec["serviceAccountName"] = json!(account);
        }
        if !template.pull_secrets.is_empty() {
            let named = |name| json!({ "name": name });
            spec["imagePullSecrets"] = template.pull_secrets.iter().map(named).collect();
        }
        if template.supervisor == SupervisorWay::Init {
            spec["initContainers"] = json!([self.init_container()]);
        }
        serde_json::from_value(json!({ "metadata": metadata, "spec": spec }))
    }

    /// Returns the time that a pod gets to end: for its last files, if it has some to send.
    fn grace_seconds(&self) -> u64 {
        const LAST_FILES: u64 = 15;
        if self.workspace.is_some() { LAST_FILES } else { 3 }
    }

    fn metadata(&self) -> Value {
        json!({
            "name": self.name(),
            "namespace": self.namespace,
            "labels": { MANAGED.0: MANAGED.1, INSTALLATION: self.installation },
            "annotations": { SESSION: self.session_id },
        })
    }

    fn container(&self) -> Value {
        let template = &self.template;
        let PodTemplate { folder, cpu, memory, .. } = template;
        // The session's variables win over the template's, and those over ours.
        let mut env = BTreeMap::from([("HOME".to_owned(), folder.clone())]);
        env.extend(template.env.clone());
        env.extend(self.env.clone());
        let env: Vec<_> =
            env.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
        let mut container = json!({
            "name": CONTAINER,
            "image": template.image,
            "command": self.main_command(),
            "workingDir": folder,
            "env": env,
            "resources": { "limits": { "cpu": cpu, "memory": memory } },
            "securityContext": self.container_security(),
            "volumeMounts": [
                { "name": "files", "mountPath": folder },
                { "name": "moorline", "mountPath": FOLDER },
                { "name": "tmp", "mountPath": "/tmp" },
            ],
        });
        if let Some(policy) = &template.pull_policy {
            container["imagePullPolicy"] = json!(policy);
        }
        container
    }

    fn init_container(&self) -> Value {
        json!({
            "name": "supervisor",
            "image": self.template.supervisor_image,
            "command": ["/moorline-supervisor", "install", SUPERVISOR],
            "resources": { "limits": { "cpu": "100m", "memory": "32Mi" } },
            "securityContext": self.container_security(),
            "volumeMounts": [{ "name": "moorline", "mountPath": FOLDER }],
        })
    }

    fn container_security(&self) -> Value {
        json!({
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": !self.template.writable_root,
            "capabilities": { "drop": ["ALL"] },
        })
    }

    /// Returns the command of the container: the supervisor, or something that stays.
    fn main_command(&self) -> Vec<String> {
        const WAIT: &str = "until [ -x /moorline/supervisor ]; do sleep 0.1 || sleep 1; done; \
                            exec /moorline/supervisor \"$@\"";
        let first: &[&str] = match self.template.supervisor {
            SupervisorWay::Exec => &["/bin/sh", "-c", WAIT, "moorline"],
            SupervisorWay::Init => &[SUPERVISOR],
            SupervisorWay::None => {
                return [
                    "/bin/sh",
                    "-c",
                    "trap 'exit 0' TERM; while :; do sleep 3600 & wait; done",
                ]
                .map(str::to_owned)
                .into();
            }
        };
        let Size { cols, rows } = self.size;
        let mut words: Vec<String> = first.iter().map(|word| (*word).to_owned()).collect();
        words.extend(
            ["run", "--socket", SOCKET, "--session", self.session_id.as_str(), "--folder"]
                .map(str::to_owned),
        );
        words.push(self.cwd.clone());
        words.extend(["--integration".to_owned(), format!("{FOLDER}/shell")]);
        words.extend(["--size".to_owned(), format!("{cols}x{rows}")]);
        if let Some(PlannedWorkspace { id, host }) = &self.workspace {
            let id = id.to_string();
            words.extend(["--workspace".to_owned(), id, "--host".to_owned(), host.clone()]);
        }
        if self.agent {
            words.extend(["--agent", "true"].map(str::to_owned));
        }
        if !self.command.is_empty() {
            words.push("--".to_owned());
            words.extend(self.command.iter().cloned());
        }
        words
    }
}

/// Returns the template with what a session has chosen instead.
pub(super) fn chosen(mut template: PodTemplate, spec: &PodSpec) -> PodTemplate {
    let PodSpec { template: _, image, cpu, memory, storage } = spec.clone();
    template.image = image.unwrap_or(template.image);
    template.cpu = cpu.unwrap_or(template.cpu);
    template.memory = memory.unwrap_or(template.memory);
    template.storage = storage.or(template.storage);
    template
}

/// Returns the selector of everything that this installation has created.
pub(super) fn selector(installation: &str) -> String {
    format!("{}={},{INSTALLATION}={installation}", MANAGED.0, MANAGED.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(template: PodTemplate) -> PodPlan {
        PodPlan {
            session_id: "user_1_ws".parse().unwrap(),
            installation: "abc".into(),
            namespace: "default".into(),
            template,
            env: BTreeMap::from([("A".into(), "session".into())]),
            command: vec!["bash".into(), "-l".into()],
            cwd: "/app/workspace".into(),
            size: Size { cols: 100, rows: 30 },
            workspace: None,
            agent: false,
        }
    }

    #[test]
    fn an_agent_gets_pipes() {
        let plan = PodPlan { agent: true, ..plan(PodTemplate::default()) };
        let pod = serde_json::to_value(plan.pod(None).unwrap()).unwrap();
        let command = pod["spec"]["containers"][0]["command"].as_array().unwrap();
        assert_eq!(
            command[15..],
            *json!(["--agent", "true", "--", "bash", "-l"]).as_array().unwrap()
        );
    }

    #[test]
    fn a_pod_with_a_workspace_gets_time_for_its_last_files() {
        let workspace = PlannedWorkspace { id: "notes_1234".parse().unwrap(), host: "h".into() };
        let plan = PodPlan { workspace: Some(workspace), ..plan(PodTemplate::default()) };
        let pod = serde_json::to_value(plan.pod(None).unwrap()).unwrap();
        assert_eq!(pod["spec"]["terminationGracePeriodSeconds"], 15);
        let command = pod["spec"]["containers"][0]["command"].as_array().unwrap();
        assert_eq!(command[15..19], ["--workspace", "notes_1234", "--host", "h"]);
    }

    #[test]
    fn a_pod_is_confined_and_owned_by_its_volume() {
        let plan = plan(PodTemplate {
            env: BTreeMap::from([("A".into(), "template".into()), ("B".into(), "b".into())]),
            ..PodTemplate::default()
        });
        let pod = serde_json::to_value(plan.pod(Some("u-1")).unwrap()).unwrap();
        assert_eq!(pod["metadata"]["name"], "exec-user-1-ws");
        assert_eq!(pod["metadata"]["ownerReferences"][0]["uid"], "u-1");
        assert_eq!(pod["spec"]["automountServiceAccountToken"], false);
        assert_eq!(pod["spec"]["securityContext"]["runAsNonRoot"], true);
        let container = &pod["spec"]["containers"][0];
        assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true);
        assert_eq!(container["resources"]["limits"], json!({ "cpu": "500m", "memory": "512Mi" }));
        let env = json!([
            { "name": "A", "value": "session" },
            { "name": "B", "value": "b" },
            { "name": "HOME", "value": "/app/workspace" },
        ]);
        assert_eq!(container["env"], env);
        let command = container["command"].as_array().unwrap();
        assert_eq!(
            command[4..],
            *json!([
                "run",
                "--socket",
                SOCKET,
                "--session",
                "user_1_ws",
                "--folder",
                "/app/workspace",
                "--integration",
                "/moorline/shell",
                "--size",
                "100x30",
                "--",
                "bash",
                "-l"
            ])
            .as_array()
            .unwrap()
        );
        let claim = serde_json::to_value(plan.claim().unwrap().unwrap()).unwrap();
        assert_eq!(claim["spec"]["resources"]["requests"]["storage"], "1Gi");
        assert_eq!(claim["spec"].get("storageClassName"), None);
    }

    #[test]
    fn a_template_decides_about_volume_user_and_supervisor() {
        let plan = plan(PodTemplate {
            storage: None,
            user: 0,
            writable_root: true,
            supervisor: SupervisorWay::Init,
            supervisor_image: Some("moorline/supervisor:1".into()),
            pull_secrets: vec!["registry".into()],
            ..PodTemplate::default()
        });
        assert!(plan.claim().is_none());
        let pod = serde_json::to_value(plan.pod(None).unwrap()).unwrap();
        assert_eq!(pod["spec"]["volumes"][0], json!({ "name": "files", "emptyDir": {} }));
        assert_eq!(pod["spec"]["securityContext"]["runAsNonRoot"], false);
        assert_eq!(pod["spec"]["initContainers"][0]["image"], "moorline/supervisor:1");
        assert_eq!(pod["spec"]["imagePullSecrets"], json!([{ "name": "registry" }]));
        assert_eq!(pod["spec"]["containers"][0]["command"][0], SUPERVISOR);
    }

    #[test]
    fn a_session_chooses_its_image_and_resources() {
        let spec = PodSpec { memory: Some("1Gi".into()), ..PodSpec::default() };
        let chosen = chosen(PodTemplate::default(), &spec);
        assert_eq!((&*chosen.memory, &*chosen.cpu), ("1Gi", "500m"));
    }
}
