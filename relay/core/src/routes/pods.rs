//! The handlers of `/api/hosts/:id/pods`: requests that a host answers.

use moorline_shared::control::ToRelay;
use moorline_shared::failure::HostFailure;
use moorline_shared::id::HostId;
use moorline_shared::pod::{PodTemplate, PodsAnswer, PodsQuestion};
use moorline_shared::rest::HostPods;
use serde::Deserialize;

use super::{Call, Reply, Request};
use crate::api::ApiError;
use crate::plan::HostError;

/// The query of `DELETE /api/hosts/:id/pods`.
#[derive(Debug, Deserialize)]
struct RemoveQuery {
    /// The name of a template.
    template: Option<String>,
    /// The name of a volume.
    claim: Option<String>,
    /// The namespace of the volume.
    namespace: Option<String>,
}

/// Returns the host that a request about pods names, and the question for it.
///
/// # Errors
/// `invalid_id`, or `bad_request`.
pub fn pods_question(call: Call, request: &Request) -> Result<(HostId, PodsQuestion), ApiError> {
    let host = request.id.parse().map_err(|_| ApiError::invalid_host_id())?;
    let question = match call {
        Call::SavePodTemplate => {
            let template: PodTemplate = request.body()?;
            template.check().map_err(ApiError::bad_request)?;
            PodsQuestion::Save(Box::new(template))
        }
        Call::RemovePods => match request.query()? {
            RemoveQuery { template: Some(name), claim: None, .. } => PodsQuestion::Remove(name),
            RemoveQuery { template: None, claim: Some(name), namespace: Some(namespace) } => {
                PodsQuestion::DeleteClaim { namespace, name }
            }
            _ => {
                let hint = "name a `template`, or a `claim` with its `namespace`";
                return Err(ApiError::bad_request(hint));
            }
        },
        _ => PodsQuestion::List,
    };
    Ok((host, question))
}

/// Returns the reply to a request about pods.
///
/// # Errors
/// The host's reason, or `host_offline` if the answer is not one to this question.
pub fn pods_answer(host: HostId, answer: Option<ToRelay>) -> Result<Reply, ApiError> {
    match answer {
        Some(ToRelay::Pods { answer, .. }) => match *answer {
            PodsAnswer::Listed(listed) => {
                Ok(Reply::ok(&HostPods { host_id: host, cluster: listed.cleaned() }))
            }
            PodsAnswer::Failed(HostFailure { code, message }) => {
                Err(ApiError::of_cluster(&code, message))
            }
        },
        Some(ToRelay::Failed { message, .. }) => Err(ApiError::internal(&message)),
        _ => Err(HostError::Silent(host).into()),
    }
}

/// Only descriptions: each relay asks the host itself.
#[cfg(feature = "openapi")]
#[expect(dead_code, reason = "the attributes read the functions' names and docs")]
pub(crate) mod described {
    use moorline_shared::id::HostId;
    use moorline_shared::pod::PodTemplate;
    use moorline_shared::rest::{ErrorBody, HostPods};

    use crate::api::responses::{Asking, Guarded, WithBody};

