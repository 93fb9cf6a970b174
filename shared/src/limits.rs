//! Every limit of the protocol, in one place. Each is enforced with a named error, whose text is
//! next to the limit and contains its number.

use std::time::Duration;

use const_format::formatcp;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// Bytes in the header of a binary frame: one big-endian `u64`.
pub const FRAME_HEADER_BYTES: usize = 8;
/// Most bytes of data that one frame carries, in either direction.
pub const FRAME_DATA_BYTES: usize = 64 * KIB;
/// Error for a binary message that is not a frame.
pub const NOT_A_FRAME: &str = formatcp!(
    "A binary message is {} bytes of number, from 1, and at most {} KiB of input.",
    FRAME_HEADER_BYTES,
    FRAME_DATA_BYTES / KIB
);
/// Most bytes of one text message from a client.
pub const TEXT_MESSAGE_BYTES: usize = 256 * KIB;
/// Error for a text message that is larger.
pub const TEXT_MESSAGE_TOO_LARGE: &str =
    formatcp!("A text message has at most {} KiB.", TEXT_MESSAGE_BYTES / KIB);
/// Most bytes of a snapshot, before base64.
pub const SNAPSHOT_BYTES: usize = 1024 * 1024;
/// Most bytes of a message to a page in a frame, without its snapshot.
pub const EMBED_MESSAGE_BYTES: usize = 256 * KIB;
/// Most bytes of a terminal that a frame hands on to the next one: a snapshot, and the output after
/// it.
pub const EMBED_SNAPSHOT_BYTES: usize = SNAPSHOT_BYTES + 256 * KIB;
/// Most bytes of one message on a link between host and relay. This is far above every legitimate
/// message, so that one that is too large for its kind is still read and answered, and the link
/// survives.
pub const LINK_MESSAGE_BYTES: usize = 32 * 1024 * 1024;
/// Most bytes of the body of a REST request.
pub const REQUEST_BODY_BYTES: usize = 256 * KIB;
/// Error for a request whose body is larger.
pub const BODY_TOO_LARGE: &str =
    formatcp!("A request has at most {} KiB.", REQUEST_BODY_BYTES / KIB);
/// Most bytes of the head of a request.
pub const REQUEST_HEAD_BYTES: usize = 64 * KIB;
/// Most connections of one address to a relay on a machine. A host has one for each of its sessions, of which it has up to
/// 1,024.
pub const CONNECTIONS_PER_ADDRESS: usize = 2048;
/// Error for a connection beyond that.
pub const TOO_MANY_CONNECTIONS: &str = formatcp!(
    "Your address has {CONNECTIONS_PER_ADDRESS} connections to the relay: close some, or use fewer."
);
/// Requests that an address may send to a relay on a machine in a burst: enough for a host to publish all its sessions.
pub const ADDRESS_REQUESTS: u32 = 2000;
/// The time until an address may send one more request: 100 a second.
pub const ADDRESS_REQUEST_EACH: Duration = Duration::from_millis(10);
/// Requests that may be sent with one token in a burst, from whatever addresses.
pub const TOKEN_REQUESTS: u32 = 2000;
/// The time until one more request may be sent with a token: 200 a second.
pub const TOKEN_REQUEST_EACH: Duration = Duration::from_millis(5);
/// Sessions that may be started with one token in a burst.
pub const SESSION_STARTS: u32 = 120;
/// The time until one more session may be started with a token.
pub const SESSION_START_EACH: Duration = Duration::from_secs(1);
/// Addresses, or tokens, whose rates a relay remembers. One more replaces the quietest.
pub const RATED_CALLERS: usize = 4096;
/// Time allowed for the whole body of a request to arrive.
pub const BODY_DEADLINE: Duration = Duration::from_secs(30);
/// Error for a request whose body does not arrive in time.
pub const BODY_TOO_SLOW: &str =
    formatcp!("Send the whole body within {} seconds.", BODY_DEADLINE.as_secs());
