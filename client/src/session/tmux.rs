//! A tmux session as a page shows it: which window, which panes, and which of them has the focus.
//!
//! The page's focus is a pane of its own: tmux's active pane follows it once the user chooses
//! another one. The page follows tmux when the current window changes, and when the user has done
//! something that makes another pane the active one.

use moorline_shared::id::SessionId;
use moorline_shared::tmux::{TmuxPane, TmuxSession, TmuxWindow};

/// Returns the current window, or the first one.
#[must_use]
pub fn current(session: &TmuxSession) -> Option<&TmuxWindow> {
    session.windows.iter().find(|window| window.active).or(session.windows.first())
}

/// Returns the panes of a window that can be seen: a zoomed one covers all others.
pub fn visible(window: &TmuxWindow) -> impl Iterator<Item = &TmuxPane> {
    window.panes.iter().filter(|pane| !window.zoomed || pane.active)
}

/// Returns the pane of a window in which typing goes, unless the user chooses: the active one.
#[must_use]
pub fn active(window: &TmuxWindow) -> Option<&TmuxPane> {
    window.panes.iter().find(|pane| pane.active).or(window.panes.first())
}

/// Returns the pane that has the focus after a change from `before` to `now`. `follows` is true if
/// the user has done something that makes another pane the active one.
#[must_use]
pub fn refocus(
    before: Option<&TmuxSession>,
    now: &TmuxSession,
    focus: &str,
    follows: bool,
) -> Option<String> {
    let (was, is) = (before.and_then(current), current(now)?);
    let moved = was.is_some_and(|was| was.id != is.id);
    let kept = now.find(focus).filter(|_| !follows && !moved);
    if let Some((window, pane)) = kept {
        let shown = visible(window).any(|seen| seen.id == pane.id);
        return if shown { Some(pane.id.clone()) } else { active(window).map(|it| it.id.clone()) };
    }
    // The window of a pane that was closed stays, unless it was the last one there.
    let window = before.and_then(|before| before.find(focus)).map(|(window, _)| &window.id);
    let window = now.windows.iter().find(|it| !follows && !moved && Some(&it.id) == window);
    active(window.unwrap_or(is)).map(|pane| pane.id.clone())
}

/// Returns the pane that a session shows.
#[must_use]
pub fn pane_of(session: &TmuxSession, id: &SessionId) -> Option<String> {
    let mut panes = session.windows.iter().flat_map(|window| &window.panes);
    panes.find(|pane| pane.session_id.as_ref() == Some(id)).map(|pane| pane.id.clone())
}

/// Returns the pane that is `step` places after `focus` in its window, around its end.
#[must_use]
pub fn neighbour(session: &TmuxSession, focus: &str, step: isize) -> Option<String> {
    let (window, _) = session.find(focus)?;
    let place = window.panes.iter().position(|pane| pane.id == focus)?;
    let next = place.checked_add_signed(step.rem_euclid(window.panes.len() as isize))?;
    window.panes.get(next % window.panes.len()).map(|pane| pane.id.clone())
}

/// Returns the window that is `step` places after that of `focus`, around the end.
#[must_use]
pub fn next_window<'a>(
    session: &'a TmuxSession,
    focus: &str,
    step: isize,
) -> Option<&'a TmuxWindow> {
    let (window, _) = session.find(focus)?;
    let place = session.windows.iter().position(|it| it.id == window.id)?;
    let next = place.checked_add_signed(step.rem_euclid(session.windows.len() as isize))?;
    session.windows.get(next % session.windows.len())
}

/// Returns the name of a pane for lists: its title, if its program has set one, and its program.
#[must_use]
pub fn pane_name(pane: &TmuxPane) -> String {
    if pane.command.is_empty() { pane.id.clone() } else { pane.command.clone() }
}

/// Says what closing a pane does.
#[must_use]
pub fn closing_pane(pane: &TmuxPane) -> String {
    let what = if pane.dead {
        "This removes the pane from tmux, with its output.".to_owned()
    } else {
        format!("This ends {} and closes the pane, also in other terminals.", pane_name(pane))
    };
    what + " To only stop showing it here, delete its session instead: tmux then keeps it."
}

