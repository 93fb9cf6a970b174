//! The state of a workspace's page: its files, as they are now, and what the user does with them.

use gloo_timers::callback::Timeout;
use leptos::prelude::*;
use leptos::task::spawn_local;
use moorline_shared::id::WorkspaceId;
use moorline_shared::message::close;
use moorline_shared::rest::{
    FilesChanged, LoginStatus, RenameFile, WorkspaceDetails, WorkspaceTree,
};
use moorline_shared::sse::SseEvent;
use moorline_shared::workspace::WorkspacePath;

use crate::bindings::chunk::Chunk;
use crate::bindings::files::{FilesCode, SendAnswer, SendBody, SendCall, Sending};
use crate::session::access::PageAccess;
use crate::session::api::{self, ApiRequest};
use crate::session::login;
use crate::session::workspace::{FileRefusal, FileTree, drafts, file_address, refusal};
use crate::session::{EventSubscription, StreamStatus};
use crate::ui::visible::visible_name;

/// Delay after a change before it is asked how full the workspace is, in milliseconds: more may follow.
const DETAILS_MS: u32 = 400;
/// Delay before a failed request is repeated, in milliseconds.
const RETRY_MS: u32 = 3_000;

/// The files, as far as they are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ListingState {
    /// The relay has not answered yet.
    Waiting,
    /// The reason why they cannot be shown.
    Failed(String),
    /// They are shown.
    Listed,
}

/// A question about files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum FilesDialog {
    /// Asks for the name of a new file, in the directory of this path.
    NewFile(String),
    /// Asks for the name of a new directory.
    NewFolder(String),
    /// Asks for another path.
    Rename(WorkspacePath),
    /// Asks whether to delete this.
    Delete(WorkspacePath),
}

/// What is not drawn.
#[derive(Default)]
struct FilesParts {
    stream: Option<EventSubscription>,
    details: Option<Timeout>,
    retry: Option<Timeout>,
}

/// The files of a workspace, and what the user does with them.
#[derive(Clone, Copy)]
pub(super) struct FilesState {
    access: PageAccess,
    id: StoredValue<WorkspaceId>,
    code: StoredValue<FilesCode, LocalStorage>,
    /// The files and directories.
    pub(super) tree: RwSignal<FileTree>,
    /// Whether they are known.
    pub(super) listing: RwSignal<ListingState>,
    /// The workspace, with how full it is; `None` until the relay has answered.
    pub(super) details: RwSignal<Option<WorkspaceDetails>>,
    /// The status of the event stream.
    pub(super) stream: RwSignal<StreamStatus>,
    /// The row that keys and buttons are about.
    pub(super) cursor: RwSignal<Option<WorkspacePath>>,
    /// True if this browser's token may change files; `None` until that is known.
    may_write: RwSignal<Option<bool>>,
    /// The dialog that is open.
    pub(super) dialog: RwSignal<Option<FilesDialog>>,
    /// The reason why the last change failed.
    pub(super) problem: RwSignal<Option<String>>,
    /// A sentence about what was done last.
    pub(super) note: RwSignal<Option<String>>,
    /// The paths with unsaved drafts.
    pub(super) drafts: RwSignal<Vec<String>>,
    own: StoredValue<FilesParts, LocalStorage>,
}

impl FilesState {
    /// Loads the files of a workspace, follows them, and provides them to all components below.
    pub(super) fn provide(id: WorkspaceId, code: FilesCode) -> Self {
        let state = Self {
            access: PageAccess::expect(),
            drafts: RwSignal::new(drafts::list(&id)),
            id: StoredValue::new(id),
            code: StoredValue::new_local(code),
            tree: RwSignal::default(),
            listing: RwSignal::new(ListingState::Waiting),
            details: RwSignal::default(),
            stream: RwSignal::default(),
            cursor: RwSignal::default(),
            may_write: RwSignal::default(),
            dialog: RwSignal::default(),
            problem: RwSignal::default(),
            note: RwSignal::default(),
            own: StoredValue::new_local(FilesParts::default()),
        };
        provide_context(state);
        state.ask_for_rights();
        state.load();
        state
    }

    pub(super) fn expect() -> Self {
        expect_context()
    }

    pub(super) fn id(self) -> WorkspaceId {
        self.id.get_value()
    }

    fn ask_for_rights(self) {
        api::ask(self.access, ApiRequest::get("/api/login".to_owned()), move |answer| {
            // Without an answer, the files do not load either, which is said.
            let status = answer.and_then(|text| api::parse::<LoginStatus>(&text));
            let _ = self.may_write.try_set(status.ok().map(|it| !it.scope.ends_with(":read")));
        });
    }

