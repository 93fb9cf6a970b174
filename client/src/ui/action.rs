//! Something that a user can do, as menus, bars and lists show it.

use std::sync::Arc;

use leptos::prelude::*;

use super::icon::IconName;

/// Something that a user can do.
#[derive(Debug, Clone)]
pub struct Action {
    /// Names it, for tests and for lists.
    pub name: &'static str,
    /// What it does, in the imperative; ends with `…` where it asks first.
    pub title: String,
    /// What tells it from others of its title.
    pub detail: String,
    /// What it belongs to.
    pub group: Arc<str>,
    /// Its icon.
    pub icon: IconName,
    /// The state of the session that it leads to, as in lists.
    pub tone: Option<&'static str>,
    /// Its keys on this page.
    pub keys: &'static str,
    /// Does it.
    pub run: Callback<()>,
}

impl Action {
    /// An action without a detail and keys.
    pub fn new(
        group: &Arc<str>,
        name: &'static str,
        icon: IconName,
        title: impl Into<String>,
        run: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        Self {
            name,
            title: title.into(),
            detail: String::new(),
            group: Arc::clone(group),
            icon,
            tone: None,
            keys: "",
            run: Callback::new(move |()| run()),
        }
    }

    /// The same with a detail.
    #[must_use]
    pub fn about(self, detail: impl Into<String>) -> Self {
        Self { detail: detail.into(), ..self }
    }

    /// The same with keys.
    #[must_use]
    pub fn keys(self, keys: &'static str) -> Self {
        Self { keys, ..self }
    }
}
