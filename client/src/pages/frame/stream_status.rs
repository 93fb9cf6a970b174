//! Shows whether a page is up to date.

use gloo_timers::callback::Interval;
use leptos::prelude::*;

use crate::bindings::clock;
use crate::session::StreamStatus;
use crate::ui::When;
use crate::ui::when::effect;

/// The state of the event stream that a page depends on.
#[component]
pub fn StreamPill(
    /// The status of the stream.
    #[prop(into)]
    status: Signal<StreamStatus>,
    /// Called to dial at once.
    retry: Callback<()>,
) -> impl IntoView {
    let now = RwSignal::new(clock::now());
    let timer = StoredValue::new_local(None::<Interval>);
    let waits = move || matches!(status.get(), StreamStatus::Waiting { .. });
    effect(move || {
        now.set(clock::now());
        // Replacing the timer ends the previous one.
        timer.set_value(waits().then(|| Interval::new(500, move || now.set(clock::now()))));
    });
    let tone = move || match status.get() {
        StreamStatus::Live => "live",
        StreamStatus::Connecting { attempt: 0 } => "busy",
        StreamStatus::Connecting { .. } | StreamStatus::Waiting { .. } => "away",
        StreamStatus::Ended => "good",
        StreamStatus::Refused { .. } => "bad",
    };
    let text = move || match status.get() {
        StreamStatus::Live => "Live",
        StreamStatus::Connecting { attempt: 0 } => "Connecting…",
        StreamStatus::Connecting { .. } => "Reconnecting…",
        StreamStatus::Waiting { .. } => "Offline",
        StreamStatus::Ended => "Ended",
        StreamStatus::Refused { .. } => "Refused",
    };
    let detail = move || match status.get() {
        StreamStatus::Waiting { until, .. } => {
            let seconds = (until - now.get()).as_millis().div_ceil(1000);
            format!("retry in {seconds} s")
        }
        _ => String::new(),
    };
    view! {
        <div class="status" data-testid="stream" data-tone=tone>
            <span class="status-text" role="status">{move || text()}</span>
            <span class="status-detail" aria-hidden="true">{move || detail()}</span>
            <When condition=waits>
                <button class="status-button" on:click=move |_| retry.run(())>
                    "Retry now"
                </button>
            </When>
        </div>
    }
}
