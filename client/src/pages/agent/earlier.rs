//! Items from before those that the relay's snapshot has. The page loads this part when a conversation
//! has such items, and reads them from the log when the user scrolls to them or presses the button.

use leptos::prelude::*;

use super::state::ConversationState;
use crate::session::conversation::{LogProgress, LogReading, read_log};
use crate::ui::When;
use crate::ui::when::effect;

/// Tells how many items are left out (`text`), and loads them from the log on demand.
pub(super) fn earlier(state: ConversationState, text: Memo<String>) -> AnyView {
    let progress = state.log;
    let reading = StoredValue::new_local(None::<LogReading>);
    let load = move || {
        if matches!(progress.get_untracked(), Some(LogProgress::Reading(_))) {
            return;
        }
        progress.set(Some(LogProgress::Reading(0)));
        let told = move |now| _ = progress.try_set(Some(now));
        reading.set_value(
            state.link().and_then(|link| read_log(link, &state.id(), state.token(), told)),
        );
    };
    // Whoever scrolls there needs no button. After a failure, only the button tries again.
    effect(move || {
        if state.wants_log.get() && progress.get_untracked().is_none() {
            load();
        }
    });
    // Whoever leaves the beginning of the conversation ends the reading.
    on_cleanup(move || {
        if let Some(Some(LogProgress::Reading(_))) = progress.try_get_untracked() {
            progress.set(None);
        }
        let _ = state.wants_log.try_set(false);
    });
    let note = move || match progress.get() {
        None => text.get(),
        Some(LogProgress::Reading(percent)) => format!("Loading earlier items… {percent} %"),
        Some(LogProgress::Read) => format!("{} This page has no room for more.", text.get()),
        Some(LogProgress::Trimmed) => {
            format!("{} The beginning of this session is no longer stored.", text.get())
        }
        Some(LogProgress::Failed) => format!("{} They could not be loaded.", text.get()),
    };
    let can_load = move || matches!(progress.get(), None | Some(LogProgress::Failed));
    view! {
        <p class="row-note" role="status" data-testid="omitted">{note}</p>
        <When condition=can_load>
            <button class="button quiet" data-testid="load-earlier" on:click=move |_| load()>"Load earlier items"</button>
        </When>
    }
    .into_any()
}
