//! tmux: the servers, sessions, windows and panes that a host sees, and what a user can do to them.
//!
//! A session of the driver [`TMUX_DRIVER`](crate::session::TMUX_DRIVER) is one pane of a tmux
//! server. The panes of one tmux session form a group: each of their logs reports the group as it
//! is after every change, in the event `tmux-layout`. `docs/TMUX.md` describes what a pane's session
//! does.

use serde::{Deserialize, Serialize};

use crate::failure::HostFailure;
use crate::id::SessionId;
use crate::limits::{
    NAME_CHARACTERS, TMUX_PANES, TMUX_SERVERS, TMUX_SESSIONS, TMUX_TEXT_BYTES, TMUX_WINDOWS,
};
use crate::name::bounded;

/// The pane that a session shows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct TmuxSpec {
    /// The server's socket: a name, as of `tmux -L`, or an absolute path, as of `tmux -S`. Without
    /// it, the user's default server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub socket: Option<String>,
    /// The pane to open, such as `%3`. Without it, the active pane of `session`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pane: Option<String>,
    /// The name of a tmux session. If it does not exist, it is created. Without a name and a pane,
    /// tmux creates a session and names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// True to create a window in `session` if that exists, instead of opening its active pane.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub new_window: bool,
}

/// The reason why a [`TmuxSpec`] names nothing that tmux could have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadTmuxSpec {
    /// The socket is neither a name nor an absolute path.
    #[error("`tmux.socket` is a name without slashes, or an absolute path")]
    Socket,
    /// The pane is not a pane's id.
    #[error("`tmux.pane` is a pane's id, such as %3: `GET /api/hosts/<id>/tmux` lists them")]
    Pane,
    /// tmux changes such a name.
    #[error("`tmux.session` is a name without colons, periods and control characters")]
    Session,
}

impl TmuxSpec {
    /// Checks the texts, without asking a server.
    ///
    /// # Errors
    /// [`BadTmuxSpec`].
    pub fn check(&self) -> Result<(), BadTmuxSpec> {
        let is_text = |text: &str| {
            !text.is_empty() && text.len() <= TMUX_TEXT_BYTES && !text.contains(char::is_control)
        };
        let is_socket =
            |socket: &str| is_text(socket) && (socket.starts_with('/') || !socket.contains('/'));
        if !self.socket.as_deref().is_none_or(is_socket) {
            return Err(BadTmuxSpec::Socket);
        }
        if !self.pane.as_deref().is_none_or(|pane| is_id(pane, '%')) {
            return Err(BadTmuxSpec::Pane);
        }
        let is_name = |name: &str| {
            is_text(name) && !name.contains([':', '.']) && !name.starts_with(['$', '@', '%', '='])
        };
        if !self.session.as_deref().is_none_or(is_name) {
            return Err(BadTmuxSpec::Session);
        }
        Ok(())
    }

    /// Returns the spec if it is valid: a host of another version may send anything.
    #[must_use]
    pub fn cleaned(self) -> Option<Self> {
        self.check().is_ok().then_some(self)
    }
}

/// Returns true if `id` is a tmux id of this kind: the sign, then a number.
#[must_use]
pub fn is_id(id: &str, sign: char) -> bool {
    id.strip_prefix(sign).is_some_and(|number| {
        (1..=10).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// A tmux server of a host's user.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct TmuxServer {
    /// Its socket, as in [`TmuxSpec::socket`]; `None` for the default server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub socket: Option<String>,
    /// Its sessions, by name.
    pub sessions: Vec<TmuxSession>,
}

/// A session of a tmux server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct TmuxSession {
    /// Its id, such as `$1`.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The number of terminals that are attached to it, without Moorline's own connections.
    pub attached: u32,
    /// Its windows, by index.
    pub windows: Vec<TmuxWindow>,
    /// True if windows or panes are left out, because there are too many.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
}

/// A window of a tmux session.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct TmuxWindow {
    /// Its id, such as `@1`.
    pub id: String,
    /// Its index in the session.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// True if it is the session's current window.
    pub active: bool,
    /// True if its active pane covers all others.
    pub zoomed: bool,
    /// Its columns.
    pub cols: u16,
    /// Its rows.
    pub rows: u16,
    /// True if Moorline decides its size, because a user asked for that.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub fitted: bool,
    /// Its panes, by index.
    pub panes: Vec<TmuxPane>,
}

/// A pane of a tmux window.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct TmuxPane {
    /// Its id, such as `%1`. No other pane of the server ever has it.
    pub id: String,
    /// The session that shows it, if it is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_id: Option<SessionId>,
    /// The column of its left edge in the window, from 0.
    pub left: u16,
    /// The row of its top edge in the window, from 0.
    pub top: u16,
    /// Its columns.
    pub cols: u16,
    /// Its rows.
    pub rows: u16,
    /// True if it is the window's active pane.
    pub active: bool,
    /// True if its program has ended and tmux keeps the pane.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub dead: bool,
    /// The title that its program has set.
    pub title: String,
    /// The name of the program in its foreground.
    pub command: String,
    /// The folder of that program, if tmux knows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
}

impl TmuxServer {
    /// Cleans and bounds a list that a host reports, so that it is safe to show.
    #[must_use]
    pub fn cleaned(list: Vec<Self>) -> Vec<Self> {
        list.into_iter().take(TMUX_SERVERS).map(Self::clean).collect()
    }

    fn clean(self) -> Self {
        let socket = self.socket.map(|socket| bounded(&socket, TMUX_TEXT_BYTES));
        let sessions = self.sessions.into_iter().take(TMUX_SESSIONS);
        Self { socket, sessions: sessions.map(TmuxSession::cleaned).collect() }
    }
}

