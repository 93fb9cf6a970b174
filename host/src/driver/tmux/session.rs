//! Shows a pane of tmux as a session.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::sync::{Arc, Weak};

use futures_util::future::BoxFuture;
use moorline_shared::failure::HostFailure;
use moorline_shared::session::{ExitReason, Size, TMUX_DRIVER};
use moorline_shared::tmux::{TmuxAnswer, TmuxQuestion, TmuxServer, TmuxSpec};
use serde::{Deserialize, Serialize};

use super::command::{ServerSocket, TmuxError, literal, missing, shell_quoted};
use super::group::{TmuxGroup, WindowCreation};
use super::list::{ListedPane, PaneList};
use super::pane::Pane;
use super::pipe::PipeFactory;
use super::servers::TmuxServers;
use crate::driver::pty::environment::Environment;
use crate::driver::pty::{self, SpawnError};
use crate::driver::{
    Driver, DriverCheckpoint, DriverError, DriverOutput, OutputSource, SessionControl, SessionSpec,
    SnapshotSource, StartedSession, StoredCheckpoint, Survival,
};
use crate::folder::keep_private;

/// The folder of the sockets at which pipes arrive, in the host's folder.
const FOLDER: &str = "tmux";

/// The driver for panes of tmux.
#[derive(Debug)]
pub struct TmuxDriver {
    servers: Arc<TmuxServers>,
    pipes: Arc<PipeFactory>,
}

/// What is stored of a pane's session, to find the pane again.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StoredPane {
    socket: Option<String>,
    pane: String,
    /// The process and the start of the server: a later server numbers its panes anew.
    server: String,
}

/// The reason why a pane cannot be shown.
#[derive(Debug, thiserror::Error)]
enum OpenError {
    #[error("{0}")]
    Tmux(#[from] TmuxError),
    #[error("no tmux server is running on this socket: start one, or open a new tmux session")]
    NoServer,
    #[error("the tmux server has no pane {0}: it may have been closed")]
    NoPane(String),
    #[error("the session {session} shows the pane {pane} already")]
    Open { pane: String, session: String },
    #[error("the program of the pane {0} has ended")]
    Dead(String),
    #[error("the pane's tmux server is not running any more")]
    OtherServer,
    #[error("{0}")]
    Cwd(#[source] SpawnError),
    #[error("the folder for tmux's output cannot be used: {0}")]
    Folder(#[source] io::Error),
}

impl From<OpenError> for DriverError {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Folder(_) => Self::Internal(error.into()),
            _ => Self::Refused(error.into()),
        }
    }
}

impl TmuxDriver {
    /// Creates the driver. `folder` is the host's own folder. Without it, the sockets of pipes are in a
    /// folder among the system's temporary ones. `hand_over` is the program that hands a pipe over, and
    /// its first arguments: with a further option `--socket` and a path, it has to call
    /// [`hand_over`](super::hand_over) with its standard input. Without a program, output comes over
    /// the control stream, which is slower.
    #[must_use]
    pub fn new(folder: Option<&Path>, hand_over: Vec<OsString>) -> Self {
        let folder = match folder {
            Some(folder) => folder.join(FOLDER),
            None => {
                let name = format!("moorline-{}-{}", nix::unistd::geteuid(), std::process::id());
                std::env::temp_dir().join(name)
            }
        };
        let pipes = Arc::new(PipeFactory::new(folder, hand_over));
        Self { servers: TmuxServers::new(Arc::clone(&pipes)), pipes }
    }

    /// Finds the pane of a spec, or creates it. Until the last result is dropped, nobody else opens a
    /// pane that was created.
    async fn find(
        &self,
        spec: &SessionSpec,
    ) -> Result<(ServerSocket, ListedPane, Option<WindowCreation>), OpenError> {
        let wanted = spec.facts.tmux.clone().unwrap_or_default();
        let TmuxSpec { socket, pane, session, new_window } = wanted;
        let server = ServerSocket { socket };
        let listed = PaneList::of(&server).await;
        if let Some(pane) = pane {
            let listed = listed.map_err(no_server)?;
            let session = listed.sessions.iter().find(|it| Some(&it.name) == session.as_ref());
            let found = listed.pane(&pane, session.map(|session| &*session.id));
            let found = found.cloned().ok_or(OpenError::NoPane(pane))?;
            return Ok((server, found, None));
        }
        let existing = session.as_deref().zip(listed.as_ref().ok());
        let existing = existing.and_then(|(name, listed)| listed.active_pane(name));
        let (place, creation) = match existing {
            Some(found) if new_window => {
                let creation = self.servers.group(&server, &found.session);
                let place = NewPlace::Window(&found.session);
                (place, creation.map(TmuxGroup::create_window))
            }
            Some(found) => return Ok((server, found.clone(), None)),
            None => (NewPlace::Session(session.as_deref()), None),
        };
        let created = server.run(&create(spec, &place)?).await?;
        let created = String::from_utf8_lossy(&created).trim().to_owned();
        let found = PaneList::of(&server).await?.pane(&created, None).cloned();
        let found = found.ok_or(OpenError::NoPane(created))?;
        Ok((server, found, creation))
    }