/// The time within which a passkey's challenge must be answered.
pub const PASSKEY_CHALLENGE_LIFETIME: Duration = Duration::from_mins(5);
/// The number of challenges that were answered within that time. Each took a passkey's signature. One more answer is refused.
pub const PASSKEY_CHALLENGES: u64 = 4096;
/// The most passkeys of a token.
pub const PASSKEYS_OF_TOKEN: usize = 16;
/// Told to who adds one more.
pub const TOO_MANY_PASSKEYS: &str =
    formatcp!("A token can have {PASSKEYS_OF_TOKEN} passkeys: remove one first.");
/// Time for which a ticket is valid.
pub const TICKET_LIFETIME: Duration = Duration::from_secs(30);
/// Error for a ticket that is unknown, used or expired.
pub const TICKET_USED: &str = formatcp!(
    "A ticket opens one event stream within {} seconds; `POST /api/tickets` makes another.",
    TICKET_LIFETIME.as_secs()
);

/// Most bytes of the body of a request about operations. A relay at the edge passes it on in another
/// one, with the session's folder, which must fit into [`REQUEST_BODY_BYTES`].
pub const OPERATIONS_BODY_BYTES: usize = 240 * KIB;
/// Error for such a request whose body is larger.
pub const OPERATIONS_BODY_TOO_LARGE: &str =
    formatcp!("A request about operations has at most {} KiB.", OPERATIONS_BODY_BYTES / KIB);
/// Most operations of one request.
pub const OPERATIONS: usize = 100;
/// Error for a request with more operations.
pub const TOO_MANY_OPERATIONS: &str =
    formatcp!("Execute at most {} operations at a time.", OPERATIONS);
/// Most bytes of a file that an operation reads or writes.
pub const OPERATION_FILE_BYTES: usize = 16 * MIB;
/// Error for a larger file.
pub const OPERATION_FILE_TOO_LARGE: &str =
    formatcp!("An operation takes files of at most {} MiB.", OPERATION_FILE_BYTES / MIB);
/// Most bytes of a path in an operation.
pub const OPERATION_PATH_BYTES: usize = 4096;
/// Most bytes of the diff of one operation. Beyond this it is cut off.
pub const OPERATION_DIFF_BYTES: usize = 64 * KIB;
/// Most bytes of the diffs of all operations of one preview. Beyond this they are cut off.
pub const OPERATIONS_DIFF_BYTES: usize = MIB;

/// Most files of one list of changes, and of one request to keep or revert some.
pub const CHANGED_FILES: usize = 200;
/// Error for a request with more files.
pub const TOO_MANY_CHANGES: &str =
    formatcp!("Keep and revert at most {} files at a time.", CHANGED_FILES);

/// Most files that a search in a session's folder finds.
pub const FOUND_FILES: usize = 32;
/// Most characters of such a search.
pub const FILE_QUERY_CHARACTERS: usize = 128;
/// Error for a search with more.
pub const FILE_QUERY_TOO_LONG: &str =
    formatcp!("Search for files by at most {} characters.", FILE_QUERY_CHARACTERS);

