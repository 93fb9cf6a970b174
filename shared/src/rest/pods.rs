//! The bodies of `/api/hosts/:id/pods`.

use serde::{Deserialize, Serialize};

use crate::id::HostId;
use crate::pod::ClusterPods;

/// The answer to every request about the pods of a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct HostPods {
    /// The host that was asked.
    pub host_id: HostId,
    /// Its templates, pods and volumes.
    #[serde(flatten)]
    pub cluster: ClusterPods,
}
