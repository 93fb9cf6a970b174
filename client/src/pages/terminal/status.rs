//! The state of the session's link, always visible.

use gloo_timers::callback::Interval;
use leptos::prelude::*;
use moorline_shared::session::{ExitReason, ExitStatus, Size};
use moorline_shared::time::Time;

use crate::bindings::clock;
use crate::pages::terminal::state::TerminalState;
use crate::session::words;
use crate::session::{LinkView, SessionView};
use crate::ui::when::effect;
use crate::ui::{Icon, IconName, When};

/// The text and the style of the status.
#[derive(Debug, Clone, PartialEq, Eq)]
struct StatusText {
    /// The style: `live`, `busy`, `away`, `good` or `bad`.
    tone: &'static str,
    /// The text that a screen reader announces.
    state: String,
    /// The text that changes every second and is not announced.
    detail: String,
    /// True if a button offers to retry at once.
    retry: bool,
}

fn say(view: &SessionView, no_network: bool, now: Time) -> StatusText {
    let said = |tone, state: &str, detail: String, retry| StatusText {
        tone,
        state: state.to_owned(),
        detail,
        retry,
    };
    match &view.link {
        LinkView::Connecting if view.offline_since.is_some() => {
            said("away", "Reconnecting…", String::new(), false)
        }
        LinkView::Connecting => said("busy", "Connecting…", String::new(), false),
        _ if view.is_host_away() => said("away", "Host offline", String::new(), false),
        LinkView::CatchingUp { percent } => {
            said("busy", "Catching up", format!("{percent} %"), false)
        }
        LinkView::Live if view.read_only => said("live", "Live, watching", String::new(), false),
        LinkView::Live => said("live", "Live", String::new(), false),
        LinkView::Silent if no_network => said("away", "No network", String::new(), false),
        LinkView::Silent => said("away", "Relay not answering", String::new(), false),
        LinkView::Waiting { .. } if no_network => said("away", "No network", String::new(), true),
        LinkView::Waiting { until, .. } => {
            let seconds = (*until - now).as_millis().div_ceil(1000);
            said("away", "Offline", format!("retry in {seconds} s"), true)
        }
        LinkView::Ended(exit) => {
            let tone = if words::ended_well(exit) { "good" } else { "bad" };
            match (exit, exit.reason) {
                (_, Some(ExitReason::PaneClosed)) => {
                    said(tone, "Pane closed", String::new(), false)
                }
                (_, Some(ExitReason::ServerEnded)) => {
                    said(tone, "tmux server ended", String::new(), false)
                }
                (_, Some(ExitReason::PodFailed)) => said(tone, "Pod failed", String::new(), false),
                // The host came back without it.
                (exit, None) if *exit == ExitStatus::default() => {
                    let gone = if view.is_pane { "Pane gone" } else { "Host gone" };
                    said(tone, gone, String::new(), false)
                }
                _ => said(tone, "Ended", words::exit(exit), false),
            }
        }
        // The page shows the reason.
        LinkView::Refused { .. } => said("bad", "Not connected", String::new(), false),
    }
}

/// Shows the state of the link.
#[component]
pub fn StatusPill() -> impl IntoView {
    let state = TerminalState::expect();
    let now = RwSignal::new(clock::now());
    let timer = StoredValue::new_local(None::<Interval>);
    effect(move || {
        let waiting = state.view.with(|view| matches!(view.link, LinkView::Waiting { .. }));
        now.set(clock::now());
        // Replacing the timer ends the previous one.
        timer.set_value(waiting.then(|| Interval::new(500, move || now.set(clock::now()))));
    });
    let said =
        Memo::new(move |_| state.view.with(|view| say(view, state.no_network.get(), now.get())));
    let since = Memo::new(move |_| {
        let since = state.view.with(|view| match view.link {
            LinkView::Connecting | LinkView::Waiting { .. } => view.offline_since,
            _ => None,
        })?;
        let elapsed = (clock::now() - since).as_millis() as f64;
        Some(clock::local_time(clock::wall_ms() - elapsed))
    });
    let title = move || since.get().map(|since| format!("Offline since {since}"));
    view! {
        <div
            class="status"
            data-testid="status"
            data-tone=move || said.with(|said| said.tone)
            data-state=move || state.view.with(|view| view.link.name())
            title=title
        >
            <span class="status-text" role="status">
                {move || said.with(|said| said.state.clone())}
                <When condition=move || since.get().is_some()>
                    <span class="status-since">" since " {since}</span>
                </When>
            </span>
            <span class="status-detail" aria-hidden="true">
                {move || said.with(|said| said.detail.clone())}
            </span>
            <When condition=move || said.with(|said| said.retry)>
                <button
                    class="status-button"
                    data-testid="retry"
                    on:click=move |_| state.retry()
                >
                    "Retry now"
                </button>
            </When>
        </div>
    }
}

