//! The form that starts a command.

use leptos::html;
use leptos::prelude::*;
use moorline_shared::agent::spec::AgentSpec;
use moorline_shared::id::ProjectId;
use moorline_shared::pod::PodSpec;
use moorline_shared::rest::{CreateSession, Project};
use moorline_shared::session::KUBERNETES_DRIVER;

use super::forms::FormActions;
use crate::pages::frame::agents::AgentPicker;
use crate::pages::frame::drivers::{DriverChoice, wanted_driver};
use crate::pages::frame::hosts::{NoHost, host_choice};
use crate::pages::frame::pods::PodPicker;
use crate::pages::frame::workspaces::workspace_choice;
use crate::session::actions::{Actions, Ask};
use crate::session::catalogue::Sessions;
use crate::session::overview::OverviewState;
use crate::session::route::Router;
use crate::ui::Field;
use crate::ui::field::{Choice, choice, typed};
use crate::ui::sort::sorted;

/// Asks for the command to run, its folder, name, project, workspace, host and driver.
#[component]
pub fn CreateForm(
    /// Called to close the dialog.
    close: Callback<()>,
) -> impl IntoView {
    let (actions, router) = (Actions::expect(), Router::expect());
    let command = NodeRef::<html::Input>::new();
    let cwd = NodeRef::<html::Input>::new();
    let name = NodeRef::<html::Input>::new();
    let overview = OverviewState::expect();
    let (host, driver) = (RwSignal::new(None), RwSignal::new(None::<String>));
    let (agent, template) = (RwSignal::new(None::<String>), RwSignal::new(None::<String>));
    let workspace = RwSignal::new(None);
    let project = RwSignal::new(untrack(|| router.shelf()).project().cloned());
    let problem = RwSignal::new(None::<String>);
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        match wish(typed(command), typed(cwd), typed(name)) {
            Ok(wish) => {
                let project = project.get_untracked();
                let chosen = host.get_untracked();
                let there = untrack(|| overview.starting_host(chosen.as_ref()));
                let driver = driver.get_untracked();
                let driver = wanted_driver(there.as_ref(), driver.as_deref());
                let host = chosen.or_else(|| untrack(|| overview.usual_host()));
                let agent = agent.get_untracked();
                // An agent of the host brings its own command.
                let command = wish.command.clone().filter(|_| agent.is_none());
                let agent = agent.map(|id| AgentSpec { agent: Some(id), ..AgentSpec::default() });
                let template = template.get_untracked();
                let pod = (driver.as_deref() == Some(KUBERNETES_DRIVER))
                    .then(|| PodSpec { template, ..PodSpec::default() });
                let workspace = workspace.get_untracked();
                let own = CreateSession { project, host, driver, workspace, ..wish };
                actions.create(CreateSession { agent, pod, command, ..own });
                close.run(());
            }
            Err(Unbalanced) => {
                let text = "A quote is open. Close it, or put a backslash before it.";
                problem.set(Some(text.to_owned()));
            }
        }
    };
    view! {
        <form on:submit=submit>
            <Field
                label="Command"
                name="command"
                node=command
                placeholder="login shell"
                problem
                mono=true
                first=true
            />
            <Field label="Folder" name="cwd" node=cwd placeholder="the project's, or home" mono=true list="folders" />
            <Folders />
            <Field label="Name" name="name" node=name placeholder="optional" />
            {project_choice(project)}
            {workspace_choice(workspace)}
            {host_choice(host)}
            <DriverChoice host driver />
            <AgentPicker host driver agent />
            <PodPicker host driver template />
            <NoHost />
            <button type="button" class="button quiet" data-testid="from-tmux" on:click=move |_| actions.ask(Ask::Tmux)>
                "Open from tmux…"
            </button>
            <FormActions close verb="Start" />
        </form>
    }
}

/// Suggests the folders of existing sessions.
#[component]
fn Folders() -> impl IntoView {
    let overview = OverviewState::expect();
    let folders: Vec<String> = overview.sessions.with_untracked(|sessions| {
        let all = sessions.iter().flat_map(Sessions::iter);
        all.filter_map(|session| session.cwd.clone()).collect()
    });
    let mut folders = sorted(&folders, Clone::clone);
    folders.dedup();
    let options = folders.into_iter().map(|folder| view! { <option value=folder></option> });
    view! { <datalist id="folders">{options.collect_view()}</datalist> }
}

fn project_choice(project: RwSignal<Option<ProjectId>>) -> AnyView {
    let overview = OverviewState::expect();
    let options = move || {
        let none = Choice { text: "None".to_owned(), ..Choice::default() };
        let one = |one: Project| Choice {
            chosen: project.with_untracked(|project| project.as_ref() == Some(&one.id)),
            value: one.id.to_string(),
            text: one.name,
        };
        std::iter::once(none).chain(overview.projects.get().into_iter().map(one)).collect()
    };
    choice("Project", "project", options, move |value| project.set(value.parse().ok()))
}

#[derive(Debug, PartialEq, Eq)]
struct Unbalanced;

fn wish(
    command: Option<String>,
    cwd: Option<String>,
    name: Option<String>,
) -> Result<CreateSession, Unbalanced> {
    let command = command.map(|line| shlex::split(&line).ok_or(Unbalanced)).transpose()?;
    let command = command.filter(|words| !words.is_empty());
    Ok(CreateSession { command, cwd, name, ..CreateSession::default() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn a_command_line_is_split_as_a_shell_would() {
        let made = wish(Some("vim 'my file'".into()), None, Some("notes".into())).unwrap();
        assert_eq!(made.command.unwrap(), ["vim", "my file"]);
        assert_eq!(made.name.as_deref(), Some("notes"));
        assert_eq!(wish(Some("echo 'open".into()), None, None), Err(Unbalanced));
        assert_eq!(wish(Some("# only a comment".into()), None, None).unwrap().command, None);
    }
}
