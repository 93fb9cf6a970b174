//! Pods: sessions that run in a Kubernetes cluster.
//!
//! A session of the driver [`KUBERNETES_DRIVER`](crate::session::KUBERNETES_DRIVER) has a pod of its
//! own, with a volume for its files. Its log reports the state of the pod after every change, in the
//! event `pod-status`. `docs/KUBERNETES.md` describes the life of such a session.

mod metrics;
mod template;

use serde::{Deserialize, Serialize};

use crate::failure::HostFailure;
use crate::id::SessionId;
use crate::limits::{LISTED_PODS, NAME_CHARACTERS, POD_TEMPLATES, POD_TEXT_BYTES};
use crate::name::bounded;
pub use metrics::PodMetrics;
pub use template::{PodTemplate, SupervisorWay, WhenIdle};

/// The pod that a session runs in. Without a field, the template's value counts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct PodSpec {
    /// The name of the template; the host's default template if it is not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// The image of the container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// The most CPU, such as `500m` or `2`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu: Option<String>,
    /// The most memory, such as `512Mi`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<String>,
    /// The size of the volume, such as `1Gi`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage: Option<String>,
}

/// The reason why a cluster would not take a spec or a template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadPodSpec {
    /// A name is not one.
    #[error("`{0}` is a name of letters, digits, `.`, `_` and `-`")]
    Name(&'static str),
    /// An image is not one.
    #[error("`{0}` is the reference of an image, such as `debian:stable-slim`")]
    Image(&'static str),
    /// A quantity is not one.
    #[error("`{0}` is a quantity of Kubernetes, such as `500m`, `2` or `512Mi`")]
    Quantity(&'static str),
    /// The folder is not absolute, or hides the supervisor's.
    #[error("`folder` is an absolute path that is not `/`, `/tmp` or below `/moorline`")]
    Folder,
    /// The policy is unknown.
    #[error("`pullPolicy` is `Always`, `IfNotPresent` or `Never`")]
    PullPolicy,
    /// The template needs an image with the supervisor.
    #[error("`supervisorImage` is missing: the init container copies the supervisor from it")]
    SupervisorImage,
    /// A text or a list is too long.
    #[error("a text of the template has more than {POD_TEXT_BYTES} bytes, or it has too many")]
    TooLarge,
    /// The time is zero.
    #[error("`readySeconds` and `idleMinutes` are at least 1")]
    Zero,
}

impl PodSpec {
    /// Checks the texts.
    ///
    /// # Errors
    /// [`BadPodSpec`].
    pub fn check(&self) -> Result<(), BadPodSpec> {
        let Self { template, image, cpu, memory, storage } = self;
        if !template.as_deref().is_none_or(is_name) {
            return Err(BadPodSpec::Name("pod.template"));
        }
        if !image.as_deref().is_none_or(is_image) {
            return Err(BadPodSpec::Image("pod.image"));
        }
        for (field, value) in [("pod.cpu", cpu), ("pod.memory", memory), ("pod.storage", storage)] {
            if !value.as_deref().is_none_or(is_quantity) {
                return Err(BadPodSpec::Quantity(field));
            }
        }
        Ok(())
    }

    /// Returns the spec if it is valid: a host of another version may send anything.
    #[must_use]
    pub fn cleaned(self) -> Option<Self> {
        self.check().is_ok().then_some(self)
    }
}

fn is_name(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

fn is_image(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/:@".contains(&byte);
    (1..=255).contains(&text.len()) && text.bytes().all(is_part)
}

fn is_quantity(text: &str) -> bool {
    let digits = text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    let number = &text[..text.len() - digits.len()];
    let units = ["", "m", "k", "M", "G", "T", "P", "Ki", "Mi", "Gi", "Ti", "Pi"];
    text.len() <= 32 && number.parse::<f64>().is_ok() && units.contains(&digits)
}

/// The state of a session's pod: the fields of the event `pod-status`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct PodStatus {
    /// The phase of its life.
    pub phase: PodPhase,
    /// A stable code for the reason, such as `unschedulable` or `oom_killed`, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The reason in a sentence; of the cluster, if it has given one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The pod's name.
    pub pod: String,
    /// Its namespace.
    pub namespace: String,
    /// The image of its container.
    pub image: String,
    /// The node that it runs on, once it is scheduled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// The memory that it uses and may use, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// The most memory, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_limit_bytes: Option<u64>,
    /// The share of one CPU that it used since the last report, in thousandths.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_millis: Option<u64>,
    /// True if the terminal is an exec's own, so that it ends when the exec is cut.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub direct: bool,
}

/// The phase of a pod's life.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum PodPhase {
    /// It was asked for, and waits for a node, a volume or an image.
    #[default]
    Pending,
    /// Its container runs, and its terminal is being started.
    Starting,
    /// Its terminal can be used.
    Ready,
    /// The connection to it is lost, and is being made again.
    Reconnecting,
    /// It is being deleted. Its files stay.
    Suspending,
    /// There is no pod. Input starts a new one with the same files.
    Suspended,
    /// The session is over, and the pod deleted.
    Ended,
}

impl PodStatus {
    /// Bounds the texts: a host of another version may send anything.
    #[must_use]
    pub fn cleaned(self) -> Self {
        let short = |text: String| bounded(&text, NAME_CHARACTERS);
        Self {
            reason: self.reason.map(short),
            message: self.message.map(|text| bounded(&text, 4 * NAME_CHARACTERS)),
            pod: short(self.pod),
            namespace: short(self.namespace),
            image: short(self.image),
            node: self.node.map(short),
            ..self
        }
    }
}

impl PodPhase {
    /// Returns the phase as Kubernetes and its users name it.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Starting => "Starting",
            Self::Ready => "Ready",
            Self::Reconnecting => "Reconnecting",
            Self::Suspending => "Suspending",
            Self::Suspended => "Suspended",
            Self::Ended => "Ended",
        }
    }
}

