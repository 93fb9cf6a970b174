//! What a session is made to tell: its events, and what is typed on behalf of the API.

use std::sync::Arc;

use bytes::Bytes;
use moorline_host::marks::ShellState;
use moorline_shared::event::{Activity, Event, Status, kind};
use moorline_shared::frame::Frame;
use moorline_shared::id::{Cursor, Epoch, ProjectId, Seq};
use moorline_shared::log::Entry;
use moorline_shared::publish::{RequestId, WriteRefused};
use moorline_shared::rest::ForkedFrom;
use moorline_shared::session::ExitStatus;
use serde::Serialize;

use super::{SessionHandle, State};
use crate::native::clock::wall_ms;
use crate::native::store::StoreError;

/// As much of a prompt is told in its event (seed 000 §4.1).
const SHOWN_CHARS: usize = 100;
/// What is loaded of a stored log at a time.
const LOAD_BYTES: u64 = 512 * 1024;

/// Ends what a program may have begun on a terminal, on a line of its own and without moving the
/// cursor before that: an unfinished sequence (CAN), the alternate screen (the cursor that it
/// restores is saved right before, for a screen that is not there), origin mode and margins
/// (which send the cursor home), all that a soft reset knows, character sets and attributes,
/// then the modes of keys, mouse, focus, paste and synchronized output.
const PLAIN_SCREEN: &[u8] =
    b"\x18\x1b7\x1b[?1049l\x1b7\x1b[?6l\x1b[r\x1b8\x1b[!p\x1b(B\x0f\x1b[m\x1b[4l\x1b[20l\
    \x1b[?1;9;1000;1002;1003;1004;1005;1006;1015;2004;2026l\x1b[?7;25h\x1b>\x1b[=0u\r\n";

impl SessionHandle {
    /// Types something, and appends the event where it is taken.
    ///
    /// # Errors
    /// [`WriteRefused`]: nothing was typed.
    pub async fn write(
        self: &Arc<Self>,
        data: Bytes,
        event: Option<Event>,
    ) -> Result<(), WriteRefused> {
        let mut changed = self.subscribe();
        let waiting = Waiting { session: self, request: self.ask_to_write(data, event)? };
        loop {
            if let Some(answer) = waiting.answer() {
                return answer;
            }
            // The sender is this handle's own, so it cannot be gone.
            let _ = changed.changed().await;
        }
    }

    fn ask_to_write(
        self: &Arc<Self>,
        data: Bytes,
        event: Option<Event>,
    ) -> Result<RequestId, WriteRefused> {
        let mut state = self.lock();
        let request = state.session.write(data, event)?;
        state.active();
        state.settle();
        Ok(request)
    }

    /// Types a line, or several, as if it were followed by Enter.
    ///
    /// # Errors
    /// [`WriteRefused`]: nothing was typed.
    pub async fn prompt(self: &Arc<Self>, command: &str) -> Result<(), WriteRefused> {
        #[derive(Serialize)]
        struct Sent {
            command: String,
        }
        let mut shown: String = command.chars().take(SHOWN_CHARS).collect();
        if shown.len() < command.len() {
            shown.push_str("...");
        }
        let event =
            Event::new(self.id.clone(), kind::COMMAND_SENT, wall_ms(), Sent { command: shown });
        let typed = command.replace("\r\n", "\r").replace('\n', "\r");
        let enter = if typed.ends_with('\r') { "" } else { "\r" };
        self.write(Bytes::from(typed + enter), Some(event)).await
    }

    /// Appends an event to the log; where the host is away, nothing happens.
    pub fn append(self: &Arc<Self>, event: Event) {
        let mut state = self.lock();
        state.session.append(event);
        state.settle();
    }

    /// Gives the session another name; `None` for its id.
    pub fn rename(self: &Arc<Self>, name: Option<String>) {
        let mut state = self.lock();
        state.session.rename(name.clone().unwrap_or_else(|| self.id.to_string()));
        state.record.name = name;
        state.storing.record_changed();
        state.settle();
    }

    /// The session belongs to this project from now on.
    pub fn move_to(self: &Arc<Self>, project: Option<ProjectId>) {
        let mut state = self.lock();
        state.record.project = project;
        state.storing.record_changed();
        state.settle();
        self.services().listing.send_replace(());
    }

