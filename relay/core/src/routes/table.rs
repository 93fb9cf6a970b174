//! The table of routes.

use http::Method;

use super::Handler::{
    Act, Ask, Change, Files, Operations, Output, Read, Relay, Remove, Session, Start, Workspace,
    Write,
};
use super::{Call, Handler, Need, QuestionHandler, Route, Subject};
use super::{
    approvals, changes, files, hosts, login, operations, output, projects, prompts, session,
    sessions, terminals, tmux, workspaces,
};
use crate::legacy;

const GET: Method = Method::GET;
const POST: Method = Method::POST;
const PATCH: Method = Method::PATCH;
const DELETE: Method = Method::DELETE;
const PUT: Method = Method::PUT;

const fn about(
    subject: Subject,
    method: Method,
    path: &'static str,
    need: Need,
    handler: Handler,
) -> Route {
    Route { method, path, subject, need, handler }
}

/// Returns a route whose path has no id.
const fn plain(method: Method, path: &'static str, need: Need, handler: Handler) -> Route {
    about(Subject::Nothing, method, path, need, handler)
}

/// Returns a route about a session.
const fn of_session(method: Method, path: &'static str, need: Need, handler: Handler) -> Route {
    about(Subject::Session, method, path, need, handler)
}

/// Returns a route about a session that may have a longer name.
const fn of_terminal(method: Method, path: &'static str, need: Need, handler: Handler) -> Route {
    about(Subject::Terminal, method, path, need, handler)
}

/// Returns a route about a project.
const fn of_project(method: Method, path: &'static str, need: Need, handler: Handler) -> Route {
    about(Subject::Project, method, path, need, handler)
}

/// Returns a route about a workspace.
const fn of_workspace(method: Method, path: &'static str, need: Need, handler: Handler) -> Route {
    about(Subject::Workspace, method, path, need, handler)
}

/// Returns a route about a token, passkey or host.
const fn of_other(method: Method, path: &'static str, need: Need, handler: Handler) -> Route {
    about(Subject::Other, method, path, need, handler)
}

