//! The list of a server's panes, from which everything about windows and sessions follows.

use std::path::PathBuf;

use moorline_shared::limits::NAME_CHARACTERS;
use moorline_shared::name::bounded;
use moorline_shared::session::ExitStatus;
use moorline_shared::tmux::{TmuxPane, TmuxSession, TmuxWindow};

use super::command::{ServerSocket, TmuxError};
use crate::signals::signal_name;

/// The format of a line of `list-panes -a`. Its fields are separated by tabs, which no name in tmux
/// has. The folder comes last, because a folder's name may have any character.
pub(super) const FORMAT: &str = "#{session_id}\t#{session_name}\t#{window_id}\t#{window_index}\t\
    #{window_active}\t#{window_zoomed_flag}\t#{window_width}\t#{window_height}\t#{pane_id}\t\
    #{pane_left}\t#{pane_top}\t#{pane_width}\t#{pane_height}\t#{pane_active}\t#{pane_dead}\t\
    #{pane_dead_status}\t#{pane_dead_signal}\t#{pane_pipe}\t#{@moorline_pipe}\t#{pane_pid}\t#{window_name}\t\
    #{pane_current_command}\t#{pane_title}\t#{pane_current_path}";

/// The format of a line of `list-clients`.
pub(super) const CLIENT_FORMAT: &str = "#{session_id}\t#{client_control_mode}";

/// A pane of a list, with what users are not shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ListedPane {
    /// The session that it is in. A window may be in several.
    pub(super) session: String,
    /// As users see it.
    pub(super) shown: TmuxPane,
    /// How its program has ended, if `shown.dead`.
    pub(super) exit: ExitStatus,
    /// True if its output goes to a pipe.
    pub(super) has_pipe: bool,
    /// The socket at which a pipe has arrived that a host has opened, now or before.
    pub(super) own_pipe: Option<PathBuf>,
    /// The id of its program's process.
    pub(super) pid: Option<u32>,
}

/// All panes of a server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct PaneList {
    /// The sessions with their windows and panes, in tmux's order.
    pub(super) sessions: Vec<TmuxSession>,
    /// Every pane in every session that has it.
    pub(super) panes: Vec<ListedPane>,
}

impl PaneList {
    /// Reads the lines of `list-panes -a` with [`FORMAT`]. Others are left out, such as the rest of a
    /// folder's name with a line break.
    pub(super) fn read(lines: &[impl AsRef<[u8]>]) -> Self {
        let mut list = Self::default();
        for line in lines {
            let line = String::from_utf8_lossy(line.as_ref());
            if list.add(&line).is_none() && !line.is_empty() {
                tracing::debug!("a line of the list of panes cannot be read");
            }
        }
        list
    }

    fn add(&mut self, line: &str) -> Option<()> {
        let fields: Vec<&str> = line.splitn(24, '\t').collect();
        let [
            session,
            session_name,
            window,
            index,
            active,
            zoomed,
            cols,
            rows,
            pane,
            left,
            top,
            pane_cols,
            pane_rows,
            pane_active,
            dead,
            status,
            signal,
            pipe,
            own_pipe,
            pid,
            window_name,
            command,
            title,
            cwd,
        ] = fields.try_into().ok()?;
        let is = |flag: &str| flag == "1";
        let shown = TmuxPane {
            id: pane.to_owned(),
            session_id: None,
            left: left.parse().ok()?,
            top: top.parse().ok()?,
            cols: pane_cols.parse().ok()?,
            rows: pane_rows.parse().ok()?,
            active: is(pane_active),
            dead: is(dead),
            title: bounded(title, NAME_CHARACTERS),
            command: bounded(command, NAME_CHARACTERS),
            cwd: (!cwd.is_empty()).then(|| cwd.to_owned()),
        };
        let listed = ListedPane {
            session: session.to_owned(),
            exit: ExitStatus {
                code: status.parse().ok(),
                signal: signal.parse().ok().map(signal_name),
                reason: None,
            },
            has_pipe: is(pipe),
            own_pipe: (!own_pipe.is_empty()).then(|| own_pipe.into()),
            pid: pid.parse().ok(),
            shown: shown.clone(),
        };
        let sessions = &mut self.sessions;
        if sessions.last().is_none_or(|last| last.id != session) {
            let (id, name) = (session.to_owned(), bounded(session_name, NAME_CHARACTERS));
            sessions.push(TmuxSession { id, name, ..TmuxSession::default() });
        }
        let windows = &mut sessions.last_mut()?.windows;
        if windows.last().is_none_or(|last| last.id != window) {
            windows.push(TmuxWindow {
                id: window.to_owned(),
                index: index.parse().ok()?,
                name: bounded(window_name, NAME_CHARACTERS),
                active: is(active),
                zoomed: is(zoomed),
                cols: cols.parse().ok()?,
                rows: rows.parse().ok()?,
                fitted: false,
                panes: Vec::new(),
            });
        }
        windows.last_mut()?.panes.push(shown);
        self.panes.push(listed);
        Some(())
    }