/// A pod or a volume of this host's sessions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct ListedPod {
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// The session that it belongs to, if it names one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_id: Option<SessionId>,
    /// Its phase in Kubernetes' words.
    pub phase: String,
    /// The node that it runs on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
}

impl ListedPod {
    fn clean(&mut self) {
        for text in [&mut self.name, &mut self.namespace, &mut self.phase] {
            *text = bounded(text, NAME_CHARACTERS);
        }
        self.node = self.node.take().map(|node| bounded(&node, NAME_CHARACTERS));
    }
}

/// What a host knows of its cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct ClusterPods {
    /// The context of the kubeconfig; `in-cluster` within a pod.
    pub context: String,
    /// The namespace of pods whose template names none.
    pub namespace: String,
    /// The templates, the default one first.
    pub templates: Vec<PodTemplate>,
    /// The pods of this host's sessions.
    pub pods: Vec<ListedPod>,
    /// The volumes of this host's sessions, also of those that have ended.
    pub claims: Vec<ListedPod>,
    /// The reason why the cluster cannot be asked, in a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

impl ClusterPods {
    /// Bounds lists and texts: a host of another version may send anything.
    #[must_use]
    pub fn cleaned(mut self) -> Self {
        self.context = bounded(&self.context, NAME_CHARACTERS);
        self.namespace = bounded(&self.namespace, NAME_CHARACTERS);
        self.templates.retain(|template| template.check().is_ok());
        self.templates.truncate(POD_TEMPLATES);
        for listed in [&mut self.pods, &mut self.claims] {
            listed.truncate(LISTED_PODS);
            listed.iter_mut().for_each(ListedPod::clean);
        }
        self.problem = self.problem.map(|problem| bounded(&problem, 4 * NAME_CHARACTERS));
        self
    }
}

/// A question about a host's pods.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PodsQuestion {
    /// Asks for templates, pods and volumes.
    List,
    /// Stores a template, instead of one of the same name.
    Save(Box<PodTemplate>),
    /// Removes a template.
    Remove(String),
    /// Deletes the volume of a session that is over, with its files.
    DeleteClaim {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
}

/// The answer to a [`PodsQuestion`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PodsAnswer {
    /// What there is then.
    Listed(Box<ClusterPods>),
    /// The host could not do it.
    Failed(HostFailure),
}

impl From<HostFailure> for PodsAnswer {
    fn from(failure: HostFailure) -> Self {
        Self::Failed(failure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_any_host_are_bounded() {
        let long = ListedPod { phase: "x".repeat(9_999), ..ListedPod::default() };
        let many = vec![long; LISTED_PODS + 7];
        let listed = ClusterPods { pods: many.clone(), claims: many, ..ClusterPods::default() };
        let listed = listed.cleaned();
        for listed in [listed.pods, listed.claims] {
            assert_eq!(listed.len(), LISTED_PODS);
            assert!(listed[0].phase.len() <= NAME_CHARACTERS, "{}", listed[0].phase.len());
        }
    }

    #[test]
    fn a_spec_is_what_a_cluster_could_take() {
        let spec = |image: &str, memory: &str| PodSpec {
            image: Some(image.into()),
            memory: Some(memory.into()),
            ..PodSpec::default()
        };
        assert_eq!(spec("ghcr.io/a/b:1@sha256:00", "1.5Gi").check(), Ok(()));
        assert_eq!(spec("a b", "1Gi").check(), Err(BadPodSpec::Image("pod.image")));
        for memory in ["", "Gi", "1 Gi", "-1Gi", "1Gib", "1e9", "1.2.3"] {
            let checked = spec("a", memory).check();
            assert_eq!(checked, Err(BadPodSpec::Quantity("pod.memory")), "{memory}");
        }
    }
}