    /// List a host's templates, pods and volumes
    ///
    /// Of the pods and volumes in the host's Kubernetes cluster, only those of its own sessions are listed.
    #[utoipa::path(
        get, path = "/api/hosts/{id}/pods", tag = "Hosts", operation_id = "hostPods",
        params(("id" = HostId, Path, description = "The host.")),
        responses(Guarded, Asking,
            (status = 200, description = "Templates, pods and volumes.", body = HostPods),
            (status = 400, description = "The id is not valid: `invalid_id`.", body = ErrorBody),
            (status = 404, description = "The host does not exist: `no_such_host`.", body = ErrorBody),
            (status = 409, description = "The host has no cluster: `no_cluster`.", body = ErrorBody)),
    )]
    pub(crate) const fn list() {}

    /// Store a template of pods
    ///
    /// Replaces a template of the same name. Pods that run are not changed.
    #[utoipa::path(
        post, path = "/api/hosts/{id}/pods", tag = "Hosts", operation_id = "savePodTemplate",
        params(("id" = HostId, Path, description = "The host.")),
        request_body = PodTemplate,
        responses(Guarded, Asking, WithBody,
            (status = 200, description = "Templates, pods and volumes.", body = HostPods),
            (status = 404, description = "The host does not exist: `no_such_host`.", body = ErrorBody),
            (status = 409, description = "The host has no cluster: `no_cluster`.", body = ErrorBody)),
    )]
    pub(crate) const fn save() {}

    /// Remove a template, or the volume of a session that is over
    ///
    /// A volume is deleted with its files.
    #[utoipa::path(
        delete, path = "/api/hosts/{id}/pods", tag = "Hosts", operation_id = "removePods",
        params(
            ("id" = HostId, Path, description = "The host."),
            ("template" = Option<String>, Query, description = "The name of a template."),
            ("claim" = Option<String>, Query, description = "The name of a volume."),
            ("namespace" = Option<String>, Query, description = "The namespace of the volume."),
        ),
        responses(Guarded, Asking,
            (status = 200, description = "What is left.", body = HostPods),
            (status = 400, description = "The id is not valid: `invalid_id`, or nothing is named: \
                `bad_request`.", body = ErrorBody),
            (status = 404, description = "The template does not exist: `no_such_template`, or the \
                volume: `not_in_cluster`, or the host: `no_such_host`.", body = ErrorBody),
            (status = 409, description = "The host has no cluster: `no_cluster`; or that refuses: \
                `cluster_forbidden`, `cluster_unauthorized`.", body = ErrorBody)),
    )]
    pub(crate) const fn remove() {}
}

#[cfg(test)]
mod tests {
    use moorline_shared::pod::ClusterPods;
    use moorline_shared::publish::RequestId;
    use serde_json::{Value, json};

    use super::*;
    use crate::tests::support::request;

    fn asked(call: Call, query: &str, body: &Value) -> Result<PodsQuestion, ApiError> {
        let request = Request { id: "machine_1".into(), ..request(query, body) };
        pods_question(call, &request).map(|(_, question)| question)
    }

    #[test]
    fn a_request_becomes_a_question() {
        let none = json!({});
        assert_eq!(asked(Call::HostPods, "", &none).unwrap(), PodsQuestion::List);
        let saved = asked(Call::SavePodTemplate, "", &json!({ "name": "a", "image": "b" }));
        assert!(matches!(saved.unwrap(), PodsQuestion::Save(template) if template.name == "a"));
        let removed = asked(Call::RemovePods, "template=a", &none).unwrap();
        assert_eq!(removed, PodsQuestion::Remove("a".into()));
        let claim = asked(Call::RemovePods, "claim=exec-a&namespace=n", &none).unwrap();
        let expected = PodsQuestion::DeleteClaim { namespace: "n".into(), name: "exec-a".into() };
        assert_eq!(claim, expected);
        for query in ["", "claim=a", "template=a&claim=b&namespace=c"] {
            assert_eq!(asked(Call::RemovePods, query, &none).unwrap_err().status(), 400, "{query}");
        }
        let bad = json!({ "name": "a", "image": "b c" });
        assert_eq!(asked(Call::SavePodTemplate, "", &bad).unwrap_err().status(), 400);
    }

    #[test]
    fn an_answer_of_the_host_is_passed_on() {
        let host: HostId = "machine_1".parse().unwrap();
        let answer = |answer: PodsAnswer| {
            let answer = Box::new(answer);
            pods_answer(host.clone(), Some(ToRelay::Pods { request: RequestId(1), answer }))
        };
        let listed = ClusterPods { context: "lab".into(), ..ClusterPods::default() };
        let listed = answer(PodsAnswer::Listed(Box::new(listed))).unwrap();
        let listed: Value = serde_json::from_slice(&listed.body).unwrap();
        assert_eq!((&listed["hostId"], &listed["context"]), (&json!("machine_1"), &json!("lab")));
        for (code, status) in [
            ("no_cluster", 409),
            ("cluster_forbidden", 409),
            ("cluster_unauthorized", 409),
            ("cluster_unreachable", 503),
            ("no_such_template", 404),
            ("not_in_cluster", 404),
            ("bad_request", 400),
            ("overloaded", 503),
            ("else", 500),
        ] {
            let failed = answer(HostFailure::new(code, "m").into()).unwrap_err();
            assert_eq!(failed.status(), status, "{code}");
        }
        assert_eq!(pods_answer(host, None).unwrap_err().status(), 503);
    }
}