/// Most bytes of a prompt with its images, as they are in a request.
pub const AGENT_PROMPT_BYTES: usize = 200 * KIB;
/// Error for a prompt that is larger.
pub const AGENT_PROMPT_TOO_LARGE: &str = formatcp!(
    "A prompt and its images have at most {} KiB: send smaller images.",
    AGENT_PROMPT_BYTES / KIB
);
/// Most actions of a session, such as prompts, that its host has not carried out. Decisions, stops and
/// withdrawals have room of their own: prompts that wait do not block them.
pub const ACTIONS_WAITING: usize = 64;
/// Most bytes of JSON of them together.
pub const ACTIONS_BYTES: usize = MIB;
/// Most decisions, stops and withdrawals of a session that its host has not carried out.
pub const CONTROLS_WAITING: usize = 64;
/// Most bytes of JSON of them together.
pub const CONTROLS_BYTES: usize = 256 * KIB;
/// Error for an action beyond these limits.
pub const ACTIONS_WAIT: &str = formatcp!(
    "Too much waits for the session's host: at most {} requests of {} KiB together, and {} decisions, \
     stops and withdrawals of {} KiB. Try again later.",
    ACTIONS_WAITING,
    ACTIONS_BYTES / KIB,
    CONTROLS_WAITING,
    CONTROLS_BYTES / KIB
);
/// Most prompts that an agent session queues.
pub const QUEUED_PROMPTS: usize = 64;
/// Error for a prompt beyond this limit.
pub const QUEUE_FULL: &str =
    formatcp!("{} prompts are queued: wait for some to end, or withdraw some.", QUEUED_PROMPTS);
/// Most bytes of JSON of the open approvals of one session that a list over all sessions shows.
pub const LISTED_APPROVALS_BYTES: usize = 96 * KIB;
/// Most bytes of a message of a client that speaks the Agent Client Protocol.
pub const ACP_MESSAGE_BYTES: usize = 4 * MIB;
/// Error for a message beyond this limit.
pub const ACP_MESSAGE_TOO_LARGE: &str =
    formatcp!("Send at most {} MiB in a message.", ACP_MESSAGE_BYTES / MIB);
/// Most sessions that one connection of the Agent Client Protocol attaches to.
pub const ACP_SESSIONS: usize = 16;
/// Error for a session beyond this limit.
pub const ACP_SESSIONS_ATTACHED: &str =
    formatcp!("Close one of this connection's {ACP_SESSIONS} sessions first.");
/// Most requests of such a connection that are not answered.
pub const ACP_REQUESTS: usize = 64;
/// How often such a connection asks its client one question whose answers do not fit.
pub const ACP_ASKED: u8 = 3;
/// Most requests on one stream that are not answered. A client keeps others until some are.
pub const STREAM_REQUESTS: usize = 16;
/// Error for a request beyond this limit.
pub const TOO_MANY_REQUESTS: &str =
    formatcp!("{} requests are not answered: wait for some answers.", STREAM_REQUESTS);
/// Most turns that are over and still listed.
pub const ENDED_TURNS: usize = 16;
/// Most approvals of a session that await a decision.
pub const OPEN_APPROVALS: usize = 64;
/// Most approvals of a session that are decided and still listed.
pub const CLOSED_APPROVALS: usize = 64;
/// Error for an approval beyond this limit.
pub const TOO_MANY_APPROVALS: &str =
    formatcp!("{} approvals of the session wait for a decision.", OPEN_APPROVALS);
/// Most bytes of JSON of one approval's request.
pub const APPROVAL_BYTES: usize = 16 * KIB;
/// Error for a request that is larger.
pub const APPROVAL_TOO_LARGE: &str =
    formatcp!("An approval has at most {} KiB: ask for less at a time.", APPROVAL_BYTES / KIB);
/// Most bytes of JSON of a decision. The event that reports it has its command twice.
pub const DECISION_BYTES: usize = 32 * KIB;
/// Error for a decision that is larger.
pub const DECISION_TOO_LARGE: &str =
    formatcp!("A decision with its answers has at most {} KiB.", DECISION_BYTES / KIB);
/// Most rules of one host about approvals, those of sessions included.
pub const APPROVAL_RULES: usize = 500;
/// Time allowed for the decision about a command, unless its request names another.
pub const COMMAND_DECISION: Duration = Duration::from_mins(5);
/// Most bytes of JSON of one event of an agent. Beyond this, its content is cut off.
pub const AGENT_EVENT_BYTES: usize = 128 * KIB;
/// Most items of a conversation that are kept in memory.
pub const CONVERSATION_ITEMS: usize = 20_000;
/// Most bytes of them together, about as they are in JSON.
pub const CONVERSATION_BYTES: usize = 8 * MIB;
/// Most bytes of the text of one message in a conversation. Beyond this, its end is left out.
pub const CONVERSATION_MESSAGE_BYTES: usize = 512 * KIB;