    /// Looks for the oldest retained entry, where that is not in memory: see [`Session::oldest`].
    ///
    /// [`Session::oldest`]: crate::core::session::Session::oldest
    pub async fn find_oldest(self: &Arc<Self>) {
        let (epoch, tail) = {
            let state = self.lock();
            (state.session.log().epoch(), state.session.log().tail())
        };
        if tail <= Seq(1) {
            return;
        }
        let handle = Arc::clone(self);
        let look = move || handle.services.read(|store| store.oldest(&handle.id, epoch));
        match tokio::task::spawn_blocking(look).await.unwrap_or(Err(StoreError::Closed)) {
            Ok(Some(seq)) => self.lock().session.found_oldest(Cursor { epoch, seq }),
            Ok(None) => {}
            Err(error) => tracing::error!(%error, "a stored log cannot be read"),
        }
    }

    /// The stored entries after `after`, some of them, oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn stored_entries(
        self: &Arc<Self>,
        epoch: Epoch,
        after: Seq,
    ) -> Result<Vec<Entry>, StoreError> {
        let handle = Arc::clone(self);
        let load =
            move || handle.services.read(|store| store.load(&handle.id, epoch, after, LOAD_BYTES));
        tokio::task::spawn_blocking(load).await.unwrap_or(Err(StoreError::Closed))
    }
}

/// A request whose answer someone waits for.
struct Waiting<'a> {
    session: &'a Arc<SessionHandle>,
    request: RequestId,
}

impl Waiting<'_> {
    fn answer(&self) -> Option<Result<(), WriteRefused>> {
        let mut state = self.session.lock();
        let answer = state.session.written(self.request);
        answer.or_else(|| state.session.is_deleted().then_some(Err(WriteRefused::Ended)))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.session.lock().session.forget_request(self.request);
    }
}

impl State {
    /// The first entries of a log.
    pub(super) fn tell_created(&mut self) {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Created<'a> {
            mode: &'a str,
            working_dir: Option<&'a str>,
            name: Option<&'a str>,
            command: &'a [String],
        }
        let record = &self.record;
        let fields = Created {
            mode: &record.driver,
            working_dir: record.cwd.as_deref(),
            name: record.name.as_deref(),
            command: &record.command,
        };
        let event = Event::new(record.id.clone(), kind::SESSION_CREATED, wall_ms(), fields);
        self.tell(event);
        self.tell_status();
    }

    /// What was copied ends here. The program that it came from may have left the screen in any
    /// state.
    pub(super) fn tell_forked(&mut self, from: &ForkedFrom) {
        #[derive(Serialize)]
        struct Forked<'a> {
            from: &'a ForkedFrom,
        }
        let id = self.record.id.clone();
        self.tell(Event::new(id, kind::SESSION_FORKED, wall_ms(), Forked { from }));
        let mut reset = Frame::buffer(PLAIN_SCREEN.len());
        reset.extend_from_slice(PLAIN_SCREEN);
        self.append(reset);
    }

    /// What the shell does has changed.
    pub(super) fn tell_status(&mut self) {
        let Some(host) = &self.host else { return };
        let status = Status { pid: Some(host.pid()), ..status_of(&host.shell) };
        self.tell_as(status);
    }

    /// The process ended; nothing follows.
    pub(super) fn tell_exited(&mut self, exit: &ExitStatus) {
        let cwd = self.host.as_ref().and_then(|host| status_of(&host.shell).cwd);
        let status = Status {
            status: Activity::Exited,
            exit_code: exit.code,
            signal: exit.signal.clone(),
            cwd,
            ..Status::default()
        };
        self.tell_as(status);
    }

    fn tell_as(&mut self, mut status: Status) {
        let now = wall_ms();
        status.uptime = now.saturating_sub(self.record.created_at_ms);
        self.tell(Event::new(self.record.id.clone(), kind::SESSION_STATUS, now, status));
    }

    fn tell(&mut self, event: Event) {
        if let Some(host) = &mut self.host {
            let seq = host.publisher.event(event);
            host.painter.count(seq);
        }
    }
}

fn status_of(shell: &ShellState) -> Status {
    use moorline_host::marks::Activity as Shell;
    Status {
        status: match shell.activity() {
            Shell::Running => Activity::Running,
            Shell::Idle => Activity::Idle,
        },
        cwd: shell.cwd().map(str::to_owned),
        exit_code: shell.exit_code(),
        command: shell.command_line().map(str::to_owned),
        ..Status::default()
    }
}
