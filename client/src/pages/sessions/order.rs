//! Selects and orders the sessions that a list shows.

use std::sync::Arc;

use moorline_shared::id::SessionId;
use moorline_shared::rest::SessionSummary;

use crate::bindings::page;
use crate::session::catalogue::Sessions;
use crate::session::route::Shelf;
use crate::session::words;
use crate::ui::sort::sorted;

/// The order of a list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Sort {
    /// The latest activity first.
    #[default]
    Activity,
    /// The newest session first.
    Created,
    /// In order of their names.
    Name,
    /// Running commands first, then waiting shells.
    Status,
}

impl Sort {
    pub(super) const ALL: [Self; 4] = [Self::Activity, Self::Created, Self::Name, Self::Status];

    /// Returns the name under which the order is stored.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Activity => "activity",
            Self::Created => "created",
            Self::Name => "name",
            Self::Status => "status",
        }
    }

    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Activity => "Last activity",
            Self::Created => "Newest",
            Self::Name => "Name",
            Self::Status => "Status",
        }
    }

    /// Returns the order with this name, or the default for any other name.
    pub(super) fn from_name(name: &str) -> Self {
        Self::ALL.into_iter().find(|sort| sort.name() == name).unwrap_or_default()
    }
}

/// Returns the sessions of a shelf that contain `wanted`, in order.
pub(super) fn arrange(
    sessions: &Sessions,
    shelf: &Shelf,
    wanted: &str,
    sort: Sort,
) -> Vec<Arc<SessionSummary>> {
    let wanted = page::lowercase(wanted.trim());
    let of_shelf = sessions.iter().filter(|session| shelf.holds(session.project.as_ref()));
    let found: Vec<_> =
        of_shelf.filter(|session| contains(session, &wanted)).map(Arc::clone).collect();
    // All times of a relay have the same format, so they compare as text. The id decides between
    // equals, so that the order does not change by itself.
    let mut found = sorted(&found, |session| {
        let key = match sort {
            Sort::Activity => session.last_activity.clone(),
            Sort::Created => session.created_at.clone(),
            Sort::Name => page::lowercase(&words::name(session)),
            Sort::Status => format!("{} {}", words::rank(session), words::name(session)),
        };
        key + " " + session.session_id.as_str()
    });
    if matches!(sort, Sort::Activity | Sort::Created) {
        found.reverse();
    }
    gathered(found)
}

/// Gathers the panes of each tmux session at the place of its first one.
fn gathered(found: Vec<Arc<SessionSummary>>) -> Vec<Arc<SessionSummary>> {
    let mut groups: Vec<(Option<String>, Vec<Arc<SessionSummary>>)> = Vec::new();
    for session in found {
        let key = tmux_key(&session);
        let known = groups.iter_mut().find(|(known, _)| key.is_some() && *known == key);
        match known {
            Some((_, group)) => group.push(session),
            None => groups.push((key, vec![session])),
        }
    }
    groups.into_iter().flat_map(|(_, group)| group).collect()
}

/// Returns what the panes of one tmux session have in common, and no others: its host, its server and
/// its name. `None` for other sessions.
fn tmux_key(session: &SessionSummary) -> Option<String> {
    let tmux = session.tmux.as_ref()?;
    let host = session.host.as_ref().map(ToString::to_string).unwrap_or_default();
    let socket = tmux.socket.as_deref().unwrap_or_default();
    Some(format!("{host} {socket} {}", tmux.session.as_ref()?))
}

/// A row of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RowPlace {
    pub(super) id: SessionId,
    /// True if the session is in the group of those that are over.
    pub(super) is_over: bool,
    /// The tmux session of a pane, so that its panes stand together.
    pub(super) tmux: Option<String>,
}

impl RowPlace {
    pub(super) fn of(session: &SessionSummary) -> Self {
        let (id, tmux) = (session.session_id.clone(), tmux_key(session));
        Self { id, is_over: session.lifecycle.is_over(), tmux }
    }
}

/// The mark of the row that heads the panes of a tmux session, before the id of the first one.
pub(super) const HEAD: char = '=';
/// The mark of a row below such a head, before its id.
pub(super) const BELOW: char = '+';

/// Returns the rows to show: the ids of the sessions, with a head before several panes of one tmux
/// session. Ids begin with none of the marks.
pub(super) fn rows(places: &[&RowPlace]) -> Vec<String> {
    let groups = places.chunk_by(|one, other| one.tmux.is_some() && one.tmux == other.tmux);
    let mut rows = Vec::new();
    for group in groups {
        let is_group = group.len() > 1;
        if is_group {
            rows.push(format!("{HEAD}{}", group[0].id));
        }
        let mark = |place: &&RowPlace| match is_group {
            true => format!("{BELOW}{}", place.id),
            false => place.id.to_string(),
        };
        rows.extend(group.iter().map(mark));
    }
    rows
}

/// Returns the number of rows of `now` that `before`, the list that is shown, does not have.
pub(super) fn waiting(before: &[RowPlace], now: &[RowPlace]) -> usize {
    now.iter().filter(|new| before.iter().all(|old| old.id != new.id)).count()
}

