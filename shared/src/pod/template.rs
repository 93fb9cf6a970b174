//! What pods are made from.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{BadPodSpec, is_image, is_name, is_quantity};
use crate::limits::POD_TEXT_BYTES;

/// What pods are made from. A host has some, by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct PodTemplate {
    /// Its name, of letters, digits, `.`, `_` and `-`.
    pub name: String,
    /// The image of the container.
    pub image: String,
    /// The most CPU, such as `500m` or `2`.
    pub cpu: String,
    /// The most memory, such as `512Mi`.
    pub memory: String,
    /// The size of the volume with the session's files; `None` to keep files only as long as the
    /// pod.
    pub storage: Option<String>,
    /// The storage class of the volume; the cluster's default if it is not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_class: Option<String>,
    /// The namespace; that of the host's context if it is not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Labels that a node must have.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub node_selector: BTreeMap<String, String>,
    /// The service account; none if it is not given, and the pod cannot reach the API.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_account: Option<String>,
    /// Environment variables of the container.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// The folder of the session's files in the pod.
    pub folder: String,
    /// The user and group that the container runs as. 0 is root, which many clusters refuse.
    pub user: u32,
    /// True if the container may write outside of its folder, `/tmp` and `/moorline`.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub writable_root: bool,
    /// When the image is pulled: `Always`, `IfNotPresent` or `Never`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pull_policy: Option<String>,
    /// The names of secrets with which the image is pulled.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pull_secrets: Vec<String>,
    /// The program and its arguments; the login shell of the image if it is empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// Seconds that a pod may take to become ready.
    pub ready_seconds: u32,
    /// Minutes without input, output of a command or a running command after which a pod is idle;
    /// `None` if never.
    pub idle_minutes: Option<u32>,
    /// What happens to an idle pod.
    pub when_idle: WhenIdle,
    /// How the supervisor gets into the pod.
    pub supervisor: SupervisorWay,
    /// The image that contains the supervisor, for [`SupervisorWay::Init`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub supervisor_image: Option<String>,
}

/// What happens to an idle pod.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum WhenIdle {
    /// It is deleted, and its volume is kept. Input starts a new pod with the same files.
    #[default]
    Suspend,
    /// The session ends, and the volume is deleted with the pod.
    Delete,
}

/// How the supervisor gets into a pod.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum SupervisorWay {
    /// The host sends it through an exec. The image must have `sh` and `head`.
    #[default]
    Exec,
    /// An init container copies it from an image.
    Init,
    /// There is none. The terminal is that of an exec: it ends when the cluster cuts the exec.
    None,
}

impl Default for PodTemplate {
    fn default() -> Self {
        Self {
            name: String::new(),
            image: "debian:stable-slim".into(),
            cpu: "500m".into(),
            memory: "512Mi".into(),
            storage: Some("1Gi".into()),
            storage_class: None,
            namespace: None,
            node_selector: BTreeMap::new(),
            service_account: None,
            env: BTreeMap::new(),
            folder: "/app/workspace".into(),
            user: 1000,
            writable_root: false,
            pull_policy: None,
            pull_secrets: Vec::new(),
            command: Vec::new(),
            ready_seconds: 60,
            idle_minutes: None,
            when_idle: WhenIdle::Suspend,
            supervisor: SupervisorWay::Exec,
            supervisor_image: None,
        }
    }
}

impl PodTemplate {
    /// Checks the texts.
    ///
    /// # Errors
    /// [`BadPodSpec`].
    pub fn check(&self) -> Result<(), BadPodSpec> {
        if !is_name(&self.name) {
            return Err(BadPodSpec::Name("name"));
        }
        if !is_image(&self.image) {
            return Err(BadPodSpec::Image("image"));
        }
        if !self.supervisor_image.as_deref().is_none_or(is_image) {
            return Err(BadPodSpec::Image("supervisorImage"));
        }
        if self.supervisor == SupervisorWay::Init && self.supervisor_image.is_none() {
            return Err(BadPodSpec::SupervisorImage);
        }
        let storage = self.storage.as_deref().unwrap_or("0");
        for (field, value) in [("cpu", &*self.cpu), ("memory", &*self.memory), ("storage", storage)]
        {
            if !is_quantity(value) {
                return Err(BadPodSpec::Quantity(field));
            }
        }
        let folder = self.folder.trim_end_matches('/');
        let is_ours = folder == "/moorline" || folder.starts_with("/moorline/");
        if !folder.starts_with('/') || folder == "/tmp" || is_ours || folder.contains("/..") {
            return Err(BadPodSpec::Folder);
        }
        let policies = [None, Some("Always"), Some("IfNotPresent"), Some("Never")];
        if !policies.contains(&self.pull_policy.as_deref()) {
            return Err(BadPodSpec::PullPolicy);
        }
        if self.ready_seconds == 0 || self.idle_minutes == Some(0) {
            return Err(BadPodSpec::Zero);
        }
        self.check_sizes()
    }

    fn check_sizes(&self) -> Result<(), BadPodSpec> {
        let pairs = self.node_selector.iter().chain(&self.env);
        let names = [&self.storage_class, &self.namespace, &self.service_account];
        let texts = pairs
            .flat_map(|(name, value)| [name, value])
            .chain(names.into_iter().flatten())
            .chain(&self.pull_secrets)
            .chain(&self.command)
            .chain([&self.folder]);
        let mut bytes = 0;
        for text in texts {
            if text.len() > POD_TEXT_BYTES || text.contains('\0') {
                return Err(BadPodSpec::TooLarge);
            }
            bytes += text.len() + 1;
        }
        if bytes > 8 * POD_TEXT_BYTES { Err(BadPodSpec::TooLarge) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_what_a_cluster_could_take() {
        let template = PodTemplate { name: "default".into(), ..PodTemplate::default() };
        assert_eq!(template.check(), Ok(()));
        let with = |change: fn(&mut PodTemplate)| {
            let mut changed = template.clone();
            change(&mut changed);
            changed.check()
        };
        assert_eq!(with(|it| it.name.clear()), Err(BadPodSpec::Name("name")));
        for folder in ["", "/", "relative", "/tmp/", "/moorline", "/moorline/x", "/a/../b"] {
            let changed = PodTemplate { folder: folder.into(), ..template.clone() };
            assert_eq!(changed.check(), Err(BadPodSpec::Folder), "{folder}");
        }
        assert_eq!(with(|it| it.folder = "/moorlines".into()), Ok(()));
        assert_eq!(with(|it| it.ready_seconds = 0), Err(BadPodSpec::Zero));
        assert_eq!(
            with(|it| it.supervisor = SupervisorWay::Init),
            Err(BadPodSpec::SupervisorImage)
        );
        assert_eq!(with(|it| it.pull_policy = Some("x".into())), Err(BadPodSpec::PullPolicy));
        assert_eq!(
            with(|it| it.command = vec!["x".repeat(POD_TEXT_BYTES + 1)]),
            Err(BadPodSpec::TooLarge)
        );
    }

    #[test]
    fn a_template_has_this_form() {
        let json = r#"{"name":"small","image":"busybox","memory":"64Mi","idleMinutes":30}"#;
        let template: PodTemplate = serde_json::from_str(json).unwrap();
        assert_eq!((&*template.memory, &*template.cpu), ("64Mi", "500m"));
        let form = serde_json::to_value(&template).unwrap();
        assert_eq!(form["whenIdle"], "suspend");
        assert_eq!(form["supervisor"], "exec");
    }
}