    async fn open(
        &self,
        spec: SessionSpec,
        server: ServerSocket,
        listed: ListedPane,
    ) -> Result<StartedSession, OpenError> {
        keep_private(self.pipes.folder()).map_err(OpenError::Folder)?;
        let pane = listed.shown.id.clone();
        if let Some((_, session)) = self.servers.find(&server, &pane) {
            return Err(OpenError::Open { pane, session: session.to_string() });
        }
        if listed.shown.dead {
            return Err(OpenError::Dead(pane));
        }
        let identity = identity(&server).await?;
        let stored = StoredPane { socket: server.socket.clone(), pane, server: identity };
        let SessionSpec { session_id, opener, cwd, .. } = spec;
        // tmux does not know the folder of a program that has not begun yet.
        let wished = || cwd.map(|cwd| cwd.to_string_lossy().into_owned()).unwrap_or_default();
        let cwd = listed.shown.cwd.clone().unwrap_or_else(wished);
        let shown = self
            .servers
            .join(&server, &listed.session, |group| group.open(&listed, session_id, opener));
        tokio::spawn(Arc::clone(&shown).run());
        let control = PaneControl {
            pane: Arc::clone(&shown),
            server,
            servers: Arc::downgrade(&self.servers),
            checkpoint: serde_json::to_vec(&stored).unwrap_or_default(),
        };
        Ok(StartedSession {
            output: Box::new(PaneOutput {
                pane: shown,
                servers: Arc::clone(&self.servers),
                server: control.server.clone(),
            }),
            control: Arc::new(control),
            snapshots: SnapshotSource::Mirror,
            cwd,
            pid: listed.pid,
            survival: Survival::Reopened,
        })
    }

    async fn reopen(
        &self,
        spec: SessionSpec,
        checkpoint: StoredCheckpoint,
    ) -> Result<StartedSession, OpenError> {
        let stored: StoredPane =
            serde_json::from_slice(&checkpoint.state).map_err(|_| OpenError::OtherServer)?;
        let server = ServerSocket { socket: stored.socket };
        if identity(&server).await.ok().as_ref() != Some(&stored.server) {
            return Err(OpenError::OtherServer);
        }
        let listed = PaneList::of(&server).await.map_err(no_server)?;
        let session = spec.facts.tmux.as_ref().and_then(|tmux| tmux.session.as_ref());
        let session = listed.sessions.iter().find(|it| Some(&it.name) == session);
        let found = listed.pane(&stored.pane, session.map(|session| &*session.id)).cloned();
        let found = found.ok_or(OpenError::NoPane(stored.pane))?;
        self.open(spec, server, found).await
    }
}

fn no_server(error: TmuxError) -> OpenError {
    match error {
        TmuxError::Refused(_) => OpenError::NoServer,
        error => OpenError::Tmux(error),
    }
}

/// Returns what tells a server from others that had its socket before.
async fn identity(server: &ServerSocket) -> Result<String, TmuxError> {
    let arguments = ["display-message", "-p", "#{pid} #{start_time}"].map(OsString::from);
    let said = server.run(&arguments).await?;
    Ok(String::from_utf8_lossy(&said).trim().to_owned())
}

/// Where a pane is created.
enum NewPlace<'a> {
    /// In a new tmux session of this name.
    Session(Option<&'a str>),
    /// In a new window of the tmux session with this id.
    Window(&'a str),
}

/// Returns the command that creates a pane, and prints its id.
fn create(spec: &SessionSpec, place: &NewPlace<'_>) -> Result<Vec<OsString>, OpenError> {
    let SessionSpec { facts, cwd, variables, .. } = spec;
    let command = match place {
        NewPlace::Session(_) => "new-session",
        NewPlace::Window(_) => "new-window",
    };
    let mut arguments: Vec<OsString> =
        [command, "-d", "-P", "-F", "#{pane_id}"].map(Into::into).into();
    match place {
        NewPlace::Session(name) => {
            let Size { cols, rows } = facts.size.clamped();
            arguments.extend(["-x".into(), cols.to_string().into()]);
            arguments.extend(["-y".into(), rows.to_string().into()]);
            let name = name.iter().flat_map(|name| ["-s".into(), literal(name).into()]);
            arguments.extend(name);
        }
        NewPlace::Window(session) => {
            arguments.extend(["-t".into(), format!("{session}:").into()]);
        }
    }
    if let Some(cwd) = cwd {
        let cwd = pty::absolute(cwd, &Environment::of_this_process()).map_err(OpenError::Cwd)?;
        arguments.extend(["-c".into(), literal(&cwd.to_string_lossy()).into()]);
    }
    for (name, value) in facts.env.iter().chain(variables) {
        arguments.extend(["-e".into(), format!("{name}={value}").into()]);
    }
    match &facts.command[..] {
        [] => {}
        // tmux gives a single word to a shell.
        [program] => {
            arguments.extend(["--".into(), format!("exec {}", shell_quoted(program)).into()])
        }
        words => {
            arguments.push("--".into());
            arguments.extend(words.iter().map(Into::into));
        }
    }
    Ok(arguments)
}

impl Driver for TmuxDriver {
    fn name(&self) -> &'static str {
        TMUX_DRIVER
    }

    fn missing(&self) -> Option<String> {
        missing()
    }

    fn tidy(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            self.pipes.sweep();
            self.servers.begin();
        })
    }

    fn tmux_servers(&self) -> BoxFuture<'_, Vec<TmuxServer>> {
        Box::pin(self.servers.list())
    }

    fn start(&self, spec: SessionSpec) -> BoxFuture<'_, Result<StartedSession, DriverError>> {
        Box::pin(async {
            self.servers.begin();
            let (server, listed, _creation) = self.find(&spec).await?;
            Ok(self.open(spec, server, listed).await?)
        })
    }

    fn restore(
        &self,
        spec: SessionSpec,
        checkpoint: StoredCheckpoint,
    ) -> BoxFuture<'_, Result<StartedSession, DriverError>> {
        Box::pin(async { Ok(self.reopen(spec, checkpoint).await?) })
    }
}

