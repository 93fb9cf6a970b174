//! The state of the dialog of pod templates, and its requests.

use leptos::prelude::*;
use moorline_shared::pod::{ClusterPods, ListedPod, PodTemplate};
use moorline_shared::rest::{HostPods, LoginStatus};
use moorline_shared::session::KUBERNETES_DRIVER;

use crate::bindings::page;
use crate::session::access::PageAccess;
use crate::session::actions::{Actions, PodsDialog};
use crate::session::api::{self, ApiRequest, RequestError};
use crate::session::catalogue::HostEntry;
use crate::session::overview::OverviewState;
use crate::ui::when::effect;

/// The screen of the dialog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PodsScreen {
    /// The templates, pods and volumes.
    List,
    /// The form for a new template.
    Add,
    /// The form for changes of a template.
    Change(Box<PodTemplate>),
    /// The question whether to remove the template of this name.
    Remove(String),
    /// The question whether to delete a volume.
    DeleteVolume(ListedPod),
}

/// The chosen host's cluster, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ClusterAnswer {
    /// There is no host to ask.
    NoHost,
    /// The host has not answered yet.
    Waiting,
    /// The reason why there is no answer.
    Failed(String),
    /// The host's answer.
    Listed(Box<ClusterPods>),
}

/// The chosen host's cluster, and what the user does with it.
#[derive(Clone, Copy)]
pub(super) struct PodsState {
    access: PageAccess,
    pub(super) overview: OverviewState,
    /// The dialog around it, with the host that the user has chosen.
    pub(super) dialog: PodsDialog,
    /// The host that is asked.
    host: Memo<Option<HostEntry>>,
    pub(super) answer: RwSignal<ClusterAnswer>,
    pub(super) screen: RwSignal<PodsScreen>,
    /// The reason why the last change failed, on the list.
    pub(super) problem: RwSignal<Option<String>>,
    /// A sentence about the last change.
    pub(super) note: RwSignal<Option<String>>,
    /// True while a change is being made.
    pub(super) busy: RwSignal<bool>,
    /// True if this browser's token is an administrator's; false until that is known.
    is_admin: RwSignal<bool>,
    /// Counts how often the user has asked again.
    again: RwSignal<u32>,
}

impl PodsState {
    pub(super) fn provide() -> Self {
        let dialog = Actions::expect().pods;
        let overview = OverviewState::expect();
        let host = Memo::new(move |_| {
            let chosen = dialog.host.get();
            overview.hosts.track();
            // The usual host depends on all sessions, which change all the time.
            untrack(|| overview.starting_host(chosen.as_ref()))
        });
        let state = Self {
            access: PageAccess::expect(),
            overview,
            dialog,
            host,
            answer: RwSignal::new(ClusterAnswer::Waiting),
            screen: RwSignal::new(PodsScreen::List),
            problem: RwSignal::default(),
            note: RwSignal::default(),
            busy: RwSignal::default(),
            is_admin: RwSignal::default(),
            again: RwSignal::default(),
        };
        provide_context(state);
        state.ask_for_rights();
        state.follow_host();
        state
    }

    pub(super) fn expect() -> Self {
        expect_context()
    }

    fn ask_for_rights(self) {
        api::ask(self.access, ApiRequest::get("/api/login".to_owned()), move |answer| {
            // Without an answer, nothing can be changed, and the list says why nothing is there.
            let status = answer.and_then(|text| api::parse::<LoginStatus>(&text));
            let _ = self.is_admin.try_set(status.is_ok_and(|status| status.scope == "admin"));
        });
    }

    /// Asks each host that is chosen.
    fn follow_host(self) {
        let asked = Memo::new(move |_| (self.host.get(), self.again.get()));
        effect(move || {
            let (host, again) = asked.get();
            let Some(host) = host else { return self.answer.set(ClusterAnswer::NoHost) };
            if let Some(text) = lacking(&host) {
                return self.answer.set(ClusterAnswer::Failed(text));
            }
            self.answer.set(ClusterAnswer::Waiting);
            let request = ApiRequest::get(format!("/api/hosts/{}/pods", host.host_id));
            api::ask(self.access, request, move |answer| {
                // Another host may be chosen by now, or the dialog be closed.
                if asked.try_get_untracked() == Some((Some(host), again)) {
                    self.answer.set(match listed(answer) {
                        Ok(cluster) => ClusterAnswer::Listed(Box::new(cluster)),
                        Err(error) => ClusterAnswer::Failed(error.to_string()),
                    });
                }
            });
        });
    }

    /// Asks the host again.
    pub(super) fn look_again(self) {
        self.problem.set(None);
        self.note.set(None);
        self.again.update(|count| *count += 1);
    }