/// Most browsers that a relay sends notices to.
pub const PUSH_SUBSCRIPTIONS: usize = 64;
/// Most of these with one token that is no admin's.
pub const PUSH_SUBSCRIPTIONS_OF_TOKEN: usize = 8;
/// Error for one more.
pub const TOO_MANY_SUBSCRIPTIONS: &str = formatcp!(
    "{} browsers get notices from a relay, and {} by the token of a session: turn them off in one, or \
     revoke its token.",
    PUSH_SUBSCRIPTIONS,
    PUSH_SUBSCRIPTIONS_OF_TOKEN
);
/// Most bytes of the address at a push service.
pub const PUSH_ENDPOINT_BYTES: usize = 2 * KIB;
/// Most characters of a session's name in a notice.
pub const PUSH_NAME_CHARACTERS: usize = 80;
/// Most characters of a question in a notice.
pub const PUSH_TITLE_CHARACTERS: usize = 160;
/// Most bytes of JSON of a notice. Push services take 4 KiB of it encrypted.
pub const PUSH_PAYLOAD_BYTES: usize = 2 * KIB;

/// Valid numbers of characters of an id.
pub const ID_CHARACTERS: std::ops::RangeInclusive<usize> = 8..=32;
/// Error for any other id.
pub const NOT_AN_ID: &str = formatcp!(
    "an id is {} to {} letters, digits, '_' or '-'",
    *ID_CHARACTERS.start(),
    *ID_CHARACTERS.end()
);
/// Most bytes of a prompt, or of the text that one request types into a terminal.
pub const PROMPT_BYTES: usize = 64 * KIB;
/// Error for a text that is longer.
pub const TOO_MUCH_TYPED: &str = formatcp!("Send at most {} KiB at a time.", PROMPT_BYTES / KIB);
/// Most characters of a session's or project's name.
pub const NAME_CHARACTERS: usize = 200;
/// Most characters of a session name that is turned into an id, as those of seed 001 are.
pub const LONG_ID_CHARACTERS: usize = 128;

/// Most bytes of output that a client may have received but not acknowledged. At this limit the
/// sender pauses.
pub const UNACKED_OUTPUT_BYTES: u64 = 2 * 1024 * 1024;
/// Smallest credit of a client in bytes, however slow it is. Above this, the credit is the amount
/// that the client acknowledges in half a second.
pub const LEAST_CREDIT_BYTES: u64 = 64 * 1024;
/// A client that prefers a snapshot to a replay, and is more bytes behind the head than this, gets
/// a snapshot instead of the backlog.
pub const BACKLOG_BYTES: u64 = 8 * 1024 * 1024;
/// Most bytes of input that a client may have typed but not had acknowledged. Further input is
/// refused.
pub const UNACKED_INPUT_BYTES: usize = 256 * KIB;
/// The part that the errors for too much input have in common.
pub const INPUT_WAITS: &str =
    formatcp!("{} KiB of input is waiting for the session", UNACKED_INPUT_BYTES / KIB);