/// Shows typed input that waits.
#[component]
pub fn PendingChip() -> impl IntoView {
    let state = TerminalState::expect();
    // If the host is away, `HostNote` shows this and more.
    let pending = Memo::new(move |_| {
        state.view.with(|view| view.pending.clone().filter(|_| !view.is_host_away()))
    });
    let title = move || {
        pending.get().map(|p| {
            format!("{} of typing waits for the connection and is sent once", words::bytes(p.bytes))
        })
    };
    view! {
        <When condition=move || pending.with(Option::is_some)>
            <div class="chip away" data-testid="pending" role="status" title=title>
                <Icon name=IconName::Keyboard />
                <span class="chip-label">"Will be sent:"</span>
                <code>{move || pending.get().map(|p| p.preview)}</code>
                <button
                    class="chip-button"
                    data-testid="discard"
                    title="Discard unsent typing"
                    aria-label="Discard unsent typing"
                    on:click=move |_| state.discard()
                >
                    <Icon name=IconName::Cross />
                </button>
            </div>
        </When>
    }
}

/// Shows the progress of a large paste.
#[component]
pub fn PasteChip() -> impl IntoView {
    let state = TerminalState::expect();
    let pasting = Memo::new(move |_| state.view.with(|view| view.pasting));
    let percent = move || {
        let progress = pasting.get()?;
        Some(format!("{} %", progress.done * 100 / progress.total.max(1)))
    };
    let title = move || {
        let progress = pasting.get()?;
        let (done, total) = (words::bytes(progress.done), words::bytes(progress.total));
        Some(format!("{done} of {total} pasted; the rest follows as the program reads"))
    };
    view! {
        <When condition=move || pasting.with(Option::is_some)>
            <div class="chip" data-testid="pasting" title=title>
                <span class="chip-label" role="status">"Pasting"</span>
                <span>{percent}</span>
                <button
                    class="chip-button"
                    data-testid="end-paste"
                    title="Stop pasting"
                    aria-label="Stop pasting"
                    on:click=move |_| state.end_paste()
                >
                    <Icon name=IconName::Cross />
                </button>
            </div>
        </When>
    }
}

/// Shows the session's size, if it is not this page's.
#[component]
pub fn SizeChip() -> impl IntoView {
    let state = TerminalState::expect();
    // A host that is away cannot resize its terminal, and the size of a pane is tmux's.
    let foreign =
        |view: &SessionView| view.foreign_size.filter(|_| !view.is_host_away() && !view.is_pane);
    let foreign = Memo::new(move |_| state.view.with(foreign));
    let text = |size: Size| format!("{} × {}", size.cols, size.rows);
    view! {
        <When condition=move || foreign.get().is_some()>
            <button
                class="chip"
                data-testid="size"
                title="Another window sets the size. Type or click to use this window's."
                on:click=move |_| state.take_size()
            >
                <Icon name=IconName::Fit />
                <span>{move || foreign.get().map(text)}</span>
            </button>
        </When>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use moorline_shared::session::Lifecycle;
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn view(link: LinkView) -> SessionView {
        SessionView { link, ..SessionView::default() }
    }

    #[test]
    fn waiting_counts_down_and_offers_to_try_at_once() {
        let waiting = view(LinkView::Waiting { until: Time::from_ms(5_000), attempt: 3 });
        let said = say(&waiting, false, Time::from_ms(1_200));
        assert_eq!((said.detail.as_str(), said.retry), ("retry in 4 s", true));
        assert_eq!(say(&waiting, false, Time::from_ms(9_000)).detail, "retry in 0 s");
        assert_eq!(say(&waiting, true, Time::from_ms(0)).state, "No network");
    }

    #[test]
    fn a_session_whose_host_is_away_is_not_called_live() {
        let mut away = view(LinkView::Live);
        assert_eq!(say(&away, false, Time::default()).tone, "live");
        away.lifecycle = Some(Lifecycle::Detached);
        for link in [LinkView::Live, LinkView::CatchingUp { percent: 5 }] {
            away.link = link;
            let said = say(&away, false, Time::default());
            assert_eq!((said.tone, said.state.as_str()), ("away", "Host offline"));
        }
        // Then nothing is known of the host.
        away.link = LinkView::Waiting { until: Time::from_ms(1), attempt: 1 };
        assert_eq!(say(&away, false, Time::default()).state, "Offline");
        let lost = view(LinkView::Ended(ExitStatus::default()));
        assert_eq!(say(&lost, false, Time::default()).state, "Host gone");
        for (reason, state) in [
            (ExitReason::PaneClosed, "Pane closed"),
            (ExitReason::ServerEnded, "tmux server ended"),
            (ExitReason::PodFailed, "Pod failed"),
        ] {
            assert_eq!(
                say(&view(LinkView::Ended(reason.into())), false, Time::default()).state,
                state
            );
        }
    }
}
