//! The handlers of `/api/hosts`.

use moorline_shared::agent::rule::RulesQuestion;
use moorline_shared::control::ToRelay;
use moorline_shared::id::HostId;
use moorline_shared::rest::RuleList;
use serde::Deserialize;

use super::{Call, Reply, Request, View};
use crate::api::ApiError;
#[cfg(feature = "openapi")]
use crate::api::responses::Guarded;
use crate::plan::HostError;
use moorline_shared::agent::spec::KnownAgent;
use moorline_shared::rest::HostAgents;
#[cfg(feature = "openapi")]
use moorline_shared::rest::HostList;

/// Most characters of a rule's id.
const RULE_CHARACTERS: usize = 64;

/// List all hosts that the relay knows
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/api/hosts", tag = "Hosts", operation_id = "listHosts",
    responses(Guarded,
        (status = 200, description = "All hosts, connected or offline.", body = HostList)),
))]
pub(crate) fn list(view: &View<'_>, request: &Request) -> Result<Reply, ApiError> {
    Ok(Reply::ok(&view.directory.hosts(view.is_here, request.now_ms)))
}

/// Returns the answer to a request for the agents of a host, from what that reports.
#[must_use]
pub fn host_agents(host_id: HostId, agents: Vec<KnownAgent>) -> Reply {
    Reply::ok(&HostAgents { host_id, agents: KnownAgent::cleaned(agents) })
}

/// The query of `DELETE /api/hosts/:id/rules`.
#[derive(Debug, Deserialize)]
struct RevokeQuery {
    /// The rule's id.
    rule: String,
}

/// Returns the host that a request for rules names, and the question for it.
///
/// # Errors
/// `invalid_id`, or `bad_request` if the query does not name a rule to revoke.
pub fn rules_question(call: Call, request: &Request) -> Result<(HostId, RulesQuestion), ApiError> {
    let host = request.id.parse().map_err(|_| ApiError::invalid_host_id())?;
    if call != Call::RevokeRule {
        return Ok((host, RulesQuestion::List));
    }
    let RevokeQuery { rule: id } = request.query()?;
    if id.is_empty() || id.chars().count() > RULE_CHARACTERS {
        return Err(ApiError::no_rule(&id.chars().take(RULE_CHARACTERS).collect::<String>()));
    }
    Ok((host, RulesQuestion::Revoke { id }))
}

/// Returns the reply to a request for rules.
///
/// # Errors
/// `no_such_rule`, `internal`, or `host_offline` if the answer is not one to this question.
pub fn rules_answer(host: HostId, answer: ToRelay) -> Result<Reply, ApiError> {
    match answer {
        ToRelay::Rules { rules, .. } => Ok(Reply::ok(&RuleList { rules })),
        ToRelay::Failed { code, message, .. } if code == "no_such_rule" => {
            Err(ApiError::no_rule_of_host(message))
        }
        ToRelay::Failed { message, .. } => Err(ApiError::internal(&message)),
        _ => Err(HostError::Silent(host).into()),
    }
}

/// Only descriptions: each relay asks the host itself.
#[cfg(feature = "openapi")]
#[expect(dead_code, reason = "the attributes read the functions' names and docs")]
pub(crate) mod described {
    use moorline_shared::id::HostId;
    use moorline_shared::rest::{ErrorBody, RuleList};

    use crate::api::responses::{Asking, Guarded};

    /// List a host's rules about approvals
    ///
    /// A rule decides approvals on its host without asking. Answers such as "always allow" make
    /// rules.
    #[utoipa::path(
        get, path = "/api/hosts/{id}/rules", tag = "Hosts", operation_id = "listRules",
        params(("id" = HostId, Path, description = "The host.")),
        responses(Guarded, Asking,
            (status = 200, description = "The rules, oldest first.", body = RuleList),
            (status = 400, description = "The id is not valid: `invalid_id`.", body = ErrorBody),
            (status = 404, description = "The host does not exist: `no_such_host`.",
                body = ErrorBody)),
    )]
    pub(crate) const fn rules() {}

    /// Revoke a rule of a host
    ///
    /// Approvals that it has decided stay decided.
    #[utoipa::path(
        delete, path = "/api/hosts/{id}/rules", tag = "Hosts", operation_id = "revokeRule",
        params(
            ("id" = HostId, Path, description = "The host."),
            ("rule" = String, Query, description = "The rule's id."),
        ),
        responses(Guarded, Asking,
            (status = 200, description = "The rules that are left.", body = RuleList),
            (status = 400, description = "The id is not valid: `invalid_id`, or no rule is named: \
                `bad_request`.", body = ErrorBody),
            (status = 404, description = "The rule does not exist: `no_such_rule`, or the host: \
                `no_such_host`.", body = ErrorBody)),
    )]
    pub(crate) const fn revoke() {}
}

#[cfg(test)]
mod tests {
    use moorline_shared::publish::RequestId;

    use super::*;

    fn request(id: &str, query: &str) -> Request {
        Request {
            id: id.to_owned(),
            item: String::new(),
            grant: crate::auth::Grant::unstored(),
            query: query.to_owned(),
            content_type: String::new(),
            body: bytes::Bytes::new(),
            now_ms: 5,
            random: 1,
        }
    }

    #[test]
    fn a_question_names_a_host_and_a_rule_to_revoke() {
        let host: HostId = "host_123".parse().unwrap();
        let asked = rules_question(Call::HostRules, &request("host_123", "rule=x")).unwrap();
        assert_eq!(asked, (host.clone(), RulesQuestion::List));
        let asked = rules_question(Call::RevokeRule, &request("host_123", "rule=x")).unwrap();
        assert_eq!(asked, (host, RulesQuestion::Revoke { id: "x".into() }));
        let long = format!("rule={}", "x".repeat(65));
        for (id, query, status) in [
            ("host", "rule=x", 400),
            ("host_123", "", 400),
            ("host_123", "rule=", 404),
            ("host_123", &long, 404),
        ] {
            let refused = rules_question(Call::RevokeRule, &request(id, query)).unwrap_err();
            assert_eq!(refused.status().as_u16(), status, "{id} {query}");
        }
    }

    #[test]
    fn a_failure_of_the_host_is_answered() {
        let failed = |code: &str| ToRelay::Failed {
            request: RequestId(1),
            code: code.into(),
            message: "m".into(),
        };
        let silent = ToRelay::Files { request: RequestId(1), files: Vec::new() };
        for (answer, status) in
            [(failed("no_such_rule"), 404), (failed("internal"), 500), (silent, 503)]
        {
            let refused = rules_answer("host_123".parse().unwrap(), answer).unwrap_err();
            assert_eq!(refused.status().as_u16(), status);
        }
    }
}