    /// Lists the panes of a server by a command of its own.
    ///
    /// # Errors
    /// Those of [`ServerSocket::run`].
    pub(super) async fn of(server: &ServerSocket) -> Result<Self, TmuxError> {
        let output = server.run(&["list-panes", "-a", "-F", FORMAT].map(Into::into)).await?;
        Ok(Self::read(&lines(&output)))
    }

    /// Counts the terminals that are attached to each session of a server by a command of its own.
    ///
    /// # Errors
    /// Those of [`ServerSocket::run`].
    pub(super) async fn count_clients_of(
        &mut self,
        server: &ServerSocket,
    ) -> Result<(), TmuxError> {
        let output = server.run(&["list-clients", "-F", CLIENT_FORMAT].map(Into::into)).await?;
        self.count_clients(&lines(&output));
        Ok(())
    }

    /// Counts the terminals that are attached to each session, from the lines of `list-clients` with
    /// [`CLIENT_FORMAT`]. Clients in control mode show nothing to anyone.
    pub(super) fn count_clients(&mut self, lines: &[impl AsRef<[u8]>]) {
        for line in lines {
            let line = String::from_utf8_lossy(line.as_ref());
            let Some((id, "0")) = line.split_once('\t') else { continue };
            if let Some(session) = self.sessions.iter_mut().find(|session| session.id == id) {
                session.attached += 1;
            }
        }
    }

    /// Returns a pane, in `session` if it is there, else in the first session that has it.
    pub(super) fn pane(&self, pane: &str, session: Option<&str>) -> Option<&ListedPane> {
        let mut found = self.panes.iter().filter(|listed| listed.shown.id == pane);
        let first = found.clone().next();
        found.find(|listed| Some(&*listed.session) == session).or(first)
    }

    /// Returns the active pane of the session with this name.
    pub(super) fn active_pane(&self, name: &str) -> Option<&ListedPane> {
        let session = self.sessions.iter().find(|session| session.name == name)?;
        let window = session.windows.iter().find(|window| window.active)?;
        let pane = window.panes.iter().find(|pane| pane.active)?;
        self.pane(&pane.id, Some(&session.id))
    }
}

fn lines(output: &[u8]) -> Vec<&[u8]> {
    output.split(|byte| *byte == b'\n').collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two panes beside each other in one window, and a dead one in a second, as 3.3a lists them.
    const LINES: [&str; 4] = [
        "$0\twork\t@0\t0\t0\t0\t80\t24\t%0\t0\t0\t40\t24\t0\t0\t\t\t1\t/x.pipe\t11\tvi\tvim\tx.rs\t/srv/a\tb",
        "$0\twork\t@0\t0\t0\t0\t80\t24\t%1\t41\t0\t39\t24\t1\t0\t\t\t0\t\t12\tvi\tsh\tvm\t/",
        "c",
        "$0\twork\t@1\t1\t1\t1\t80\t24\t%2\t0\t0\t80\t24\t1\t1\t3\t\t0\t\t13\tmake\tmake\tvm\t",
    ];

    #[test]
    fn a_list_is_read_into_windows_and_panes() {
        let mut list = PaneList::read(&LINES);
        list.count_clients(&["$0\t0", "$0\t1", "$9\t0"]);
        let [session] = &list.sessions[..] else { panic!("{list:?}") };
        assert_eq!((&*session.name, session.attached, session.windows.len()), ("work", 1, 2));
        let [first, second] = &session.windows[..] else { panic!() };
        assert_eq!(
            (&*first.name, first.active, first.zoomed, first.cols),
            ("vi", false, false, 80)
        );
        assert_eq!((second.index, second.active, second.zoomed), (1, true, true));
        let vim = list.pane("%0", None).unwrap();
        assert!(vim.has_pipe && !vim.shown.dead);
        assert_eq!(vim.own_pipe.as_deref(), Some("/x.pipe".as_ref()));
        assert_eq!(vim.shown.cwd.as_deref(), Some("/srv/a\tb"), "a folder may have a tab");
        assert_eq!((vim.pid, &*vim.shown.command), (Some(11), "vim"));
        let dead = list.pane("%2", Some("$0")).unwrap();
        assert_eq!((dead.shown.dead, dead.exit.code), (true, Some(3)));
        assert_eq!(list.active_pane("work").unwrap().shown.id, "%2");
        assert_eq!((list.pane("%9", None), list.active_pane("x")), (None, None));
    }

    #[test]
    fn a_pane_is_looked_for_in_its_own_session_first() {
        let linked = LINES[1].replace("$0\twork", "$3\tother");
        let list = PaneList::read(&[LINES[1], &linked]);
        let session = |of| list.pane("%1", of).unwrap().session.clone();
        assert_eq!(
            (session(Some("$3")), session(Some("$7")), session(None)),
            ("$3".into(), "$0".into(), "$0".into())
        );
    }
}