    /// Shows another screen of the dialog.
    pub(super) fn go(self, screen: PodsScreen) {
        self.problem.set(None);
        self.note.set(None);
        self.screen.set(screen);
    }

    /// Returns true if there is something that this browser may change; tracked.
    pub(super) fn may_change(self) -> bool {
        self.is_admin.get() && self.answer.with(|answer| matches!(answer, ClusterAnswer::Listed(_)))
    }

    /// Returns true if the host has a template of this name.
    pub(super) fn has_template(self, name: &str) -> bool {
        self.answer.with_untracked(|answer| match answer {
            ClusterAnswer::Listed(cluster) => cluster.templates.iter().any(|it| it.name == name),
            _ => false,
        })
    }

    /// Stores a template, or calls `failed`.
    pub(super) fn save(self, template: &PodTemplate, failed: impl FnOnce(RequestError) + 'static) {
        let done = format!("The template {} is saved.", template.name);
        let Some(path) = self.path() else { return };
        self.change(ApiRequest::post(path, template), done, failed);
    }

    /// Removes a template.
    pub(super) fn remove(self, name: &str) {
        let done = format!("The template {name} is removed.");
        let Some(path) = self.path() else { return };
        let request = ApiRequest::delete(format!("{path}?template={}", page::in_query(name)));
        self.change(request, done, move |error| self.fail(error.to_string()));
    }

    /// Deletes a volume, unless its session exists after all: the page may not know yet of a session
    /// that was just created.
    pub(super) fn delete_volume(self, volume: ListedPod) {
        let Some(id) = volume.session_id.clone() else { return self.delete_claim(&volume) };
        self.busy.set(true);
        let request = ApiRequest::get(format!("/api/session/{id}/status"));
        api::ask(self.access, request, move |answer| match answer {
            Err(RequestError::Missing(_)) => self.delete_claim(&volume),
            Ok(_) => {
                let text = "The volume belongs to a session that exists. Delete the session.";
                self.fail(text.to_owned());
            }
            Err(error) => self.fail(error.to_string()),
        });
    }

    fn delete_claim(self, volume: &ListedPod) {
        let done = format!("The volume {} is deleted.", volume.name);
        // The dialog may be closed by now.
        let Some(path) = self.path() else { return };
        let (name, namespace) = (page::in_query(&volume.name), page::in_query(&volume.namespace));
        let request = ApiRequest::delete(format!("{path}?claim={name}&namespace={namespace}"));
        self.change(request, done, move |error| self.fail(error.to_string()));
    }

    fn path(self) -> Option<String> {
        let host = self.host.try_get_untracked().flatten()?;
        Some(format!("/api/hosts/{}/pods", host.host_id))
    }

    /// Sends a change, and shows what there is then.
    fn change(
        self,
        request: ApiRequest,
        done: String,
        failed: impl FnOnce(RequestError) + 'static,
    ) {
        let _ = self.busy.try_set(true);
        api::ask(self.access, request, move |answer| {
            if self.busy.try_set(false).is_some() {
                // The dialog is closed.
                return;
            }
            match listed(answer) {
                Ok(cluster) => {
                    self.answer.set(ClusterAnswer::Listed(Box::new(cluster)));
                    self.go(PodsScreen::List);
                    self.note.set(Some(done));
                }
                Err(error) => failed(error),
            }
        });
    }

    /// Shows on the list why a change failed.
    fn fail(self, text: String) {
        if self.busy.try_set(false).is_none() {
            self.go(PodsScreen::List);
            self.problem.set(Some(text));
        }
    }
}

fn listed(answer: Result<String, RequestError>) -> Result<ClusterPods, RequestError> {
    answer.and_then(|text| api::parse::<HostPods>(&text)).map(|listed| listed.cluster)
}

/// Says why a host has no pods, if it has none. One that misses its cluster has templates.
fn lacking(host: &HostEntry) -> Option<String> {
    let missing = host.missing.iter().map(|missing| &missing.driver);
    let mut known = host.drivers.iter().chain(missing);
    (!known.any(|driver| driver == KUBERNETES_DRIVER))
        .then(|| format!("The host {} does not know pods yet: update Moorline there.", host.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::catalogue::tests::host;
    use moorline_shared::rest::MissingDriver;
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn a_host_without_a_cluster_is_asked_all_the_same() {
        let old = host("host_one", "box", true);
        assert!(lacking(&old).unwrap().contains("update Moorline"));
        let missing = MissingDriver { driver: "kubernetes".into(), reason: "none".into() };
        assert_eq!(lacking(&HostEntry { missing: vec![missing], ..old.clone() }), None);
        assert_eq!(lacking(&HostEntry { drivers: vec!["kubernetes".into()], ..old }), None);
    }
}