/// The output of a pane.
#[derive(Debug)]
struct PaneOutput {
    pane: Arc<Pane>,
    server: ServerSocket,
    servers: Arc<TmuxServers>,
}

impl OutputSource for PaneOutput {
    fn next(&mut self) -> BoxFuture<'_, DriverOutput> {
        Box::pin(async {
            let output = self.pane.next().await;
            if let DriverOutput::End(_) = output {
                self.forget();
            }
            output
        })
    }
}

impl PaneOutput {
    fn forget(&self) {
        if let Some((group, _)) = self.servers.find(&self.server, &self.pane.id) {
            group.forget(&self.pane);
        }
    }
}

impl Drop for PaneOutput {
    fn drop(&mut self) {
        // Nobody reads it any more.
        self.pane.close(ExitReason::PaneClosed);
        self.forget();
    }
}

/// The input of a pane.
#[derive(Debug)]
struct PaneControl {
    pane: Arc<Pane>,
    server: ServerSocket,
    servers: Weak<TmuxServers>,
    checkpoint: Vec<u8>,
}

impl PaneControl {
    fn group(&self) -> Option<Arc<TmuxGroup>> {
        self.servers.upgrade()?.find(&self.server, &self.pane.id).map(|(group, _)| group)
    }
}

impl SessionControl for PaneControl {
    fn write(&self, input: &[u8]) -> io::Result<usize> {
        Ok(self.pane.input.write(input))
    }

    fn writable(&self) -> BoxFuture<'_, bool> {
        Box::pin(self.pane.input.writable())
    }

    fn confirms_input(&self) -> bool {
        true
    }

    fn resize(&self, _: Size) -> io::Result<()> {
        // The terminals that show the pane's window decide.
        Ok(())
    }

    fn checkpoint(&self, _: &BTreeSet<String>) -> DriverCheckpoint {
        DriverCheckpoint { state: self.checkpoint.clone().into(), ..DriverCheckpoint::default() }
    }

    fn watched(&self, watched: bool) {
        if let Some(group) = self.group() {
            group.watched(&self.pane.id, watched);
        }
    }

    fn tmux(&self, question: TmuxQuestion) -> BoxFuture<'static, TmuxAnswer> {
        let (group, pane) = (self.group(), self.pane.id.clone());
        Box::pin(async move {
            match group {
                Some(group) => group.answer(pane, question).await,
                None => HostFailure::new("session_ended", "The session is over.").into(),
            }
        })
    }

    fn close(&self) {
        self.pane.close(ExitReason::PaneClosed);
    }
}
