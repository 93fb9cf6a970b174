//! An action of the user, as menus, bars and lists show it.

use std::sync::Arc;

use leptos::prelude::*;

use super::icon::IconName;

/// An action that the user can take.
#[derive(Debug, Clone)]
pub struct Action {
    /// A name for tests and for lists.
    pub name: &'static str,
    /// The label, in the imperative. Ends with `…` if the action asks something first.
    pub title: String,
    /// Text that distinguishes it from actions with the same title; may be empty.
    pub detail: String,
    /// The heading that it is listed under.
    pub group: Arc<str>,
    /// The icon beside its title.
    pub icon: IconName,
    /// The tone of the session that it leads to, shown instead of the icon.
    pub tone: Option<&'static str>,
    /// Its keyboard shortcut on this page; may be empty.
    pub keys: &'static str,
    /// Callback that runs the action.
    pub run: Callback<()>,
}

impl Action {
    /// Creates an action without a detail and keys.
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

    /// Returns the action with this detail.
    #[must_use]
    pub fn about(self, detail: impl Into<String>) -> Self {
        Self { detail: detail.into(), ..self }
    }

    /// Returns the action with these keys.
    #[must_use]
    pub fn keys(self, keys: &'static str) -> Self {
        Self { keys, ..self }
    }
}
