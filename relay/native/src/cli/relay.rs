//! The command line's client of a relay: it finds the relay and a token, and sends requests.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Method, StatusCode};
use moorline_core::auth::Access;
use moorline_host::dial::{RelayTrust, Token, WebSocketDial};
use moorline_host::workspace::{DialRemote, WorkspaceRemote};
use moorline_shared::control::local_host;
use moorline_shared::id::{SessionId, WorkspaceId};
use moorline_shared::message::Scope;
use moorline_shared::rest::{
    ChangeToken, CreateSession, CreateToken, CreateWorkspace, Created, Done, ErrorBody,
    SessionList, SessionSummary, Ticket, TokenChanged, TokenCreated, TokenSummary,
    WorkspaceChanged, WorkspaceList, WorkspaceSummary,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::DataDir;
use super::credential::{NO_TOKEN, RelayCredential, SessionOpener};
use super::serve::reachable;
use super::trust::TrustOptions;
use super::unreachable::unreachable;
use crate::command_socket::ask_pass;
use crate::data_folder::DataFolder;
use crate::http_client;
use crate::tls::published_fingerprint;

/// The address of a relay that is not known to listen elsewhere.
pub(super) const DEFAULT_URL: &str = "http://127.0.0.1:3010";
/// Time allowed for an answer. A session on a distant host takes a while to start.
const PATIENCE: Duration = Duration::from_secs(30);
/// Limit of the sessions on one page of the list.
const PAGE: usize = 500;

/// Options that name a relay and a token.
#[derive(Debug, clap::Args)]
pub(super) struct RelayOptions {
    /// The relay's address [default: that of this machine's relay]. The address that `serve`
    /// printed may be given, token included.
    #[arg(long, visible_alias = "relay", env = "MOORLINE_URL", value_name = "URL")]
    url: Option<String>,

    /// A token. Without one, the relay is asked by way of its data folder, if that is this user's.
    /// Give it by the environment: every user can see options.
    #[arg(long, env = "MOORLINE_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    token: Option<String>,

    #[command(flatten)]
    trust: TrustOptions,

    #[command(flatten)]
    data_dir: DataDir,
}

/// A relay, and a credential for it.
pub(super) struct Relay {
    url: String,
    /// The certificates that it may have.
    trust: RelayTrust,
    credential: RelayCredential,
    agent: ureq::Agent,
    /// True if it was found by its data folder, so that it runs on this machine.
    is_here: bool,
}

impl RelayOptions {
    /// Finds the relay and a credential for it.
    pub(super) fn connect(&self) -> anyhow::Result<Relay> {
        let (url, of_url) = match self.url.as_deref().map(|url| url.split_once("#token=")) {
            Some(Some((url, token))) => (Some(url), Some(token.to_owned())),
            Some(None) => (self.url.as_deref(), None),
            None => (None, None),
        };
        let token = self.token.clone().or(of_url);
        let folder = self.data_dir.path();
        let told =
            folder.as_ref().ok().and_then(|folder| address(folder)).filter(|_| url.is_none());
        let is_told = told.is_some();
        let ServingAddress { url, trust } = told.unwrap_or_else(|| ServingAddress {
            url: url.unwrap_or(DEFAULT_URL).trim_end_matches('/').to_owned(),
            trust: self.trust.trust(),
        });
        let agent = agent(&url, &trust)?;
        let credential = match token {
            Some(token) => RelayCredential::Given(token),
            // This machine's credential must not be sent to another address.
            None if !is_told && !is_loopback(&url) => bail!(NO_TOKEN),
            None => RelayCredential::own(&folder?)?,
        };
        let is_here = is_told || credential.is_own();
        Ok(Relay { url, trust, credential, agent, is_here })
    }
}

/// Where the relay of a data folder serves, and the certificate by which it is verified.
pub(super) struct ServingAddress {
    pub(super) url: String,
    trust: RelayTrust,
}

fn agent(url: &str, trust: &RelayTrust) -> anyhow::Result<ureq::Agent> {
    http_client::agent(PATIENCE, url.starts_with("https://").then_some(trust))
}

/// Returns the address of the relay that serves from this data folder, if one does.
fn address(folder: &Path) -> Option<ServingAddress> {
    // The folder is not created if it is missing.
    serving_at(&folder.is_dir().then(|| DataFolder::open(folder).ok()).flatten()?)
}

/// Returns the address of the relay that serves from an opened data folder, if one does.
pub(super) fn serving_at(folder: &DataFolder) -> Option<ServingAddress> {
    let serving = folder.serving().ok().flatten()?;
    let url = format!("{}://{}", serving.scheme(), reachable(serving.address?));
    let fingerprint = serving.tls.then(|| published_fingerprint(folder.path())).flatten();
    let trust = fingerprint.map_or(RelayTrust::System, RelayTrust::Certificate);
    Some(ServingAddress { url, trust })
}

fn is_loopback(url: &str) -> bool {
    let Ok(url) = url.parse::<http::Uri>() else { return false };
    let host = url.host().unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    let is_here = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
    url.scheme_str() == Some("http") && is_here
}

/// A relay's refusal of a request.
#[derive(Debug)]
struct RelayRefusal {
    status: StatusCode,
    body: ErrorBody,
}

impl std::fmt::Display for RelayRefusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.body.message {
            Some(message) => write!(f, "{}: {message}", self.body.error),
            None => write!(f, "{} ({})", self.body.error, self.status),
        }
    }
}

