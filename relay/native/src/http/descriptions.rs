//! Texts of the API's description: the introduction, and routes that are not plain requests.

/// The introduction.
pub(super) const API: &str = "\
Moorline keeps terminal sessions alive and lets people reach them from a browser.

A session is a program on a terminal. What it puts out and what happens to it is its **log**: entries \
that are numbered from 1 without gaps by `seq`. The `epoch` names one life of the log.

Every answer that is no success has the body `ErrorBody`: `error` is for people, `code` is stable and \
for programs. Session and project ids match `^[a-zA-Z0-9_-]{8,32}$`.

A token is sent as `Authorization: Bearer <token>`; `moorline token new` makes one. An admin's token \
may do everything; one of a session may read it, or also prompt, type, rename and delete it.";

/// `GET /api/session/{id}/events`.
pub(super) const EVENTS: &str = "\
The session's log as [server-sent events](https://html.spec.whatwg.org/multipage/server-sent-events.html). \
`event:` is the type, `id:` is `<epoch>.<seq>`, `data:` is one JSON object with `sessionId`, `type`, \
`timestamp` (when the host appended the entry, in milliseconds since 1970) and the fields of its type:

| event | fields | when |
|---|---|---|
| `connected` | `message`, `epoch`, `head`, `tail`, `from` | first; without an id |
| `gap` | `reason` (`trimmed` with `from` and `to`, or `epoch`), `epoch` | entries that were asked for are not retained, or of another epoch; without an id |
| `session-created` | `mode`, `workingDir`, `name`, `command` | the process was started |
| `session-output` | `seq`, `stream` (`stdout`), `content`; `encoding` where it is `base64` | output; a character is never cut |
| `session-status` | `status` (`running`, `idle`, `exited`, `error`), `pid`, `uptime`, `cwd`, `exitCode`, `signal`, `command` | at the beginning, on change, and, without an id, after 30 seconds without it or output |
| `session-error` | `error`, `code`, `recoverable` | something went wrong |
| `session-forked` | `from` (`sessionId`, `epoch`, `seq`) | the log began as a copy up to here |
| `command-sent` | `command` (its first 100 characters) | a prompt was typed |
| `terminal-created` | `terminalId`, `workingDir`, `mode` | a terminal was opened beside the session |
| `terminal-closed` | `terminalId` | it was closed |
| `session-deleted` | | the session was removed; the stream ends; without an id |

Without a position the stream is live. `Last-Event-ID`, which browsers send by themselves, or \
`lastEventId` goes on after an event; `0` begins with all that is retained. After 15 seconds of silence \
there is a comment, `: heartbeat`. When the session is over the stream ends, and whoever comes back for \
more gets 204.";

/// `GET /api/events`.
pub(super) const OVERVIEW: &str = "\
What `GET /api/sessions` and `GET /api/projects` tell, as it changes, as server-sent events without ids; \
a stream that comes back begins anew.

| event | data |
|---|---|
| `sessions` | first: `sessions` (`SessionSummary`), `projects` (`Project`): all of them |
| `session` | `session`: it is new, or has changed |
| `session-deleted` | `sessionId` |
| `project` | `project`: it is new, or has changed |
| `project-deleted` | `projectId` |";

/// `GET /sessions/{id}/stream`.
pub(super) const STREAM: &str = "\
A WebSocket for terminals: output as binary frames `[seq: u64, big-endian][data]`, resumed at any entry, \
snapshots of the screen, numbered input. A client offers the subprotocol `moorline.v1`, and, where it can \
send no header, its token as the subprotocol `moorline.bearer.<token>`. docs/PROTOCOL.md has the whole \
protocol.

Pages are refused by a close code instead of a status: 4401, 4403 or 4404.";

/// `GET /api/terminal/ws/{id}`.
pub(super) const PLAIN: &str = "\
A WebSocket with plain text both ways: what the terminal puts out, and what is typed. The session is made \
where there is none, for a token that may steer it. Its name may be longer than an id, up to 128 \
characters: the session has an id that is made of it, and is shown by that name. What goes wrong is said as text: `Error: …`, then \
`Details: …` on a line of its own, and by the close code.";

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
scope `host` or `admin`; pages are refused. The host says `hello` first: its protocol, version, name, \
drivers and sessions. It is welcomed, or refused. Then the relay asks for what it wants. A later link of \
the same host takes the place of an earlier one, which is closed with 4409. docs/PROTOCOL.md has the \
messages.";

/// `GET /sessions/{id}/publish`.
pub(super) const PUBLISH: &str = "\
A WebSocket with the subprotocol `moorline.host.v1`, for a token of the scope `host` or `admin`; pages are \
refused. The relay opens with `resume`, its cursor; the host answers `resumed` and sends each entry after \
it. `ack` means that an entry is durable. A host whose epoch is older than what was published is told \
`fenced`, and closed with 4409. docs/PROTOCOL.md has the messages.";
