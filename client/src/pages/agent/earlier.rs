//! Items from before those that the relay's snapshot has. The page loads this part when a conversation
//! has such items, and reads them from the log when it is asked to.

use leptos::prelude::*;

use super::state::ConversationState;
use crate::session::conversation::{LogProgress, LogReading, read_log};
use crate::ui::When;

/// Tells how many items are left out (`text`), and loads them from the log on demand.
pub(super) fn earlier(state: ConversationState, text: Memo<String>) -> AnyView {
    let progress = state.log;
    let reading = StoredValue::new_local(None::<LogReading>);
    let load = move |_| {
        progress.set(Some(LogProgress::Reading(0)));
        let told = move |now| _ = progress.try_set(Some(now));
        reading.set_value(
            state.link().and_then(|link| read_log(link, &state.id(), state.token(), told)),
        );
    };
    // Whoever leaves the beginning of the conversation ends the reading.
    on_cleanup(move || {
        if let Some(Some(LogProgress::Reading(_))) = progress.try_get_untracked() {
            progress.set(None);
        }
    });
    let note = move || match progress.get() {
        None => text.get(),
        Some(LogProgress::Reading(percent)) => format!("Reading the log… {percent} %"),
        Some(LogProgress::Read) => format!("{} The page has no room for more.", text.get()),
        Some(LogProgress::Trimmed) => format!("{} It has lost its beginning.", text.get()),
        Some(LogProgress::Failed) => format!("{} It could not be read.", text.get()),
    };
    let can_load = move || matches!(progress.get(), None | Some(LogProgress::Failed));
    view! {
        <p class="row-note" role="status" data-testid="omitted">{note}</p>
        <When condition=can_load>
            <button class="button quiet" data-testid="load-earlier" on:click=load>"Load them"</button>
        </When>
    }
    .into_any()
}
