//! The dialogs that ask something before an action, and the message about an action that failed.

pub mod create;
pub mod forms;
pub mod keys;

use gloo_timers::callback::Timeout;
use leptos::prelude::*;
use moorline_shared::id::SessionId;

use crate::session::actions::{Actions, Ask};
use crate::session::overview::OverviewState;
use crate::session::words;
use crate::ui::dialog::{Dialog, shown_while};
use crate::ui::when::{effect, live};
use crate::ui::{Icon, IconName, When};
use create::CreateForm;
use forms::{
    DeleteProject, DeleteSessions, LogOutEverywhere, MoveSessions, ProjectForm, RenameForm,
};
use keys::KeyHelp;

const PROBLEM_MS: u32 = 10_000;

/// Renders what can be opened from tmux, and calls back to close the dialog. The application provides
/// it: it is a part that is loaded on demand.
#[derive(Debug, Clone, Copy)]
pub struct TmuxPickerView(pub fn(Callback<()>) -> AnyView);

/// Renders the templates of pods. The application provides it: it is a part that is loaded on demand.
#[derive(Debug, Clone, Copy)]
pub struct PodTemplatesView(pub fn() -> AnyView);

/// Shows the dialog that [`Actions`] asks for. The templates of pods are in a dialog above it, so that
/// the form that starts a command keeps what was typed.
#[component]
pub fn Asks() -> impl IntoView {
    let (actions, overview) = (Actions::expect(), OverviewState::expect());
    let open =
        shown_while(move || actions.asked.with(Option::is_some), move || actions.asked.set(None));
    let close = Callback::new(move |()| open.set(false));
    let title = move || {
        let asked = actions.asked.get();
        asked.map(|ask| title(overview, &ask)).unwrap_or_default()
    };
    view! {
        <Dialog open title=Signal::derive(title) name="dialog">
            <Content close />
        </Dialog>
        <Dialog open=actions.pods.open title="Pod templates" name="pods-dialog">
            {live(|| {
                let PodTemplatesView(view) = expect_context();
                view()
            })}
        </Dialog>
        <Problem />
    }
}

#[component]
fn Content(close: Callback<()>) -> impl IntoView {
    let actions = Actions::expect();
    // The dialogs show sessions and projects by their names.
    OverviewState::expect().follow();
    live(move || match actions.asked.get() {
        Some(Ask::Create) => view! { <CreateForm close /> }.into_any(),
        Some(Ask::Tmux) => {
            let TmuxPickerView(view) = expect_context();
            view(close)
        }
        Some(Ask::Delete(ids)) => view! { <DeleteSessions ids close /> }.into_any(),
        Some(Ask::Move(ids)) => view! { <MoveSessions ids close /> }.into_any(),
        Some(Ask::Rename(id)) => view! { <RenameForm id close /> }.into_any(),
        Some(Ask::Project(id)) => view! { <ProjectForm id close /> }.into_any(),
        Some(Ask::DeleteProject(id)) => view! { <DeleteProject id close /> }.into_any(),
        Some(Ask::LogOutEverywhere) => view! { <LogOutEverywhere close /> }.into_any(),
        Some(Ask::Keys) => view! { <KeyHelp close /> }.into_any(),
        None => ().into_any(),
    })
}

fn title(overview: OverviewState, ask: &Ask) -> String {
    let session = |id: &SessionId| {
        overview.session(id).map_or_else(|| id.to_string(), |session| words::name(&session))
    };
    let of = |verb: &str, ids: &[SessionId]| match ids {
        [id] => format!("{verb} {}", session(id)),
        ids => format!("{verb} {} sessions", ids.len()),
    };
    match ask {
        Ask::Create => "Run a command".to_owned(),
        Ask::Tmux => "Open from tmux".to_owned(),
        Ask::Delete(ids) => of("Delete", ids) + "?",
        Ask::Move(ids) => of("Move", ids) + " to",
        Ask::Rename(id) => format!("Rename {}", session(id)),
        Ask::Project(None) => "New project".to_owned(),
        Ask::Project(Some(_)) => "Project".to_owned(),
        Ask::DeleteProject(id) => {
            let name = overview.project_name(id).unwrap_or_else(|| id.to_string());
            format!("Delete project {name}?")
        }
        Ask::LogOutEverywhere => "Log out everywhere?".to_owned(),
        Ask::Keys => "Keyboard shortcuts".to_owned(),
    }
}

/// Shows for a limited time why an action failed.
#[component]
fn Problem() -> impl IntoView {
    let actions = Actions::expect();
    let timer = StoredValue::new_local(None::<Timeout>);
    effect(move || {
        let shown = actions.problem.with(Option::is_some);
        let hide = move || actions.problem.set(None);
        timer.set_value(shown.then(|| Timeout::new(PROBLEM_MS, hide)));
    });
    view! {
        <div class="toast-place over" role="alert">
            <When condition=move || actions.problem.with(Option::is_some)>
                <div class="toast" data-testid="problem">
                    <span>{move || actions.problem.get()}</span>
                    <button
                        class="icon-button"
                        aria-label="Close"
                        on:click=move |_| actions.problem.set(None)
                    >
                        <Icon name=IconName::Cross />
                    </button>
                </div>
            </When>
        </div>
    }
}