impl TmuxSession {
    /// Cleans and bounds what tmux or a host reports, so that it is safe to show and to keep.
    #[must_use]
    pub fn cleaned(mut self) -> Self {
        let name = |name: &str| bounded(name, NAME_CHARACTERS);
        let panes: usize = self.windows.iter().map(|window| window.panes.len()).sum();
        self.truncated |= self.windows.len() > TMUX_WINDOWS || panes > TMUX_PANES;
        self.name = name(&self.name);
        self.id = name(&self.id);
        self.windows.truncate(TMUX_WINDOWS);
        let mut left = TMUX_PANES;
        for window in &mut self.windows {
            (window.id, window.name) = (name(&window.id), name(&window.name));
            window.panes.truncate(left);
            left -= window.panes.len();
            for pane in &mut window.panes {
                pane.id = name(&pane.id);
                (pane.title, pane.command) = (name(&pane.title), name(&pane.command));
                pane.cwd = pane.cwd.take().map(|cwd| bounded(&cwd, TMUX_TEXT_BYTES));
            }
        }
        self
    }

    /// Returns the window that has a pane, and the pane.
    #[must_use]
    pub fn find(&self, pane: &str) -> Option<(&TmuxWindow, &TmuxPane)> {
        self.windows.iter().find_map(|window| {
            let found = window.panes.iter().find(|found| found.id == pane)?;
            Some((window, found))
        })
    }
}

/// Something that a user does to a tmux session, with ids of its windows and panes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case", rename_all_fields = "camelCase", tag = "action")]
pub enum TmuxAction {
    /// Splits a pane. The new pane becomes the active one.
    Split {
        /// The pane to split.
        pane: String,
        /// Where the new pane goes.
        direction: SplitDirection,
    },
    /// Makes a pane the active one, and its window the current one.
    Select {
        /// The pane.
        pane: String,
    },
    /// Lets a pane cover the whole window, or ends that.
    Zoom {
        /// The pane.
        pane: String,
    },
    /// Opens a pane that no session shows, as a session beside the others.
    Open {
        /// The pane.
        pane: String,
    },
    /// Closes a pane, and ends its program.
    ClosePane {
        /// The pane.
        pane: String,
    },
    /// Creates a window, which becomes the current one.
    NewWindow {
        /// Its name, if it gets one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    },
    /// Makes a window the current one.
    SelectWindow {
        /// The window.
        window: String,
    },
    /// Renames a window.
    RenameWindow {
        /// The window.
        window: String,
        /// Its new name.
        name: String,
    },
    /// Closes a window with all of its panes, and ends their programs.
    CloseWindow {
        /// The window.
        window: String,
    },
    /// Renames the session.
    RenameSession {
        /// Its new name.
        name: String,
    },
    /// Gives a window the size of a page, also in the terminals that show it elsewhere.
    Fit {
        /// The window.
        window: String,
        /// Its new columns.
        cols: u16,
        /// Its new rows.
        rows: u16,
    },
    /// Lets the terminals that show the windows decide their size again.
    Unfit,
}

/// Where a new pane goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum SplitDirection {
    /// To the right of the pane that is split.
    Right,
    /// Below it.
    Below,
}

/// The reason why an action cannot be carried out by any server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadTmuxAction {
    /// It does not name a pane or window.
    #[error("`pane` and `window` are ids such as %3 and @1: `GET /api/session/<id>/tmux` has them")]
    Id,
    /// The name is empty, too long, or has control characters.
    #[error("`name` has 1 to {NAME_CHARACTERS} characters and no control characters")]
    Name,
    /// The session's name has characters that tmux changes.
    #[error("the name of a tmux session has no colons and periods")]
    SessionName,
}

impl TmuxAction {
    /// Checks ids and names, without asking a server.
    ///
    /// # Errors
    /// [`BadTmuxAction`].
    pub fn check(&self) -> Result<(), BadTmuxAction> {
        let is_name = |name: &str| {
            let length = name.chars().count();
            (1..=NAME_CHARACTERS).contains(&length) && !name.contains(char::is_control)
        };
        let (id, name) = match self {
            Self::Split { pane, .. }
            | Self::Select { pane }
            | Self::Zoom { pane }
            | Self::Open { pane }
            | Self::ClosePane { pane } => (is_id(pane, '%'), None),
            Self::SelectWindow { window }
            | Self::CloseWindow { window }
            | Self::Fit { window, .. } => (is_id(window, '@'), None),
            Self::RenameWindow { window, name } => (is_id(window, '@'), Some(name)),
            Self::NewWindow { name } => (true, name.as_ref()),
            Self::RenameSession { name } => {
                if name.contains([':', '.']) {
                    return Err(BadTmuxAction::SessionName);
                }
                (true, Some(name))
            }
            Self::Unfit => (true, None),
        };
        if !id {
            return Err(BadTmuxAction::Id);
        }
        if name.is_none_or(|name| is_name(name)) { Ok(()) } else { Err(BadTmuxAction::Name) }
    }
}

/// A relay's question about tmux to the host of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TmuxQuestion {
    /// Describes the group of the session's pane.
    Show,
    /// Carries out an action, and describes the group as it is then.
    Act(TmuxAction),
}

/// A host's answer to [`TmuxQuestion`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TmuxAnswer {
    /// The group of the session's pane.
    Shown {
        /// The pane that the session shows.
        pane: String,
        /// The tmux session that the pane is in.
        session: TmuxSession,
    },
    /// The question could not be answered: `not_tmux`, `tmux_failed`, `session_ended`.
    Failed(HostFailure),
}

impl From<HostFailure> for TmuxAnswer {
    fn from(failure: HostFailure) -> Self {
        Self::Failed(failure)
    }
}
