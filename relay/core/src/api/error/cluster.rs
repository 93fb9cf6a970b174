//! Errors of a host's Kubernetes cluster.

use http::StatusCode;

use super::ApiError;

impl ApiError {
    /// A host's cluster refuses, or cannot be asked.
    #[must_use]
    pub fn of_cluster(code: &str, message: String) -> Self {
        let (status, error) = match code {
            "bad_request" => (StatusCode::BAD_REQUEST, "Bad request"),
            "no_cluster" => (StatusCode::CONFLICT, "No cluster"),
            "cluster_unauthorized" | "cluster_forbidden" => {
                (StatusCode::CONFLICT, "Refused by the cluster")
            }
            "no_such_template" => (StatusCode::NOT_FOUND, "Template not found"),
            "not_in_cluster" => (StatusCode::NOT_FOUND, "Not in the cluster"),
            "cluster_unreachable" | "cluster_failed" => {
                (StatusCode::SERVICE_UNAVAILABLE, "Cluster is offline")
            }
            "overloaded" => (StatusCode::SERVICE_UNAVAILABLE, "Too many"),
            _ => return Self::internal(&message),
        };
        Self::new(status, code, error).with_message(message)
    }
}
