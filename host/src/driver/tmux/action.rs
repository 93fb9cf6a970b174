//! What users do to a tmux session, as commands of tmux.

use moorline_shared::session::Size;
use moorline_shared::tmux::{SplitDirection, TmuxAction, TmuxSession};

use super::command::{TmuxError, literal, quoted};

/// Returns the commands that carry out an action in `session`, one after another. `shown` is the
/// session as it was listed last.
///
/// # Errors
/// [`TmuxError::Refused`] if the pane or the window is not in the session.
pub(super) fn commands(
    action: &TmuxAction,
    session: &str,
    shown: &TmuxSession,
) -> Result<Vec<String>, TmuxError> {
    let own_pane = |pane: &str| match shown.find(pane) {
        Some(_) => Ok(()),
        None => Err(TmuxError::Refused(format!("the session has no pane {pane}"))),
    };
    let own_window = |window: &str| match shown.windows.iter().any(|own| own.id == window) {
        true => Ok(()),
        false => Err(TmuxError::Refused(format!("the session has no window {window}"))),
    };
    let session = quoted(session);
    Ok(match action {
        TmuxAction::Split { pane, direction } => {
            own_pane(pane)?;
            let direction = match direction {
                SplitDirection::Right => "-h",
                SplitDirection::Below => "-v",
            };
            vec![format!("split-window {direction} -t {pane} -c '#{{pane_current_path}}'")]
        }
        TmuxAction::Select { pane } => {
            own_pane(pane)?;
            vec![format!("select-window -t {pane}"), format!("select-pane -t {pane}")]
        }
        TmuxAction::Zoom { pane } => {
            own_pane(pane)?;
            vec![format!("resize-pane -Z -t {pane}")]
        }
        TmuxAction::Open { pane } => {
            own_pane(pane)?;
            Vec::new()
        }
        TmuxAction::ClosePane { pane } => {
            own_pane(pane)?;
            vec![format!("kill-pane -t {pane}")]
        }
        TmuxAction::NewWindow { name } => {
            let name = name.iter().map(|name| format!(" -n {}", quoted(&literal(name))));
            vec![format!("new-window -t {session}:{}", name.collect::<String>())]
        }
        TmuxAction::SelectWindow { window } => {
            own_window(window)?;
            vec![format!("select-window -t {window}")]
        }
        TmuxAction::RenameWindow { window, name } => {
            own_window(window)?;
            vec![format!("rename-window -t {window} -- {}", quoted(&literal(name)))]
        }
        TmuxAction::CloseWindow { window } => {
            own_window(window)?;
            vec![format!("kill-window -t {window}")]
        }
        TmuxAction::RenameSession { name } => {
            vec![format!("rename-session -t {session} -- {}", quoted(&literal(name)))]
        }
        TmuxAction::Fit { window, cols, rows } => {
            own_window(window)?;
            let Size { cols, rows } = Size { cols: *cols, rows: *rows }.clamped();
            vec![format!("refresh-client -C {window}:{cols}x{rows}")]
        }
        TmuxAction::Unfit => {
            let fitted = shown.windows.iter().filter(|window| window.fitted);
            fitted.map(|window| format!("refresh-client -C {}:", window.id)).collect()
        }
    })
}

#[cfg(test)]
mod tests {
    use moorline_shared::tmux::{TmuxPane, TmuxWindow};

    use super::*;

    fn shown() -> TmuxSession {
        let pane = TmuxPane { id: "%1".into(), ..TmuxPane::default() };
        let window = TmuxWindow {
            id: "@1".into(),
            panes: vec![pane],
            fitted: true,
            ..TmuxWindow::default()
        };
        TmuxSession { id: "$1".into(), windows: vec![window], ..TmuxSession::default() }
    }

    fn written(action: &TmuxAction) -> Vec<String> {
        commands(action, "$1", &shown()).unwrap()
    }

    #[test]
    fn names_are_taken_literally() {
        let name = "a'b #(touch x) -d".to_owned();
        let rename = TmuxAction::RenameWindow { window: "@1".into(), name: name.clone() };
        let quoted = r#"'a'"'"'b ##(touch x) -d'"#;
        assert_eq!(written(&rename), [format!("rename-window -t @1 -- {quoted}")]);
        let rename = TmuxAction::RenameSession { name: name.clone() };
        assert_eq!(written(&rename), [format!("rename-session -t '$1' -- {quoted}")]);
        let new = TmuxAction::NewWindow { name: Some(name) };
        assert_eq!(written(&new), [format!("new-window -t '$1': -n {quoted}")]);
    }

    #[test]
    fn panes_of_other_sessions_are_left_alone() {
        let pane = || "%2".to_owned();
        let window = || "@2".to_owned();
        for action in [
            TmuxAction::Split { pane: pane(), direction: SplitDirection::Right },
            TmuxAction::Select { pane: pane() },
            TmuxAction::Zoom { pane: pane() },
            TmuxAction::ClosePane { pane: pane() },
            TmuxAction::Open { pane: pane() },
            TmuxAction::SelectWindow { window: window() },
            TmuxAction::RenameWindow { window: window(), name: "x".into() },
            TmuxAction::CloseWindow { window: window() },
            TmuxAction::Fit { window: window(), cols: 80, rows: 24 },
        ] {
            assert!(commands(&action, "$1", &shown()).is_err(), "{action:?}");
        }
        let own = TmuxAction::Split { pane: "%1".into(), direction: SplitDirection::Below };
        assert_eq!(written(&own), ["split-window -v -t %1 -c '#{pane_current_path}'"]);
        assert_eq!(written(&TmuxAction::Unfit), ["refresh-client -C @1:"]);
    }
}
