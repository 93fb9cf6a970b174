//! The list of keyboard shortcuts.

use leptos::prelude::*;

use crate::bindings::keyboard;
use crate::pages::frame::palette::terminal_keys;

type KeyRow = (&'static str, &'static str);

const EVERYWHERE: [KeyRow; 2] = [("Ctrl+K", "All commands"), ("?", "These keys")];
const EVERYWHERE_APPLE: [KeyRow; 2] = [("⌘K", "All commands"), ("?", "These keys")];
const LIST: [KeyRow; 12] = [
    ("n", "New shell"),
    ("c", "Run a command"),
    ("t", "Open from tmux"),
    ("/", "Search"),
    ("j  k", "Down and up"),
    ("Enter", "Open the terminal"),
    ("d", "Show the details"),
    ("x  a", "Select one, all"),
    ("r", "Rename"),
    ("m", "Move to a project"),
    ("Del", "Delete"),
    (".", "More"),
];
const SESSION: [KeyRow; 8] = [
    ("t", "Open the terminal"),
    ("p", "Type a line to send"),
    ("r", "Rename"),
    ("d", "Duplicate"),
    ("f", "Fork"),
    ("m", "Move to a project"),
    ("Del", "Delete"),
    ("l", "All sessions"),
];
const CONVERSATION: [KeyRow; 8] = [
    ("Enter", "Send the prompt"),
    ("Shift+Enter", "New line"),
    ("/  @", "Name a command, a file"),
    ("p", "Type a prompt"),
    ("a", "Go to the next question"),
    ("1 … 9", "Answer the question that has the focus"),
    ("Ctrl+F", "Search"),
    ("l", "All sessions"),
];
const TERMINAL: [KeyRow; 8] = [
    ("Ctrl+Shift+K", "Switch to another session"),
    ("Ctrl+Shift+L", "All sessions"),
    ("Ctrl+Shift+F", "Search"),
    ("Ctrl+Shift+C", "Copy"),
    ("Ctrl+Shift+V", "Paste"),
    ("Ctrl+Shift+> <", "Larger, smaller text"),
    ("Ctrl+Shift+0", "Reset text size"),
    ("Shift+PgUp PgDn", "Scroll"),
];

const TMUX: [KeyRow; 7] = [
    ("Ctrl+Shift+D", "Split right"),
    ("Ctrl+Shift+S", "Split below"),
    ("Ctrl+Shift+Z", "Zoom the pane"),
    ("Ctrl+Shift+X", "Close the pane"),
    ("Ctrl+Shift+O", "Next pane"),
    ("Ctrl+Shift+Y", "Next window"),
    ("Ctrl+Shift+M", "New window"),
];

/// Lists the keyboard shortcuts of all pages.
#[component]
pub fn KeyHelp(
    /// Called to close the dialog.
    close: Callback<()>,
) -> impl IntoView {
    let everywhere: &[KeyRow] = if keyboard::is_apple() { &EVERYWHERE_APPLE } else { &EVERYWHERE };
    let mut terminal = vec![(terminal_keys(), "All commands")];
    terminal.extend(TERMINAL);
    let sections: [(&str, &[KeyRow]); 6] = [
        ("Outside terminals", everywhere),
        ("All sessions", &LIST),
        ("A session", &SESSION),
        ("A conversation", &CONVERSATION),
        ("A terminal", &terminal),
        ("tmux", &TMUX),
    ];
    let sections = sections.map(|(title, rows)| {
        let rows = rows.iter().map(|(keys, what)| {
            view! { <div class="key-row"><dt><kbd>{*keys}</kbd></dt><dd>{*what}</dd></div> }
                .into_any()
        });
        view! {
            <section>
                <h3>{title}</h3>
                <dl>{rows.collect_view()}</dl>
            </section>
        }
    });
    view! {
        <div class="key-help">{sections.collect_view()}</div>
        <div class="actions">
            <button class="button" on:click=move |_| close.run(())>"Close"</button>
        </div>
    }
}
