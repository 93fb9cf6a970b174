//! The errors of a cluster, as codes and sentences.

use kube::core::Status;
use moorline_shared::failure::HostFailure;

use crate::driver::DriverError;

/// The error of a request to the cluster.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum ClusterError {
    #[error("no Kubernetes cluster is configured: {0}")]
    Config(String),
    #[error(
        "the cluster does not accept the credentials of this host, which may have expired: log in \
         to the cluster again ({0})"
    )]
    Unauthorized(String),
    #[error("the cluster does not allow this: {0}")]
    Forbidden(String),
    #[error("the namespace has no room left: {0}")]
    Quota(String),
    #[error(
        "the cluster has something else of this name: delete it, or start another session ({0})"
    )]
    NameTaken(String),
    #[error("the cluster refuses the pod: {0}")]
    Invalid(String),
    #[error("it does not exist: {0}")]
    NotFound(String),
    #[error("the cluster cannot be reached: {0}")]
    Unreachable(String),
    #[error("the cluster has failed: {0}")]
    Failed(String),
    #[error("no template is named {0}")]
    NoTemplate(String),
}

impl ClusterError {
    /// Returns a stable code.
    pub(super) const fn code(&self) -> &'static str {
        match self {
            Self::Config(_) => "no_cluster",
            Self::Unauthorized(_) => "cluster_unauthorized",
            Self::Forbidden(_) => "cluster_forbidden",
            Self::Quota(_) => "quota_exceeded",
            Self::NameTaken(_) => "name_taken",
            Self::Invalid(_) => "invalid_pod",
            Self::NotFound(_) => "not_in_cluster",
            Self::Unreachable(_) => "cluster_unreachable",
            Self::Failed(_) => "cluster_failed",
            Self::NoTemplate(_) => "no_such_template",
        }
    }

    /// Returns true if the same request may succeed later, without anybody's doing.
    pub(super) const fn may_pass(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Failed(_) | Self::Unauthorized(_))
    }
}

impl From<kube::Error> for ClusterError {
    fn from(error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => of_status(*status),
            kube::Error::InferConfig(error) => Self::Config(error.to_string()),
            kube::Error::InferKubeconfig(error) => Self::Config(error.to_string()),
            kube::Error::Auth(error) => Self::Unauthorized(error.to_string()),
            kube::Error::UpgradeConnection(error) => Self::Unreachable(error.to_string()),
            error => Self::Unreachable(innermost(&error)),
        }
    }
}

fn of_status(status: Status) -> ClusterError {
    let Status { code, message, .. } = status;
    match code {
        401 => ClusterError::Unauthorized(message),
        403 if message.contains("exceeded quota") => ClusterError::Quota(message),
        403 => ClusterError::Forbidden(message),
        404 => ClusterError::NotFound(message),
        409 => ClusterError::NameTaken(message),
        400 | 422 => ClusterError::Invalid(message),
        _ => ClusterError::Failed(message),
    }
}

/// Returns the text of the error at the bottom, which says what the others only wrap.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

impl From<ClusterError> for DriverError {
    fn from(error: ClusterError) -> Self {
        match error {
            ClusterError::Quota(_) => Self::Exhausted(error.into()),
            ClusterError::Unreachable(_) | ClusterError::Failed(_) => Self::Internal(error.into()),
            _ => Self::Refused(error.into()),
        }
    }
}

impl From<ClusterError> for HostFailure {
    fn from(error: ClusterError) -> Self {
        Self::new(error.code(), error.to_string())
    }
}