/// Says what closing a window does.
#[must_use]
pub fn closing_window(window: &TmuxWindow) -> String {
    let running: Vec<String> =
        window.panes.iter().filter(|pane| !pane.dead).map(pane_name).collect();
    let what = match running.len() {
        0 => "This closes the window, also in other terminals.".to_owned(),
        _ => format!(
            "This ends {} and closes the window, also in other terminals.",
            running.join(", ")
        ),
    };
    what + " It cannot be undone."
}

/// Returns the size of a window in words.
#[must_use]
pub fn size(cols: u16, rows: u16) -> String {
    format!("{cols} × {rows}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn pane(id: &str, active: bool) -> TmuxPane {
        TmuxPane { id: id.into(), active, command: "sh".into(), ..TmuxPane::default() }
    }

    fn window(id: &str, active: bool, panes: &[(&str, bool)]) -> TmuxWindow {
        let panes = panes.iter().map(|(id, active)| pane(id, *active)).collect();
        TmuxWindow { id: id.into(), active, panes, ..TmuxWindow::default() }
    }

    fn session(windows: &[TmuxWindow]) -> TmuxSession {
        TmuxSession { windows: windows.to_vec(), ..TmuxSession::default() }
    }

    fn two() -> TmuxSession {
        let first = window("@1", true, &[("%1", true), ("%2", false), ("%3", false)]);
        session(&[first, window("@2", false, &[("%4", true)])])
    }

    fn after(before: &TmuxSession, now: &TmuxSession, focus: &str, follows: bool) -> String {
        refocus(Some(before), now, focus, follows).unwrap()
    }

    #[test]
    fn the_focus_stays_while_its_pane_is_seen() {
        let mut moved = two();
        moved.windows[0].panes.swap(0, 2);
        assert_eq!(after(&two(), &moved, "%2", false), "%2");
        assert_eq!(refocus(None, &two(), "%4", false).as_deref(), Some("%4"), "by its address");
        assert_eq!(refocus(None, &two(), "", false).as_deref(), Some("%1"));
        assert_eq!(refocus(None, &TmuxSession::default(), "%1", false), None);
    }

    #[test]
    fn the_focus_follows_tmux_to_another_window_and_after_the_users_own_changes() {
        let mut other = two();
        (other.windows[0].active, other.windows[1].active) = (false, true);
        assert_eq!(after(&two(), &other, "%2", false), "%4");
        let mut split = two();
        split.windows[0].panes[0].active = false;
        split.windows[0].panes.push(pane("%5", true));
        assert_eq!(after(&two(), &split, "%2", true), "%5");
        assert_eq!(after(&two(), &split, "%2", false), "%2", "somebody else's");
    }

    #[test]
    fn a_pane_that_is_gone_or_covered_gives_the_focus_to_the_active_one() {
        let mut closed = two();
        closed.windows[0].panes.remove(1);
        assert_eq!(after(&two(), &closed, "%2", false), "%1");
        let mut zoomed = two();
        zoomed.windows[0].zoomed = true;
        assert_eq!(after(&two(), &zoomed, "%2", false), "%1");
        let seen: Vec<&str> = visible(&zoomed.windows[0]).map(|pane| pane.id.as_str()).collect();
        assert_eq!(seen, ["%1"]);
    }

    #[test]
    fn panes_and_windows_go_around() {
        let to = |focus, step| neighbour(&two(), focus, step).unwrap();
        assert_eq!([to("%1", 1), to("%3", 1), to("%1", -1)], ["%2", "%1", "%3"]);
        assert_eq!(to("%4", 1), "%4");
        assert_eq!(neighbour(&two(), "%9", 1), None);
        let all = two();
        let to = |focus, step| next_window(&all, focus, step).unwrap().id.clone();
        assert_eq!([to("%1", 1), to("%4", 1), to("%2", -1)], ["@2", "@1", "@2"]);
    }

    #[test]
    fn closing_says_what_ends() {
        let live = closing_pane(&pane("%1", true));
        assert!(live.contains("ends sh") && live.contains("tmux then keeps it"), "{live}");
        let dead = closing_pane(&TmuxPane { dead: true, ..pane("%1", true) });
        assert!(!dead.contains("ends"), "{dead}");
        assert!(closing_window(&two().windows[0]).contains("ends sh, sh, sh"));
    }
}
