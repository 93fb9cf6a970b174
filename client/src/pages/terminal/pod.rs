//! The state of a session's pod.

use leptos::prelude::*;
use moorline_shared::event::{Event, EventKind};

use crate::pages::terminal::state::TerminalState;
use crate::session::words;
use crate::ui::When;

/// Shows the phase of the session's pod, and what it uses, if it has one.
#[component]
pub fn PodChip() -> impl IntoView {
    let state = TerminalState::expect();
    let is_pod = |event: &&Event| event.known_kind() == EventKind::PodStatus;
    let said = Memo::new(move |_| {
        state.layout.with(|event| event.as_ref().filter(is_pod).map(PodWords::of))
    });
    let is_away = move || said.with(|said| said.as_ref().is_some_and(|said| said.is_away));
    let text = move || said.with(|said| said.as_ref().map(|said| said.text.clone()));
    let title = move || said.with(|said| said.as_ref().map(|said| said.title.clone()));
    view! {
        <When condition=move || said.with(Option::is_some)>
            <div class="chip" class:away=is_away data-testid="pod" title=title>
                <span class="chip-label" role="status">{text}</span>
            </div>
        </When>
    }
}

/// The words about a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
struct PodWords {
    text: String,
    title: String,
    /// True if the pod cannot be used now.
    is_away: bool,
}

impl PodWords {
    /// Reads a `pod-status` event. Only these fields, by their names: decoders of whole types are large.
    fn of(event: &Event) -> Self {
        let text = |name: &str| event.fields.get(name).and_then(|value| value.as_str());
        let number = |name: &str| event.fields.get(name).and_then(|value| value.as_u64());
        let phase = text("phase").unwrap_or("pending");
        let is_away = phase != "ready";
        let size = |bytes: u64| words::bytes(usize::try_from(bytes).unwrap_or(usize::MAX));
        let said = match (is_away, number("memoryBytes"), number("memoryLimitBytes")) {
            (false, Some(used), Some(limit)) => format!("Pod: {} of {}", size(used), size(limit)),
            _ if phase == "suspended" => "Pod: suspended, type to resume".to_owned(),
            _ => format!("Pod: {phase}"),
        };
        let mut parts = vec![text("pod").unwrap_or_default().to_owned()];
        parts.extend(text("node").map(|node| format!("on {node}")));
        parts.extend(text("image").map(str::to_owned));
        parts.extend(number("cpuMillis").map(|millis| format!("{millis}m CPU")));
        if event.fields.contains_key("direct") {
            parts.push("the shell ends if the connection is cut".to_owned());
        }
        parts.extend(text("message").map(str::to_owned));
        Self { text: said, title: parts.join(" · "), is_away }
    }
}

#[cfg(test)]
mod tests {
    use moorline_shared::pod::{PodPhase, PodStatus};
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn a_pod_is_described_by_what_matters_now() {
        let words =
            |status: &PodStatus| PodWords::of(&Event::new("session_1".parse().unwrap(), 0, status));
        let pending = PodStatus {
            pod: "exec-a".into(),
            image: "b:1".into(),
            message: Some("no node has room".into()),
            ..PodStatus::default()
        };
        let said = words(&pending);
        assert_eq!((&*said.text, said.is_away), ("Pod: pending", true));
        assert_eq!(said.title, "exec-a · b:1 · no node has room");
        let ready = PodStatus {
            phase: PodPhase::Ready,
            memory_bytes: Some(64 << 20),
            memory_limit_bytes: Some(512 << 20),
            ..pending
        };
        assert_eq!(words(&ready).text, "Pod: 64.0 MB of 512.0 MB");
    }
}
