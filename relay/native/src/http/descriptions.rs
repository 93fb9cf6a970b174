//! Texts of the API's description: the introduction, and routes that are not plain requests.

/// The introduction.
pub(super) const API: &str = "\
Moorline keeps terminal sessions alive and lets people reach them from a browser.

A session is a program on a terminal. Its output and its events are its **log**: a list of entries \
that are numbered from 1 without gaps by `seq`. The `epoch` names one life of the log.

Every answer that is not a success has the body `ErrorBody`: `error` is for people; `code` is stable, \
for programs. Session and project ids match `^[a-zA-Z0-9_-]{8,32}$`.

A token is sent as `Authorization: Bearer <token>`; `moorline token new` makes one. An admin token \
allows everything; a session's token allows a client to read it, or also to prompt, type, rename and delete it.";

/// `GET /api/session/{id}/events`.
pub(super) const EVENTS: &str = "\
The session's log as [server-sent events](https://html.spec.whatwg.org/multipage/server-sent-events.html). \
`event:` is the type, `id:` is `<epoch>.<seq>`, `data:` is one JSON object with `sessionId`, `type`, \
`timestamp` (when the host appended the entry, in milliseconds since 1970) and the fields of its type:

| event | fields | when |
|---|---|---|
| `connected` | `message`, `epoch`, `head`, `tail`, `from` | first; without an id |
| `gap` | `reason` (`trimmed` with `from` and `to`, or `epoch`), `epoch` | the requested entries are not retained, or belong to another epoch; without an id |
| `session-created` | `mode`, `workingDir`, `name`, `command` | the process was started |
| `session-output` | `seq`, `stream` (`stdout`), `content`; `encoding` if it is `base64` | output; a character is never split |
| `session-status` | `status` (`running`, `idle`, `exited`, `error`), `pid`, `uptime`, `cwd`, `exitCode`, `signal`, `command` | at the start, on change, and, without an id, after 30 seconds without a status or output |
| `session-error` | `error`, `code`, `recoverable` | something went wrong |
| `session-forked` | `from` (`sessionId`, `epoch`, `seq`) | the log began as a copy up to here |
| `command-sent` | `command` (its first 100 characters) | a prompt was typed |
| `operations-detected` | `operations`, `response`, `truncated` | a text with operations was previewed |
| `operations-executed` | `results`, `truncated` | operations were executed |
| `operations-error` | `error`, `code`, `operations`, `truncated` | operations could not be executed |
| `terminal-created` | `terminalId`, `workingDir`, `mode` | a terminal was opened beside the session |
| `terminal-closed` | `terminalId` | it was closed |
| `session-deleted` | | the session was removed; the stream ends; without an id |

Without a position the stream is live. With `Last-Event-ID`, which browsers send automatically, or \
`lastEventId`, it continues after that event; `0` starts with the first retained entry. After 15 seconds \
of silence the relay sends a comment, `: heartbeat`. The stream ends when the session has ended; a client \
that reconnects after that gets 204.";

/// `GET /api/events`.
pub(super) const OVERVIEW: &str = "\
Changes to what `GET /api/sessions` and `GET /api/projects` list, as server-sent events without ids. \
A stream that reconnects starts with the whole list again.

| event | data |
|---|---|
| `sessions` | first: `sessions` (`SessionSummary`), `projects` (`Project`): all of them |
| `session` | `session`: a new or changed one |
| `session-deleted` | `sessionId` |
| `project` | `project`: a new or changed one |
| `project-deleted` | `projectId` |";

/// `GET /sessions/{id}/stream`.
pub(super) const STREAM: &str = "\
A WebSocket for terminals: output as binary frames `[seq: u64, big-endian][data]`, resumed at any entry, \
snapshots of the screen, numbered input. A client offers the subprotocol `moorline.v1` and, if it cannot \
send a header, its token as the subprotocol `moorline.bearer.<token>`. docs/PROTOCOL.md has the whole \
protocol.

Pages are refused by a close code instead of a status: 4401, 4403 or 4404.";

/// `GET /api/terminal/ws/{id}`.
pub(super) const PLAIN: &str = "\
A WebSocket with plain text in both directions: the terminal's output, and what is typed. If the session \
does not exist, it is created if the token allows it. The name in the path may be longer than an id, up to \
128 characters: the session's id is then derived from it, and the session is listed by that name. Errors \
are sent as text, `Error: …` and then `Details: …` on a line of its own, and as the close code.";

/// `GET /claude/api/claude/chat`.
pub(super) const CHAT: &str = "\
A WebSocket with a JSON object in each message. Use `GET /api/session/{id}/events` and \
`POST /api/session/{id}/prompt` instead.

| from | message |
|---|---|
| client | `{\"type\":\"subscribe\",\"sessionId\"}` |
| client | `{\"type\":\"command\",\"sessionId\"?,\"command\"}` |
| relay | `{\"type\":\"connected\"}`, first |
| relay | `{\"type\":\"subscribed\",\"sessionId\",\"session\"}` |
| relay | `{\"type\":\"output\",\"sessionId\",\"data\":{\"type\":\"stdout\",\"content\"}}` |
| relay | `{\"type\":\"status\",…}` and other events |
| relay | `{\"type\":\"error\",\"error\",\"code\"}` |";

/// `GET /hosts/{id}/control`.
pub(super) const CONTROL: &str = "\
A WebSocket with the subprotocol `moorline.host.v1` and a JSON object in each message, for a token of the \
scope `host` or `admin`; pages are refused. The host sends `hello` first: its protocol, version, name, \
drivers and sessions. The relay welcomes or refuses it, and then sends its requests. A newer link of \
the same host replaces an older one, which is closed with 4409. docs/PROTOCOL.md has the \
messages.";

/// `GET /sessions/{id}/publish`.
pub(super) const PUBLISH: &str = "\
A WebSocket with the subprotocol `moorline.host.v1`, for a token of the scope `host` or `admin`; pages are \
refused. The relay opens with `resume`, its cursor; the host answers `resumed` and sends each entry after \
it. `ack` means that an entry is durable. A host whose epoch is older than the published one gets \
`fenced`, and is closed with 4409. docs/PROTOCOL.md has the messages.";

/// `GET /api/workspaces/{id}/events`.
pub(super) const WORKSPACE_EVENTS: &str = "\
Two events: `files-changed` (FilesChangedEvent) with what was changed or deleted, in that order, and \
`files-conflict` (FilesConflictEvent) for a file that was put beside another because its writer had not seen \
that one. The id of `files-changed` is the revision: the stream resumes after `Last-Event-ID`, or after the \
`since` of the query, and otherwise begins with the next change. If `full` is true, the workspace does not \
remember all changes since: list its files anew.";

/// `GET /acp`.
pub(super) const ACP: &str = "\
A WebSocket of the [Agent Client Protocol](https://agentclientprotocol.com), version 1, with one JSON-RPC \
message in each text message: Moorline is the agent. With `session` the connection is for one session of \
the driver `agent`: `session/new` attaches to it. A token for one session needs no `session`. Without it, an \
admin token lists, loads and starts sessions. docs/ACP.md has the details.

A client that cannot send a header offers its token as the subprotocol `moorline.bearer.<token>`. Pages are \
refused by a close code instead of a status: 4401, 4403 or 4404.";