/// Every route of the API.
pub static ROUTES: &[Route] = &[
    plain(GET, "/healthz", Need::Nothing, Relay(Call::Health)),
    plain(GET, "/metrics", Need::Admin, Relay(Call::Metrics)),
    plain(GET, "/api/openapi.json", Need::Nothing, Relay(Call::Description)),
    plain(GET, "/api/debug/metrics", Need::Admin, Relay(Call::DebugMetrics)),
    // Access.
    plain(GET, "/api/login", Need::Token, Read(login::status)),
    plain(POST, "/api/login", Need::Token, Relay(Call::LogIn)),
    plain(DELETE, "/api/login", Need::Nothing, Relay(Call::LogOut)),
    plain(POST, "/api/tickets", Need::Token, Relay(Call::CreateTicket)),
    plain(GET, "/api/tokens", Need::Admin, Relay(Call::ListTokens)),
    plain(POST, "/api/tokens", Need::Admin, Relay(Call::CreateToken)),
    of_other(PATCH, "/api/tokens/{id}", Need::Admin, Relay(Call::ChangeToken)),
    of_other(DELETE, "/api/tokens/{id}", Need::Admin, Relay(Call::RevokeToken)),
    plain(DELETE, "/api/login/all", Need::Token, Relay(Call::LogOutEverywhere)),
    plain(POST, "/api/login/passkey", Need::Nothing, Relay(Call::LogInByPasskey)),
    plain(POST, "/api/login/passkey/challenge", Need::Nothing, Relay(Call::PasskeyLogin)),
    plain(GET, "/api/passkeys", Need::Token, Relay(Call::ListPasskeys)),
    plain(POST, "/api/passkeys", Need::Token, Relay(Call::AddPasskey)),
    plain(POST, "/api/passkeys/challenge", Need::Token, Relay(Call::PasskeyCreation)),
    of_other(DELETE, "/api/passkeys/{id}", Need::Token, Relay(Call::RemovePasskey)),
    plain(GET, "/api/audit", Need::Admin, Relay(Call::Audit)),
    // Notices.
    plain(GET, "/api/push", Need::Token, Relay(Call::PushKey)),
    plain(POST, "/api/push/subscriptions", Need::Token, Relay(Call::SubscribePush)),
    of_other(DELETE, "/api/push/subscriptions/{id}", Need::Token, Relay(Call::UnsubscribePush)),
    // Hosts.
    plain(GET, "/api/hosts", Need::List, Read(hosts::list)),
    of_other(GET, "/api/hosts/{id}/agents", Need::List, Relay(Call::HostAgents)),
    of_other(GET, "/api/hosts/{id}/tmux", Need::List, Relay(Call::HostTmux)),
    of_other(GET, "/api/hosts/{id}/pods", Need::List, Relay(Call::HostPods)),
    of_other(POST, "/api/hosts/{id}/pods", Need::Admin, Relay(Call::SavePodTemplate)),
    of_other(DELETE, "/api/hosts/{id}/pods", Need::Admin, Relay(Call::RemovePods)),
    of_other(GET, "/api/hosts/{id}/rules", Need::Admin, Relay(Call::HostRules)),
    of_other(DELETE, "/api/hosts/{id}/rules", Need::Admin, Relay(Call::RevokeRule)),
    of_other(GET, "/hosts/{id}/control", Need::Host, Relay(Call::Control)),
    of_session(GET, "/sessions/{id}/publish", Need::Host, Relay(Call::Publish)),
    // Projects.
    plain(GET, "/api/projects", Need::List, Read(projects::list)),
    plain(POST, "/api/projects", Need::Admin, Change(projects::create)),
    of_project(GET, "/api/projects/{id}", Need::Read, Read(projects::get)),
    of_project(PATCH, "/api/projects/{id}", Need::Admin, Change(projects::change)),
    of_project(DELETE, "/api/projects/{id}", Need::Admin, Change(projects::delete)),
    // Sessions.
    plain(GET, "/api/events", Need::List, Relay(Call::ListEvents)),
    plain(GET, "/api/sessions", Need::List, Read(sessions::list)),
    plain(POST, "/api/sessions", Need::Start, Start(sessions::create)),
    of_session(PATCH, "/api/sessions/{id}", Need::Write, Change(sessions::rename)),
    of_session(POST, "/api/sessions/{id}/move", Need::Admin, Change(sessions::move_to)),
    of_session(POST, "/api/sessions/{id}/duplicate", Need::Start, Start(sessions::duplicate)),
    of_session(POST, "/api/sessions/{id}/fork", Need::Start, Relay(Call::Fork)),
    // One session.
    of_session(DELETE, "/api/session/{id}", Need::Write, Remove(session::delete)),
    of_session(GET, "/api/session/{id}/status", Need::Read, Session(session::status)),
    of_session(POST, "/api/session/{id}/prompt", Need::Write, Act(prompts::prompt)),
    of_session(GET, "/api/session/{id}/context", Need::Read, Relay(Call::SessionContext)),
    of_session(GET, "/api/session/{id}/files", Need::Write, Files(files::find)),
    of_session(
        POST,
        "/api/session/{id}/operations/preview",
        Need::Write,
        Operations(operations::preview),
    ),
    of_session(
        POST,
        "/api/session/{id}/operations/execute",
        Need::Write,
        Operations(operations::execute),
    ),
    of_session(GET, "/api/session/{id}/events", Need::Read, Relay(Call::SessionEvents)),
    of_session(GET, "/api/session/{id}/events/status", Need::Read, Session(session::events_status)),
    of_session(GET, "/sessions/{id}/stream", Need::Read, Relay(Call::Stream)),
    // Agents.
    plain(GET, "/acp", Need::Token, Relay(Call::Acp)),
    of_session(GET, "/api/session/{id}/prompts", Need::Read, Session(prompts::list)),
    of_session(PATCH, "/api/session/{id}/prompts/{item}", Need::Write, Act(prompts::change)),
    of_session(DELETE, "/api/session/{id}/prompts/{item}", Need::Write, Act(prompts::withdraw)),
    of_session(POST, "/api/session/{id}/prompts/{item}/retry", Need::Write, Act(prompts::retry)),
    of_session(
        GET,
        "/api/session/{id}/changes",
        Need::Write,
        Ask(QuestionHandler::of_agent(changes::list)),
    ),
    of_session(
        POST,
        "/api/session/{id}/changes",
        Need::Write,
        Ask(QuestionHandler::of_agent(changes::settle)),
    ),
    of_session(
        GET,
        "/api/session/{id}/tmux",
        Need::Read,
        Ask(QuestionHandler::of_tmux(tmux::show)),
    ),
    // It starts and ends sessions beside this one.
    of_session(
        POST,
        "/api/session/{id}/tmux",
        Need::Start,
        Ask(QuestionHandler::of_tmux(tmux::act)),
    ),
    of_session(POST, "/api/session/{id}/stop", Need::Write, Act(prompts::stop)),
    of_session(POST, "/api/session/{id}/config", Need::Write, Act(prompts::configure)),
    of_session(POST, "/api/session/{id}/login", Need::Write, Act(prompts::log_in)),
    // Approvals.
    plain(GET, "/api/approvals", Need::List, Read(approvals::all)),
    of_session(GET, "/api/session/{id}/approvals", Need::Read, Session(approvals::list)),
    of_session(GET, "/api/session/{id}/approvals/{item}", Need::Read, Session(approvals::get)),
    of_session(POST, "/api/session/{id}/approvals/{item}", Need::Write, Act(approvals::decide)),
    of_session(POST, "/api/session/{id}/approvals/{item}/seen", Need::Write, Act(approvals::seen)),
    // Terminals.
    plain(POST, "/api/terminal", Need::Start, Start(terminals::create)),
    of_terminal(DELETE, "/api/terminal/{id}", Need::Write, Remove(terminals::close)),
    of_terminal(GET, "/api/terminal/{id}/output", Need::Read, Output(output::open)),
    of_terminal(POST, "/api/terminal/{id}/input", Need::Write, Write(terminals::input)),
    of_terminal(GET, "/api/terminal/ws/{id}", Need::Read, Relay(Call::Plain)),
    // Workspaces.
    plain(GET, "/api/workspaces", Need::List, Read(workspaces::list)),
    plain(POST, "/api/workspaces", Need::Start, Change(workspaces::create)),
    of_workspace(GET, "/api/workspaces/{id}", Need::Read, Workspace(workspaces::GET)),
    of_workspace(PATCH, "/api/workspaces/{id}", Need::Write, Change(workspaces::rename)),
    of_workspace(DELETE, "/api/workspaces/{id}", Need::Write, Change(workspaces::delete)),
    of_workspace(GET, "/api/workspaces/{id}/files", Need::Read, Workspace(workspaces::TREE)),
    of_workspace(
        GET,
        "/api/workspaces/{id}/files/{path}",
        Need::Read,
        Workspace(workspaces::READ_FILE),
    ),
    of_workspace(
        PUT,
        "/api/workspaces/{id}/files/{path}",
        Need::Write,
        Workspace(workspaces::PUT_FILE),
    ),
    of_workspace(
        DELETE,
        "/api/workspaces/{id}/files/{path}",
        Need::Write,
        Workspace(workspaces::DELETE_FILE),
    ),
    of_workspace(
        POST,
        "/api/workspaces/{id}/rename",
        Need::Write,
        Workspace(workspaces::RENAME_FILE),
    ),
    of_workspace(GET, "/api/workspaces/{id}/archive", Need::Read, Workspace(workspaces::DOWNLOAD)),
    of_workspace(POST, "/api/workspaces/{id}/archive", Need::Write, Workspace(workspaces::UPLOAD)),
    of_workspace(GET, "/api/workspaces/{id}/events", Need::Read, Relay(Call::WorkspaceEvents)),
    of_workspace(POST, "/api/workspaces/{id}/sync", Need::Write, Workspace(workspaces::SYNC)),
    // Deprecated.
    plain(GET, legacy::SESSIONS, Need::List, Read(sessions::list)),
    plain(POST, legacy::SESSIONS, Need::Start, Start(sessions::create)),
    plain(GET, legacy::CHAT, Need::Token, Relay(Call::Chat)),
];
