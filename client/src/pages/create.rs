//! The dialog that starts a command.

use leptos::html;
use leptos::prelude::*;
use moorline_shared::rest::CreateSession;

use super::sessions::Sessions;
use crate::bindings::page;
use crate::components::dialog::Dialog;

/// Asks what to run, where, and under which name.
#[component]
pub fn CreateDialog(
    /// Whether it is shown.
    open: RwSignal<bool>,
) -> impl IntoView {
    view! {
        <Dialog open title="Start a session" name="create-dialog">
            <CreateForm open />
        </Dialog>
    }
}

#[component]
fn CreateForm(open: RwSignal<bool>) -> impl IntoView {
    let sessions = Sessions::expect();
    let command = NodeRef::<html::Input>::new();
    let cwd = NodeRef::<html::Input>::new();
    let name = NodeRef::<html::Input>::new();
    let (problem, set_problem) = signal(None::<&'static str>);
    command.on_load(|field| page::focus_soon(field.into()));
    let folders = move || {
        let mut folders: Vec<String> = sessions
            .list
            .with(|list| list.iter().flatten().filter_map(|session| session.cwd.clone()).collect());
        folders.sort();
        folders.dedup();
        folders.into_iter().map(|folder| view! { <option value=folder></option> }).collect_view()
    };
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let read = |field: NodeRef<html::Input>| {
            let text = field.get_untracked().map(|field| field.value()).unwrap_or_default();
            Some(text.trim().to_owned()).filter(|text| !text.is_empty())
        };
        match wish(read(command), read(cwd), read(name)) {
            Ok(wish) => {
                open.set(false);
                sessions.create(wish);
            }
            Err(Unbalanced) => {
                set_problem.set(Some("A quote is open. Close it, or put a backslash before it."));
            }
        }
    };
    view! {
        <form on:submit=submit>
            <label class="field">
                <span>"Command"</span>
                <input
                    node_ref=command
                    class="mono"
                    data-testid="command"
                    placeholder="login shell"
                    autocomplete="off"
                    autocapitalize="off"
                    spellcheck="false"
                    aria-describedby="command-problem"
                />
            </label>
            <p id="command-problem" class="problem" role="alert">{problem}</p>
            <label class="field">
                <span>"Folder"</span>
                <input
                    node_ref=cwd
                    class="mono"
                    data-testid="cwd"
                    list="folders"
                    placeholder="home"
                    autocomplete="off"
                    autocapitalize="off"
                    spellcheck="false"
                />
            </label>
            <datalist id="folders">{folders}</datalist>
            <label class="field">
                <span>"Name"</span>
                <input node_ref=name data-testid="name" placeholder="optional" autocomplete="off" />
            </label>
            <div class="actions">
                <button type="button" class="button" on:click=move |_| open.set(false)>
                    "Cancel"
                </button>
                <button class="button primary" data-testid="start">"Start"</button>
            </div>
        </form>
    }
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