impl std::error::Error for RelayRefusal {}

impl Relay {
    /// Connects to the relay that serves from this folder, if one does and gives passes.
    pub(super) fn serving_from(folder: &DataFolder) -> Option<Self> {
        let ServingAddress { url, trust } = serving_at(folder)?;
        let pass = ask_pass(folder.path()).ok()?;
        let credential = RelayCredential::Pass { folder: folder.path().to_owned(), pass };
        let agent = agent(&url, &trust).ok()?;
        Some(Self { url, trust, credential, agent, is_here: true })
    }

    /// The relay's address, without a trailing slash.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// The certificates that it may have.
    pub(super) const fn trust(&self) -> &RelayTrust {
        &self.trust
    }

    /// Returns true if it runs on this machine, so that paths mean the same to both.
    pub(super) const fn is_here(&self) -> bool {
        self.is_here
    }

    /// Returns all sessions, newest first.
    pub(super) fn sessions(&self) -> anyhow::Result<Vec<SessionSummary>> {
        let (mut all, mut cursor) = (Vec::new(), None);
        loop {
            let mut path = format!("/api/sessions?limit={PAGE}");
            if let Some(cursor) = cursor {
                path += &format!("&cursor={cursor}");
            }
            let page: SessionList = self.get(&path)?;
            all.extend(page.sessions);
            match page.next_cursor {
                Some(next) => cursor = Some(next),
                None => return Ok(all),
            }
        }
    }

    /// Finds a session by id or name. A running one takes precedence over those that are over.
    pub(super) fn find(&self, wanted: &str) -> anyhow::Result<SessionId> {
        let id: Option<SessionId> = wanted.parse().ok();
        let sessions = match self.sessions() {
            Ok(sessions) => sessions,
            // A token for one session may not read the list.
            Err(error) => match (id, error.downcast_ref::<RelayRefusal>()) {
                (Some(id), Some(refused)) if refused.status == StatusCode::FORBIDDEN => {
                    return Ok(id);
                }
                _ => return Err(error),
            },
        };
        choose(&sessions, wanted)
    }

    /// Starts a session.
    pub(super) fn create(&self, wanted: &CreateSession) -> anyhow::Result<SessionSummary> {
        let created: Created = self.post("/api/sessions", wanted)?;
        Ok(created.session)
    }

    /// Ends a session and removes it.
    pub(super) fn delete(&self, id: &SessionId) -> anyhow::Result<()> {
        let request = self.agent.delete(format!("{}/api/session/{id}", self.url));
        let _: serde_json::Value =
            self.read(request.header("Authorization", self.bearer()).call())?;
        Ok(())
    }

    /// Posts a JSON body and reads the answer.
    fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> anyhow::Result<T> {
        let request = self.agent.post(format!("{}{path}", self.url));
        self.read(request.header("Authorization", self.bearer()).send_json(body))
    }

    /// Returns all workspaces, by name.
    pub(super) fn workspaces(&self) -> anyhow::Result<Vec<WorkspaceSummary>> {
        self.get::<WorkspaceList>("/api/workspaces").map(|list| list.workspaces)
    }

    /// Finds a workspace by its id or name.
    pub(super) fn find_workspace(&self, wanted: &str) -> anyhow::Result<WorkspaceId> {
        let workspaces = match (self.workspaces(), wanted.parse::<WorkspaceId>()) {
            (Ok(workspaces), _) => workspaces,
            // A token for one session may not read the list.
            (Err(_), Ok(id)) => return Ok(id),
            (Err(error), _) => return Err(error),
        };
        let by_id = workspaces.iter().find(|it| it.id.as_str() == wanted);
        let by_name: Vec<_> = workspaces.iter().filter(|it| it.name == wanted).collect();
        match (by_id, &by_name[..]) {
            (Some(found), _) => Ok(found.id.clone()),
            (None, [found]) => Ok(found.id.clone()),
            (None, []) => {
                bail!("no workspace has the id or name {wanted:?}: see `moorline workspace list`")
            }
            (None, _) => bail!("several workspaces have the name {wanted:?}: give the id of one"),
        }
    }

