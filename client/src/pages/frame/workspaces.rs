//! The choice of a workspace for a session.

use leptos::prelude::*;
use moorline_shared::id::WorkspaceId;
use moorline_shared::rest::Project;

use crate::session::access::PageAccess;
use crate::session::api::{self, ApiRequest};
use crate::session::catalogue::Piece;
use crate::ui::field::{Choice, choice};

/// Returns a select box of the workspaces, which is hidden if there are none. Stores the user's choice
/// in `wanted`.
pub fn workspace_choice(wanted: RwSignal<Option<WorkspaceId>>) -> AnyView {
    let known = RwSignal::new(Vec::<Project>::new());
    api::ask(PageAccess::expect(), ApiRequest::get("/api/workspaces".to_owned()), move |answer| {
        // Without an answer, a session can start all the same.
        if let Ok(piece) = answer.and_then(|text| api::parse::<Piece>(&text)) {
            let _ = known.try_set(piece.workspaces);
        }
    });
    let options = move || {
        let option = |value: &str, text: &str| Choice {
            value: value.to_owned(),
            text: text.to_owned(),
            chosen: false,
        };
        let mut all = vec![option("", "None")];
        known.with(|known| all.extend(known.iter().map(|it| option(it.id.as_str(), &it.name))));
        all
    };
    choice("Workspace", "workspace", options, move |value| wanted.set(value.parse().ok()))
}