fn contains(session: &SessionSummary, wanted: &str) -> bool {
    let text = || {
        [
            session.name.as_str(),
            session.session_id.as_str(),
            session.cwd.as_deref().unwrap_or_default(),
            session.running.as_deref().unwrap_or_default(),
            &words::command(&session.command),
            &words::state(session),
        ]
        .join("\n")
    };
    wanted.is_empty() || page::lowercase(&text()).contains(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::catalogue::tests::session;
    use moorline_shared::event::Activity;
    use moorline_shared::session::Lifecycle;
    use moorline_shared::tmux::TmuxSpec;
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn sessions() -> Sessions {
        let make = |id: &str, name: &str, hour: u32, status| SessionSummary {
            name: name.into(),
            created_at: format!("2026-01-01T0{}:00:00.000Z", 9 - hour),
            last_activity: format!("2026-01-01T0{hour}:00:00.000Z"),
            status,
            ..session(id)
        };
        let mut over = make("session3", "Alpha", 3, Activity::Exited);
        over.lifecycle = Lifecycle::Exited;
        let mut moved = make("session2", "beta", 1, Activity::Running);
        moved.project = Some("project1".parse().unwrap());
        moved.cwd = Some("/srv/Äpfel".into());
        let all = [make("session1", "gamma", 2, Activity::Idle), moved, over];
        Sessions::new(all.to_vec())
    }

    fn names(shelf: &Shelf, wanted: &str, sort: Sort) -> Vec<String> {
        let found = arrange(&sessions(), shelf, wanted, sort);
        found.into_iter().map(|session| session.name.clone()).collect()
    }

    #[test]
    fn each_sort_has_its_order() {
        let order = |sort| names(&Shelf::All, "", sort);
        assert_eq!(order(Sort::Activity), ["Alpha", "gamma", "beta"]);
        assert_eq!(order(Sort::Created), ["beta", "gamma", "Alpha"]);
        assert_eq!(order(Sort::Name), ["Alpha", "beta", "gamma"]);
        assert_eq!(order(Sort::Status), ["beta", "gamma", "Alpha"]);
    }

    #[test]
    fn a_shelf_and_a_search_narrow_it_down() {
        let project = Shelf::Project("project1".parse().unwrap());
        assert_eq!(names(&project, "", Sort::Name), ["beta"]);
        assert_eq!(names(&Shelf::Loose, "", Sort::Name), ["Alpha", "gamma"]);
        assert_eq!(names(&Shelf::All, " äPF ", Sort::Name), ["beta"]);
        assert_eq!(names(&Shelf::All, "idle", Sort::Name), ["gamma"]);
        assert_eq!(names(&project, "gamma", Sort::Name), [""; 0]);
    }

    #[test]
    fn the_panes_of_a_tmux_session_stand_together() {
        let pane = |id: &str, tmux: Option<&str>, hour: u32| {
            let tmux =
                tmux.map(|name| TmuxSpec { session: Some(name.to_owned()), ..TmuxSpec::default() });
            let last_activity = format!("2026-01-01T0{hour}:00:00.000Z");
            SessionSummary { tmux, last_activity, ..session(id) }
        };
        let ended = |id: &str, hour| {
            let (lifecycle, pane) = (Lifecycle::Exited, pane(id, Some("work"), hour));
            SessionSummary { lifecycle, ..pane }
        };
        let all = Sessions::new(vec![
            pane("session1", Some("work"), 9),
            pane("session2", None, 8),
            pane("session3", Some("home"), 7),
            pane("session4", Some("work"), 6),
            pane("session5", None, 5),
            ended("session6", 4),
            ended("session7", 0),
        ]);
        let found = arrange(&all, &Shelf::All, "", Sort::Activity);
        let ids: Vec<&str> = found.iter().map(|it| &it.session_id.as_str()[7..]).collect();
        assert_eq!(ids, ["1", "4", "6", "7", "2", "3", "5"]);
        let places: Vec<RowPlace> = found.iter().map(|it| RowPlace::of(it)).collect();
        let shown = |is_over| {
            rows(&places.iter().filter(|place| place.is_over == is_over).collect::<Vec<_>>())
        };
        assert_eq!(
            shown(false),
            ["=session1", "+session1", "+session4", "session2", "session3", "session5"]
        );
        assert_eq!(shown(true), ["=session6", "+session6", "+session7"]);
    }

    #[test]
    fn only_new_sessions_wait() {
        let places = |names: &[&str], is_over| -> Vec<RowPlace> {
            let id = |name: &&str| format!("session{name}").parse().unwrap();
            names.iter().map(|name| RowPlace { id: id(name), is_over, tmux: None }).collect()
        };
        let before = places(&["1", "2", "3"], false);
        assert_eq!(waiting(&before, &places(&["3", "4", "1"], true)), 1);
        assert_eq!(waiting(&before, &[]), 0);
    }

    #[test]
    fn sorts_survive_storage() {
        assert!(Sort::ALL.into_iter().all(|sort| Sort::from_name(sort.name()) == sort));
        assert_eq!(Sort::from_name("colour"), Sort::Activity);
    }
}