    /// Creates a workspace.
    pub(super) fn create_workspace(
        &self,
        wanted: &CreateWorkspace,
    ) -> anyhow::Result<WorkspaceSummary> {
        self.post::<WorkspaceChanged>("/api/workspaces", wanted).map(|made| made.workspace)
    }

    /// Deletes a workspace with its files.
    pub(super) fn delete_workspace(&self, id: &WorkspaceId) -> anyhow::Result<()> {
        let request = self.agent.delete(format!("{}/api/workspaces/{id}", self.url));
        let _: WorkspaceChanged =
            self.read(request.header("Authorization", self.bearer()).call())?;
        Ok(())
    }

    /// Returns what syncs folders with a workspace.
    pub(super) fn workspace_remote(
        &self,
        id: &WorkspaceId,
    ) -> anyhow::Result<Arc<dyn WorkspaceRemote>> {
        let token = Token::Fixed(self.credential.secret().to_owned());
        // No host has the id of the relay's own but that one, and nothing here needs one.
        let dial = WebSocketDial::new(self.url.parse()?, &self.trust, local_host(), token)?;
        Ok(Arc::new(DialRemote::new(Arc::new(dial), id)))
    }

    /// Returns a credential for one session that is valid while the session is followed.
    pub(super) fn session_opener(&self, id: &SessionId) -> anyhow::Result<SessionOpener> {
        self.credential.for_session(id)
    }

    /// Returns a credential that is valid until it is dropped, for one session or for all.
    pub(super) fn lasting(
        &self,
        session: Option<&SessionId>,
        label: &str,
    ) -> anyhow::Result<SessionOpener> {
        let of = |id: &SessionId| Access::Session { id: id.clone(), scope: Scope::Write };
        self.credential.lasting(&session.map_or(Access::Admin, of), label)
    }

    /// Sends a request to the API with this bearer token. Returns the status and the body; `None`
    /// if no relay answers.
    pub(super) fn call(
        &self,
        bearer: &str,
        method: &Method,
        path: &str,
        body: Option<String>,
    ) -> Option<(u16, Vec<u8>)> {
        let request = http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url))
            .header(AUTHORIZATION, format!("Bearer {bearer}"))
            .header(CONTENT_TYPE, "application/json");
        let answer = match body {
            Some(body) => self.agent.run(request.body(body).ok()?),
            None => self.agent.run(request.body(()).ok()?),
        };
        let mut answer = answer.ok()?;
        let status = answer.status().as_u16();
        Some((status, answer.body_mut().read_to_vec().ok()?))
    }

    /// Makes a token.
    pub(super) fn create_token(&self, wanted: &CreateToken) -> anyhow::Result<TokenCreated> {
        self.post("/api/tokens", wanted)
    }

    /// Changes a token. Returns `None` if it does not exist.
    pub(super) fn change_token(
        &self,
        id: &str,
        wanted: &ChangeToken,
    ) -> anyhow::Result<Option<TokenSummary>> {
        let Some(address) = self.address_of_token(id) else { return Ok(None) };
        let request = self.agent.patch(address).header("Authorization", self.bearer());
        let changed = existing(self.read::<TokenChanged>(request.send_json(wanted)))?;
        Ok(changed.map(|changed| changed.summary))
    }

    /// Revokes a token. Returns false if it does not exist.
    pub(super) fn revoke_token(&self, id: &str) -> anyhow::Result<bool> {
        let Some(address) = self.address_of_token(id) else { return Ok(false) };
        let request = self.agent.delete(address).header("Authorization", self.bearer());
        Ok(existing(self.read::<Done>(request.call()))?.is_some())
    }

    /// Returns the address of a token; `None` for what cannot be a token's id.
    fn address_of_token(&self, id: &str) -> Option<String> {
        let is_id = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
        is_id.then(|| format!("{}/api/tokens/{id}", self.url))
    }

    /// Makes a code, which is a ticket: it lets one browser in, once and soon.
    pub(super) fn code(&self) -> anyhow::Result<String> {
        if let Some(ticket) = self.credential.ticket()? {
            return Ok(ticket);
        }
        let request = self.agent.post(format!("{}/api/tickets", self.url));
        let bearer = format!("Bearer {}", self.credential.for_ticket()?);
        let answer = request.header("Authorization", bearer).send_empty();
        self.read::<Ticket>(answer).map(|made| made.ticket)
    }

    fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        let request = self.agent.get(format!("{}{path}", self.url));
        self.read(request.header("Authorization", self.bearer()).call())
    }

    fn bearer(&self) -> String {
        format!("Bearer {}", self.credential.secret())
    }

    fn read<T: DeserializeOwned>(
        &self,
        answer: Result<http::Response<ureq::Body>, ureq::Error>,
    ) -> anyhow::Result<T> {
        let mut answer = answer.map_err(|error| unreachable(&self.url, error))?;
        let status = answer.status();
        if status.is_success() {
            return answer.body_mut().read_json().context("the relay's answer is not understood");
        }
        match answer.body_mut().read_json::<ErrorBody>() {
            Ok(body) => Err(RelayRefusal { status, body }.into()),
            Err(_) => bail!("{} answers {status}: is it a relay?", self.url),
        }
    }
}

