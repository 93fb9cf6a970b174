//! The dialogs that ask something before tmux is asked for it.

use leptos::html;
use leptos::prelude::*;
use moorline_shared::tmux::TmuxAction;

use super::state::{TmuxAsk, TmuxState};
use crate::session::tmux;
use crate::ui::Field;
use crate::ui::dialog::{Dialog, shown_while};
use crate::ui::field::typed;
use crate::ui::when::live;

/// Shows the dialog that `TmuxState` asks for.
#[component]
pub fn TmuxAsks() -> impl IntoView {
    let state = TmuxState::expect();
    let closed = move || {
        state.asked.set(None);
        state.focus_terminal();
    };
    let open = shown_while(move || state.asked.with(Option::is_some), closed);
    let close = Callback::new(move |()| open.set(false));
    let title = move || state.asked.with(|asked| asked.as_ref().map(title)).unwrap_or_default();
    view! {
        <Dialog open title=Signal::derive(title) name="tmux-dialog">
            {live(move || match state.asked.get() {
                Some(TmuxAsk::RenameWindow(window)) => {
                    let id = window.id.clone();
                    let make = move |name| TmuxAction::RenameWindow { window: id.clone(), name };
                    rename(state, window.name, Callback::new(make), close)
                }
                Some(TmuxAsk::RenameSession) => {
                    let name = state.session.with_untracked(|session| {
                        session.as_ref().map(|session| session.name.clone())
                    });
                    let make = |name| TmuxAction::RenameSession { name };
                    rename(state, name.unwrap_or_default(), Callback::new(make), close)
                }
                Some(TmuxAsk::ClosePane(pane)) => {
                    let action = TmuxAction::ClosePane { pane: pane.id.clone() };
                    verdict(state, tmux::closing_pane(&pane), "Close pane", action, close)
                }
                Some(TmuxAsk::CloseWindow(window)) => {
                    let action = TmuxAction::CloseWindow { window: window.id.clone() };
                    verdict(state, tmux::closing_window(&window), "Close window", action, close)
                }
                None => ().into_any(),
            })}
        </Dialog>
    }
}

fn title(ask: &TmuxAsk) -> String {
    match ask {
        TmuxAsk::RenameWindow(window) => format!("Rename window {}", window.index),
        TmuxAsk::RenameSession => "Rename the tmux session".to_owned(),
        TmuxAsk::ClosePane(pane) => format!("Close the pane of {}?", tmux::pane_name(pane)),
        TmuxAsk::CloseWindow(window) => format!("Close window {}: {}?", window.index, window.name),
    }
}

fn rename(
    state: TmuxState,
    value: String,
    make: Callback<String, TmuxAction>,
    close: Callback<()>,
) -> AnyView {
    let node = NodeRef::<html::Input>::new();
    let problem = RwSignal::new(None::<String>);
    let save = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let action = make.run(typed(node).unwrap_or_default());
        match action.check() {
            Ok(()) => {
                state.act(&action);
                close.run(());
            }
            Err(error) => problem.set(Some(sentence(error))),
        }
    };
    view! {
        <form on:submit=save>
            <Field label="Name" name="tmux-name-field" node value problem first=true />
            <div class="actions">
                <button type="button" class="button" on:click=move |_| close.run(())>"Cancel"</button>
                <button class="button primary" data-testid="tmux-rename">"Rename"</button>
            </div>
        </form>
    }
    .into_any()
}

/// Returns what is wrong with a name, for people.
fn sentence(error: moorline_shared::tmux::BadTmuxAction) -> String {
    use moorline_shared::tmux::BadTmuxAction as Bad;
    match error {
        Bad::SessionName => "A tmux session's name has no colons and periods.".to_owned(),
        Bad::Id | Bad::Name => "The name is empty or too long.".to_owned(),
    }
}

fn verdict(
    state: TmuxState,
    text: String,
    verb: &'static str,
    action: TmuxAction,
    close: Callback<()>,
) -> AnyView {
    let agreed = move |_| {
        state.act(&action);
        close.run(());
    };
    view! {
        <p>{text}</p>
        <div class="actions">
            <button class="button" on:click=move |_| close.run(())>"Keep"</button>
            <button class="button danger" data-testid="tmux-confirm" on:click=agreed>{verb}</button>
        </div>
    }
    .into_any()
}