    /// Returns true if this browser may change files; tracked.
    pub(super) fn may_write(self) -> bool {
        self.may_write.get() == Some(true)
    }

    /// Returns true if this browser may only read them; tracked.
    pub(super) fn is_read_only(self) -> bool {
        self.may_write.get() == Some(false)
    }

    /// Returns true if this browser may change files; not tracked.
    pub(super) fn may_write_now(self) -> bool {
        self.may_write.get_untracked() == Some(true)
    }

    /// Lists all files anew.
    pub(super) fn load(self) {
        let path = format!("/api/workspaces/{}/files", self.id());
        api::ask(self.access, ApiRequest::get(path), move |answer| {
            if self.listing.is_disposed() {
                return;
            }
            match answer.and_then(|text| api::parse::<WorkspaceTree>(&text)) {
                Ok(tree) => {
                    self.listing.set(ListingState::Listed);
                    let revision = tree.revision;
                    self.tree.update(|known| known.apply(tree));
                    self.ask_for_details();
                    self.follow(revision);
                }
                Err(error) => self.fail(&error),
            }
        });
    }

    fn fail(self, error: &api::RequestError) {
        let is_away = *error == api::RequestError::Unreachable;
        if !is_away || self.listing.get_untracked() != ListingState::Listed {
            self.listing.set(ListingState::Failed(error.to_string()));
        }
        if is_away {
            let again = Timeout::new(RETRY_MS, move || self.load());
            self.own.update_value(|own| own.retry = Some(again));
        }
    }

    /// Follows the changes after a revision, unless they are followed already.
    fn follow(self, revision: u64) {
        if self.own.with_value(|own| own.stream.is_some()) {
            return;
        }
        let path = format!("/api/workspaces/{}/events", self.id());
        let stream = EventSubscription::open(
            path,
            Some(revision.to_string()),
            self.access.token(),
            move |event| self.told(&event),
            move |status| self.show_status(status),
        );
        self.own.update_value(|own| own.stream = Some(stream));
    }

    fn show_status(self, status: StreamStatus) {
        match status {
            StreamStatus::Refused { code: close::UNAUTHORIZED } => login::check(self.access),
            // It was deleted, or this token may not see it any more: the list says which.
            StreamStatus::Ended | StreamStatus::Refused { .. } => self.load(),
            _ => {}
        }
        self.stream.set(status);
    }

    /// Dials now, unless the stream is open.
    pub(super) fn retry(self) {
        self.own.with_value(|own| own.stream.iter().for_each(EventSubscription::retry));
    }

    fn told(self, event: &SseEvent) {
        if event.kind != "files-changed" {
            return;
        }
        match serde_json::from_str::<WorkspaceTree>(&event.data) {
            Ok(tree) if !tree.full => {
                self.tree.update(|known| known.apply(tree));
                let ask = Timeout::new(DETAILS_MS, move || self.ask_for_details());
                self.own.update_value(|own| own.details = Some(ask));
            }
            // It does not have everything: all of it is listed anew.
            _ => self.load(),
        }
    }

    fn ask_for_details(self) {
        let request = ApiRequest::get(format!("/api/workspaces/{}", self.id()));
        api::ask(self.access, request, move |answer| {
            if let Ok(details) = answer.and_then(|text| api::parse::<WorkspaceDetails>(&text)) {
                let _ = self.details.try_set(Some(details));
            }
        });
    }

    /// Refreshes the list of drafts.
    pub(super) fn look_for_drafts(self) {
        let now = self.id.try_with_value(drafts::list).unwrap_or_default();
        if self.drafts.try_with_untracked(|known| *known != now) == Some(true) {
            self.drafts.set(now);
        }
    }