/// Returns `None` for the answer that something does not exist.
fn existing<T>(answer: anyhow::Result<T>) -> anyhow::Result<Option<T>> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(error) => match error.downcast_ref::<RelayRefusal>() {
            Some(refused) if refused.status == StatusCode::NOT_FOUND => Ok(None),
            _ => Err(error),
        },
    }
}

/// Chooses the session with this id, or the one with this name.
fn choose(sessions: &[SessionSummary], wanted: &str) -> anyhow::Result<SessionId> {
    if let Some(session) = sessions.iter().find(|session| session.session_id.as_str() == wanted) {
        return Ok(session.session_id.clone());
    }
    let named: Vec<_> = sessions.iter().filter(|session| session.name == wanted).collect();
    let running: Vec<_> =
        named.iter().filter(|session| !session.lifecycle.is_over()).copied().collect();
    match if running.is_empty() { named } else { running }.as_slice() {
        [] => bail!("no session has the id or name {wanted:?}: `moorline ls` lists them"),
        [session] => Ok(session.session_id.clone()),
        several => {
            let ids: Vec<_> = several.iter().map(|session| session.session_id.as_str()).collect();
            bail!(
                "{} sessions have the name {wanted:?}: choose by id: {}",
                ids.len(),
                ids.join(", ")
            )
        }
    }
}

/// Returns the absolute path of a local folder. Symbolic links are kept, unless the path has `..`.
pub(super) fn absolute(folder: &Path) -> anyhow::Result<PathBuf> {
    let no_folder = || format!("{} is not a folder", folder.display());
    if folder.components().any(|part| part == Component::ParentDir) {
        return folder.canonicalize().with_context(no_folder);
    }
    let base = current_folder().with_context(no_folder)?;
    std::path::absolute(base.join(folder)).with_context(no_folder)
}

/// Returns the current folder, by the path that the shell uses for it.
pub(super) fn current_folder() -> Option<PathBuf> {
    let real = std::env::current_dir().ok()?;
    let named = std::env::var_os("PWD").map(PathBuf::from).filter(|named| named.is_absolute());
    Some(named.filter(|named| named.canonicalize().is_ok_and(|same| same == real)).unwrap_or(real))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(id: &str, name: &str, lifecycle: &str) -> SessionSummary {
        serde_json::from_value(serde_json::json!({
            "sessionId": id, "name": name, "project": null, "driver": "pty", "command": [],
            "cwd": null, "lifecycle": lifecycle, "status": "idle", "running": null,
            "lastExitCode": null, "exitCode": null, "exitSignal": null, "createdAt": "",
            "lastActivity": "", "clients": 0
        }))
        .unwrap()
    }

    #[test]
    fn a_session_is_found_by_id_or_name() {
        let sessions = [
            session("session-1", "build", "exited"),
            session("session-2", "build", "live"),
            session("session-3", "session-1", "live"),
            session("session-4", "two", "live"),
            session("session-5", "two", "detached"),
            session("session-6", "old", "exited"),
        ];
        let chosen = |wanted: &str| choose(&sessions, wanted).map(|id| id.to_string());
        assert_eq!(chosen("session-1").unwrap(), "session-1", "an id goes before a name");
        assert_eq!(chosen("build").unwrap(), "session-2", "what runs goes before what is over");
        assert_eq!(chosen("old").unwrap(), "session-6");
        let several = chosen("two").unwrap_err().to_string();
        assert!(several.contains("session-4, session-5"), "{several}");
        assert!(chosen("none").unwrap_err().to_string().contains("moorline ls"));
    }

    #[test]
    fn a_token_of_this_machine_stays_on_it() {
        for here in
            ["http://127.0.0.1:3010", "http://localhost:1", "http://[::1]:2", "http://127.9.9.9"]
        {
            assert!(is_loopback(here), "{here}");
        }
        for elsewhere in [
            "http://127.0.0.1.example.org:3010",
            "http://localhost.example.org",
            "https://127.0.0.1:3010",
            "http://192.168.0.1:3010",
            "http://127.0.0.1:x@example.org",
        ] {
            assert!(!is_loopback(elsewhere), "{elsewhere}");
        }
    }
}