/// Most bytes of input, of all clients of a session together, that its program has not taken.
/// Beyond this the relay refuses input.
pub const SESSION_INPUT_BYTES: usize = MIB;
/// Error for input that is refused because of it.
pub const SESSION_INPUT_WAITS: &str = formatcp!(
    "{} MiB of input is waiting, and the session does not read it: try again later.",
    SESSION_INPUT_BYTES / MIB
);
/// The same limit at the host. It is larger because the host also holds prompts that it has already
/// answered, and input that a relay sent before it lost its memory.
pub const HOST_INPUT_BYTES: usize = 2 * 1024 * 1024;
/// Most bytes that a client without numbered input may have sent before its program takes them. At
/// this limit its socket is not read.
pub const PLAIN_INPUT_BYTES: usize = 64 * 1024;
/// Most commands for a session's host that its link has not taken. Beyond this the link is closed
/// as stalled.
pub const HOST_COMMANDS_WAITING: usize = 4096;
/// Most clients of one session at a time.
pub const CLIENTS_PER_SESSION: usize = 1024;
/// Most characters of the id of an agent, or of one of its modes or models.
pub const AGENT_ID_CHARACTERS: usize = 128;
/// Most further folders that an agent may work in.
pub const AGENT_DIRECTORIES: usize = 16;
/// Most bytes of the path of one of them.
pub const AGENT_DIRECTORY_BYTES: usize = 4096;
/// Most agents of one host in an answer of a relay.
pub const AGENTS_PER_HOST: usize = 64;
/// Most tmux servers of one host in a list.
pub const TMUX_SERVERS: usize = 16;
/// Most tmux sessions of one server in a list.
pub const TMUX_SESSIONS: usize = 64;
/// Most windows of one tmux session in a list.
pub const TMUX_WINDOWS: usize = 64;
/// Most panes of one tmux session in a list, and most of its panes that are open.
pub const TMUX_PANES: usize = 64;
/// Most bytes of the path of a tmux socket, of a folder that tmux reports, and of a name for tmux.
pub const TMUX_TEXT_BYTES: usize = 1024;
/// The most templates of pods that a host has.
pub const POD_TEMPLATES: usize = 64;
/// The most pods, and the most volumes, of one host in a list.
pub const LISTED_PODS: usize = 2 * SESSIONS_PER_HOST;
/// The most bytes of a text in a template of pods; its texts together have at most eight times this.
pub const POD_TEXT_BYTES: usize = 4096;
/// Most projects of one relay.
pub const PROJECTS: usize = 10_000;
/// Most workspaces of one relay.
pub const WORKSPACES: usize = 10_000;
/// Most bytes of one file of a workspace.
pub const WORKSPACE_FILE_BYTES: usize = 16 * MIB;
/// Error for a larger one.
pub const WORKSPACE_FILE_TOO_LARGE: &str =
    formatcp!("A file of a workspace has at most {} MiB.", WORKSPACE_FILE_BYTES / MIB);
/// Most files and directories of one workspace.
pub const WORKSPACE_FILES: usize = 50_000;
/// Most bytes of the path of a file in a workspace.
pub const WORKSPACE_PATH_BYTES: usize = 1024;
/// Error for a path that is not valid.
pub const BAD_WORKSPACE_PATH: &str = formatcp!(
    "A path in a workspace is relative, with `/` between names that are not `.` or `..` and have no \
     NUL and no backslash, and has at most {WORKSPACE_PATH_BYTES} bytes of UTF-8."
);
/// Most changes, or hashes, in one message of a sync.
pub const WORKSPACE_CHANGES: usize = 500;
/// Most bytes of contents in one message of a sync with more than one.
pub const WORKSPACE_CONTENTS_BYTES: usize = MIB;
/// Most bytes of one message of a sync: a file, or changes with their paths.
pub const WORKSPACE_MESSAGE_BYTES: usize = WORKSPACE_FILE_BYTES + 2 * MIB;
/// Most bytes of the files in one archive of a workspace, packed and unpacked.
pub const WORKSPACE_ARCHIVE_BYTES: usize = 32 * MIB;
/// Error for a larger one.
pub const WORKSPACE_ARCHIVE_TOO_LARGE: &str = formatcp!(
    "An archive has at most {} MiB, packed and unpacked: read and put single files, or use `moorline \
     workspace pull` and `push`.",
    WORKSPACE_ARCHIVE_BYTES / MIB
);
/// Longest time that a request for changes of a workspace waits for one.
pub const WORKSPACE_WAIT: Duration = Duration::from_secs(25);
/// Most deleted files that a workspace remembers. Who has seen less gets everything anew.
pub const WORKSPACE_TOMBSTONES: usize = 10_000;
/// Most sessions of one host.
pub const SESSIONS_PER_HOST: usize = 1024;
/// Most bytes of JSON for all sessions of a host together in its hello to a relay. Their commands
/// and variables may be large, and the message must fit into [`LINK_MESSAGE_BYTES`].
pub const SESSIONS_BYTES: usize = 28 * 1024 * 1024;
/// Most bytes that a host keeps of a session that nobody makes durable. At this limit its terminal
/// is not read.
pub const HOST_KEEPS_BYTES: u64 = 32 * 1024 * 1024;
/// Most bytes of a log after its snapshot, as stored, that a host gets to paint a fork's screen. In
/// base64 and together with the snapshot, they fit into [`LINK_MESSAGE_BYTES`].
pub const FORK_OUTPUT_BYTES: u64 = 16 * 1024 * 1024;
/// Error for a fork from an entry that is further away from the snapshot.
pub const FORK_TOO_FAR: &str = formatcp!(
    "More than {} MiB of the log lie between the stored screen and this entry.",
    FORK_OUTPUT_BYTES / 1024 / 1024
);
/// Most bytes of one stored segment.
pub const SEGMENT_BYTES: usize = 512 * 1024;

