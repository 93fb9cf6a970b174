//! The container that a request about a pod means.

use std::sync::Arc;

use serde_json::Value;

use super::json::{list, text};
use super::resource::{PODS, ResourcePath};
use super::state::SharedState;
use super::status::{ApiError, ApiResult};
use super::store::ObjectKey;

/// A container of a pod, as a request names it.
#[derive(Debug)]
pub(super) struct ContainerTarget {
    pub(super) pod: Arc<Value>,
    pub(super) container: String,
}

impl ContainerTarget {
    /// Finds the container. The name may be empty if the pod has one container only.
    ///
    /// # Errors
    /// 404 if the pod does not exist, 400 if it has no such container or is on no node yet.
    pub(super) fn find(state: &SharedState, path: &ResourcePath, named: &str) -> ApiResult<Self> {
        let key = ObjectKey::new(&PODS, &path.namespace, &path.name);
        let pod = state.store.get(&key).ok_or_else(|| ApiError::not_found(&PODS, &path.name))?;
        let names = |field: &str| -> Vec<String> {
            list(&pod["spec"][field]).iter().map(|one| text(&one["name"]).to_owned()).collect()
        };
        let containers = names("containers");
        let container = match (named, &containers[..]) {
            ("", [only]) => only.clone(),
            ("", several) => {
                let several = several.join(" ");
                let pod = &path.name;
                return Err(ApiError::bad_request(format!(
                    "a container name must be specified for pod {pod}, choose one of: [{several}]"
                )));
            }
            (named, _) => named.to_owned(),
        };
        if !containers.contains(&container) && !names("initContainers").contains(&container) {
            let pod = &path.name;
            let message = format!("container {container} is not valid for pod {pod}");
            return Err(ApiError::bad_request(message));
        }
        if text(&pod["spec"]["nodeName"]).is_empty() {
            let message = format!("pod {} does not have a host assigned", path.name);
            return Err(ApiError::bad_request(message));
        }
        Ok(Self { pod, container })
    }
}