    /// Begins a request about a file. `progress` is called with the bytes that were sent or received.
    pub(super) fn begin(
        self,
        method: &'static str,
        path: String,
        headers: Vec<(&'static str, String)>,
        body: SendBody,
        progress: impl FnMut(f64) + 'static,
    ) -> Sending {
        let call = SendCall { method, path, token: self.access.token(), headers, body };
        self.code.with_value(|code| code.send(call, progress))
    }

    /// Reads an answer: the tag and the body, or the reason why it was refused.
    pub(super) fn read(self, answer: SendAnswer) -> Result<(String, Chunk), FileRefusal> {
        let SendAnswer { status, tag, body } = answer;
        match status {
            200..300 => Ok((tag.trim_matches('"').to_owned(), body)),
            401 => {
                self.access.refuse();
                Err(refusal(401, &body.to_vec()))
            }
            status => Err(refusal(u16::try_from(status).unwrap_or(0), &body.to_vec())),
        }
    }

    /// Sends a request about the file at a path, and waits for the answer.
    pub(super) async fn ask(
        self,
        method: &'static str,
        path: &str,
        headers: Vec<(&'static str, String)>,
        body: SendBody,
    ) -> Result<(String, Chunk), FileRefusal> {
        let address = file_address(&self.id(), path);
        let answer = self.begin(method, address, headers, body, |_| {}).answer().await;
        self.read(answer)
    }

    /// Reads the file at a path, and returns its hash and content.
    pub(super) async fn read_file(self, path: &str) -> Result<(String, Chunk), FileRefusal> {
        self.ask("GET", path, Vec::new(), SendBody::Nothing).await
    }

    /// Shows the changes that an answer tells, before their event comes.
    fn show_changes(self, body: &Chunk) {
        if let Ok(changed) = serde_json::from_slice::<FilesChanged>(&body.to_vec()) {
            let _ = self.tree.try_update(|tree| tree.apply_changes(changed.files));
        }
    }

    /// Deletes what is at a path, if it is as the caller knows it.
    pub(super) fn delete(self, path: &WorkspacePath) {
        let name = path.to_string();
        let file = self.tree.with_untracked(|tree| tree.file(path.as_str()).cloned());
        let hash = file.and_then(|file| file.hash);
        let headers = hash.map(|hash| ("if-match", format!("\"{hash}\""))).into_iter().collect();
        spawn_local(async move {
            let outcome = self.ask("DELETE", &name, headers, SendBody::Nothing).await;
            let outcome = outcome.map(|(_, body)| self.show_changes(&body));
            self.finish(outcome, format!("{} is deleted.", visible_name(&name)));
        });
    }

    /// Moves what is at a path to another one, or calls `failed`.
    pub(super) fn rename(
        self,
        path: WorkspacePath,
        to: WorkspacePath,
        done: impl FnOnce(Result<(), FileRefusal>) + 'static,
    ) {
        let address = format!("/api/workspaces/{}/rename", self.id());
        let body = RenameFile { path, to };
        // Paths always encode.
        let text = serde_json::to_string(&body).unwrap_or_default();
        let headers = vec![("content-type", "application/json".to_owned())];
        spawn_local(async move {
            let sending = self.begin("POST", address, headers, SendBody::Text(text), |_| {});
            let outcome = self.read(sending.answer().await);
            done(outcome.map(|(_, body)| self.show_changes(&body)));
        });
    }

    /// Makes an empty file or a directory where nothing is.
    pub(super) fn create(
        self,
        path: &str,
        is_folder: bool,
        done: impl FnOnce(Result<(), FileRefusal>) + 'static,
    ) {
        let kind = if is_folder { "?kind=directory" } else { "" };
        let address = file_address(&self.id(), path) + kind;
        let headers = vec![("if-none-match", "*".to_owned())];
        spawn_local(async move {
            let sending = self.begin("PUT", address, headers, SendBody::Nothing, |_| {});
            let outcome = self.read(sending.answer().await);
            done(outcome.map(|(_, body)| self.show_changes(&body)));
        });
    }

    /// Says how a change went.
    pub(super) fn finish(self, outcome: Result<(), FileRefusal>, done: String) {
        let (problem, note) = match outcome {
            Ok(()) => (None, Some(done)),
            Err(refusal) => (Some(refusal.sentence), None),
        };
        let _ = self.problem.try_set(problem);
        let _ = self.note.try_set(note);
    }

    /// Has the browser store a file, or the whole workspace as an archive if there is no path.
    pub(super) fn download(self, path: Option<&WorkspacePath>) {
        let (address, name) = match path {
            Some(path) => (file_address(&self.id(), path.as_str()), path.name().to_owned()),
            None => {
                let named = self.details.with_untracked(|it| it.as_ref().map(|it| it.name.clone()));
                let name = named.unwrap_or_else(|| self.id().to_string());
                (format!("/api/workspaces/{}/archive", self.id()), format!("{name}.tar"))
            }
        };
        self.note.set(Some(format!("Loading {name}…")));
        spawn_local(async move {
            let told = name.clone();
            let progress = move |bytes: f64| {
                let size = crate::session::words::bytes(bytes as usize);
                let _ = self.note.try_set(Some(format!("Loading {told}: {size}…")));
            };
            let sending = self.begin("GET", address, Vec::new(), SendBody::Nothing, progress);
            let outcome = self.read(sending.answer().await);
            let outcome = outcome.map(|(_, content)| {
                let _ = self.code.try_with_value(|code| code.save(&name, &content));
            });
            self.finish(outcome, format!("{name} was handed to the browser."));
        });
    }

    /// Calls `f` with the code that the browser's files need, unless the page is gone.
    pub(super) fn with_code<T>(self, f: impl FnOnce(&FilesCode) -> T) -> Option<T> {
        self.code.try_with_value(f)
    }
}