/// Time allowed for a client to send `resume` after it connects.
pub const RESUME_DEADLINE: Duration = Duration::from_secs(10);
/// Reason for closing a client that sent no `resume`.
pub const NO_RESUME: &str =
    formatcp!("resume did not arrive within {} s", RESUME_DEADLINE.as_secs());
/// A client that replays and takes nothing for this long no longer holds back its session's host.
pub const STALLED_AFTER: Duration = Duration::from_secs(10);
/// A side that has sent nothing for this long sends a heartbeat (relay) or a ping (client).
pub const HEARTBEAT: Duration = Duration::from_secs(15);
/// A side that has heard nothing for this long treats the connection as dead.
pub const DEAD_AFTER: Duration = Duration::from_secs(45);
/// Time allowed for a dial to open a connection.
pub const DIAL_DEADLINE: Duration = Duration::from_secs(10);
/// Time allowed for the other side to answer a close. After that it is disconnected.
pub const CLOSE_PATIENCE: Duration = Duration::from_secs(2);
/// Reason for closing a connection that is dead.
pub const SILENT: &str = formatcp!("nothing was heard for {} s", DEAD_AFTER.as_secs());
/// Reason for closing the WebSocket of an event stream whose reader does not answer.
pub const UNANSWERED: &str = formatcp!("no answer for {} s", DEAD_AFTER.as_secs());
/// Upper bound of the first wait before dialling again.
pub const BACKOFF_FIRST: Duration = Duration::from_secs(1);
/// Upper bound of every wait before dialling again.
pub const BACKOFF_MOST: Duration = Duration::from_secs(30);
/// Factor by which the bound of each wait exceeds the one before.
pub const BACKOFF_FACTOR: f64 = 1.5;

/// Valid numbers of columns of a terminal.
pub const COLUMNS: std::ops::RangeInclusive<u16> = 2..=1000;
/// Valid numbers of rows of a terminal.
pub const ROWS: std::ops::RangeInclusive<u16> = 1..=500;
/// Error for any other size.
pub const SIZES: &str = formatcp!(
    "A terminal has {} to {} columns and {} to {} rows.",
    *COLUMNS.start(),
    *COLUMNS.end(),
    *ROWS.start(),
    *ROWS.end()
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_have_the_numbers_of_their_limits() {
        assert_eq!(INPUT_WAITS, "256 KiB of input is waiting for the session");
        assert_eq!(SILENT, "nothing was heard for 45 s");
        assert_eq!(SIZES, "A terminal has 2 to 1000 columns and 1 to 500 rows.");
    }
}
