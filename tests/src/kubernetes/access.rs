//! What the test's account may do.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::resource::ResourceType;
use super::status::{ApiError, ApiResult};

/// The name of the account, as in messages.
const USER: &str = "system:serviceaccount:default:moorline";

/// The rules of a cluster. At first everything is allowed to who has the token.
#[derive(Debug)]
pub(super) struct AccessRules {
    token: String,
    content: Mutex<AccessContent>,
}

#[derive(Debug, Default)]
struct AccessContent {
    /// The token is not accepted any more.
    unauthorized: bool,
    /// Verbs and resources, such as `create` and `pods/exec`.
    forbidden: BTreeSet<(String, String)>,
}

impl AccessRules {
    pub(super) fn new(token: String) -> Self {
        Self { token, content: Mutex::default() }
    }

    pub(super) fn token(&self) -> &str {
        &self.token
    }

    pub(super) fn set_unauthorized(&self, unauthorized: bool) {
        self.content().unauthorized = unauthorized;
    }

    pub(super) fn forbid(&self, verb: &str, resource: &str) {
        self.content().forbidden.insert((verb.to_owned(), resource.to_owned()));
    }

    pub(super) fn allow(&self, verb: &str, resource: &str) {
        self.content().forbidden.remove(&(verb.to_owned(), resource.to_owned()));
    }

    /// Checks the header `Authorization`.
    ///
    /// # Errors
    /// 401 if it does not have the token.
    pub(super) fn authenticate(&self, header: Option<&str>) -> ApiResult<()> {
        let token = header.and_then(|header| header.strip_prefix("Bearer "));
        if token == Some(&self.token) && !self.content().unauthorized {
            Ok(())
        } else {
            Err(ApiError::unauthorized())
        }
    }

    /// Returns whether the account may do this to a resource, such as `pods/exec`.
    pub(super) fn may(&self, verb: &str, resource: &str) -> bool {
        let content = self.content();
        !content.forbidden.iter().any(|(forbidden, other)| forbidden == verb && other == resource)
    }

    /// Checks that the account may do this.
    ///
    /// # Errors
    /// 403 if not, with the sentence of a real server.
    pub(super) fn authorize(
        &self,
        verb: &str,
        resource: &ResourceType,
        part: &str,
        namespace: &str,
        name: &str,
    ) -> ApiResult<()> {
        let whole = match part {
            "" => resource.plural.to_owned(),
            part => format!("{}/{part}", resource.plural),
        };
        if self.may(verb, &whole) {
            return Ok(());
        }
        let place = match namespace {
            "" => "at the cluster scope".to_owned(),
            namespace => format!("in the namespace \"{namespace}\""),
        };
        let group = resource.group;
        let why = format!(
            "User \"{USER}\" cannot {verb} resource \"{whole}\" in API group \"{group}\" {place}"
        );
        Err(ApiError::forbidden(resource, name, &why))
    }

    fn content(&self) -> MutexGuard<'_, AccessContent> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
