//! Every limit of the protocol, in one place. Each is enforced with a named error, whose text is beside the limit and has its
//! number from there.

use std::time::Duration;

use const_format::formatcp;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// Bytes in the header of a binary frame: one big-endian `u64`.
pub const FRAME_HEADER_BYTES: usize = 8;
/// Most data bytes that one frame carries, in either direction.
pub const FRAME_DATA_BYTES: usize = 64 * KIB;
/// What a client is told whose binary message is not a frame.
pub const NOT_A_FRAME: &str = formatcp!(
    "A binary message is {} bytes of number, from 1, and at most {} KiB of input.",
    FRAME_HEADER_BYTES,
    FRAME_DATA_BYTES / KIB
);
/// Most bytes of one text message that a client may send.
pub const TEXT_MESSAGE_BYTES: usize = 256 * KIB;
/// What a client is told whose text message is larger.
pub const TEXT_MESSAGE_TOO_LARGE: &str =
    formatcp!("A text message has at most {} KiB.", TEXT_MESSAGE_BYTES / KIB);
/// Most bytes of a snapshot's picture, before base64.
pub const SNAPSHOT_BYTES: usize = 1024 * 1024;
/// Most bytes of one message on a link between host and relay. It is far more than any message has:
/// what is too large for its kind is read, and answered, and the link stays.
pub const LINK_MESSAGE_BYTES: usize = 32 * 1024 * 1024;
/// Most bytes of the body of a REST request.
pub const REQUEST_BODY_BYTES: usize = 256 * KIB;
/// What a caller is told whose body is larger.
pub const BODY_TOO_LARGE: &str =
    formatcp!("A request has at most {} KiB.", REQUEST_BODY_BYTES / KIB);
/// Time for the body of a request to arrive whole.
pub const BODY_DEADLINE: Duration = Duration::from_secs(30);
/// What a caller is told whose body does not.
pub const BODY_TOO_SLOW: &str =
    formatcp!("Send the whole body within {} seconds.", BODY_DEADLINE.as_secs());
/// Time within which a ticket is to be used.
pub const TICKET_LIFETIME: Duration = Duration::from_secs(60);
/// What a caller is told whose ticket opens nothing.
pub const TICKET_USED: &str = formatcp!(
    "A ticket opens one event stream within {} seconds; `POST /api/tickets` makes another.",
    TICKET_LIFETIME.as_secs()
);

/// Most bytes of a prompt, or of what is typed into a terminal by one request.
pub const PROMPT_BYTES: usize = 64 * KIB;
/// What a caller is told whose text is longer.
pub const TOO_MUCH_TYPED: &str = formatcp!("Send at most {} KiB at a time.", PROMPT_BYTES / KIB);
/// Most characters of the name of a session or project.
pub const NAME_CHARACTERS: usize = 200;
/// Most characters of the name of a session that is made into an id, as seed 001's are.
pub const LONG_ID_CHARACTERS: usize = 128;

/// Output that a client may have received and not acknowledged; then the sender pauses.
pub const UNACKED_OUTPUT_BYTES: u64 = 2 * 1024 * 1024;
/// What a client may at least have received and not acknowledged, however slow it is: above this it
/// is what the client acknowledges in half a second.
pub const LEAST_CREDIT_BYTES: u64 = 64 * 1024;
/// A client that would rather jump than replay, and is further behind the head than this, gets a
/// snapshot instead of the backlog.
pub const BACKLOG_BYTES: u64 = 8 * 1024 * 1024;
/// Input that a client may have typed and not had acknowledged; then it takes no more.
pub const UNACKED_INPUT_BYTES: usize = 256 * KIB;
/// The part that the errors for more input have in common.
pub const INPUT_WAITS: &str =
    formatcp!("{} KiB of input wait for the session", UNACKED_INPUT_BYTES / KIB);
/// Input of all clients of a session together that its program has not taken; then a relay accepts
/// no more of it.
pub const SESSION_INPUT_BYTES: usize = MIB;
/// What a client is told whose input is not accepted.
pub const SESSION_INPUT_WAITS: &str = formatcp!(
    "{} MiB of input waits for the session, which does not take it: try again later.",
    SESSION_INPUT_BYTES / MIB
);
/// The same at the host, which also has prompts that it has answered, and what a relay that lost its
/// memory sent before.
pub const HOST_INPUT_BYTES: usize = 2 * 1024 * 1024;
/// What a client that numbers nothing may have sent before its program has taken it; then its socket
/// is not read.
pub const PLAIN_INPUT_BYTES: usize = 64 * 1024;
/// Commands for a session's host that its link has not taken; then the link is closed as stalled.
pub const HOST_COMMANDS_WAITING: usize = 4096;
/// Clients of one session at a time.
pub const CLIENTS_PER_SESSION: usize = 1024;
/// Projects of one relay.
pub const PROJECTS: usize = 10_000;
/// Sessions of one host.
pub const SESSIONS_PER_HOST: usize = 1024;
/// Bytes of JSON that all sessions of a host together may have in the message that tells a relay of them:
/// their commands and variables may be large, and the message has to be one that a relay reads.
pub const SESSIONS_BYTES: usize = 28 * 1024 * 1024;
/// What a session keeps on disk on the native relay.
pub const RETENTION_BYTES: u64 = 64 * 1024 * 1024;
/// What a session keeps on disk at the edge.
pub const EDGE_RETENTION_BYTES: u64 = 8 * 1024 * 1024;
/// What of a log is in memory at the edge, besides what is not durable.
pub const EDGE_MEMORY_BYTES: u64 = 512 * 1024;
/// The host of a session at the edge is asked for a picture whenever it put out this much.
pub const EDGE_PICTURE_BYTES: u64 = 1024 * 1024;
/// What a host may send ahead of what is durable.
pub const WINDOW_BYTES: u64 = 16 * 1024 * 1024;
/// The same at the edge: as long as that takes to be read, nobody else is heard.
pub const EDGE_WINDOW_BYTES: u64 = 1024 * 1024;
/// What a host keeps of a session while nobody makes it durable; then its terminal is not read.
pub const HOST_KEEPS_BYTES: u64 = 32 * 1024 * 1024;
/// Most bytes of one stored segment.
pub const SEGMENT_BYTES: usize = 512 * 1024;

/// A client that has not sent `resume` by then is closed.
pub const RESUME_DEADLINE: Duration = Duration::from_secs(10);
/// Why it is closed.
pub const NO_RESUME: &str = formatcp!("resume did not come within {} s", RESUME_DEADLINE.as_secs());
/// A client that replays, and takes nothing for this long, does not hold its session's host back.
pub const STALLED_AFTER: Duration = Duration::from_secs(10);
/// A side that has sent nothing for this long sends a heartbeat (relay) or a ping (client).
pub const HEARTBEAT: Duration = Duration::from_secs(15);
/// A side that has heard nothing for this long takes the connection for dead.
pub const DEAD_AFTER: Duration = Duration::from_secs(45);
/// Why it closes the connection.
pub const SILENT: &str = formatcp!("nothing was heard for {} s", DEAD_AFTER.as_secs());
/// Why a relay closes an event stream's WebSocket whose reader answers nothing.
pub const UNANSWERED: &str = formatcp!("nothing was answered for {} s", DEAD_AFTER.as_secs());
/// The first wait before dialling again.
pub const BACKOFF_FIRST: Duration = Duration::from_secs(1);
/// The longest wait before dialling again.
pub const BACKOFF_MOST: Duration = Duration::from_secs(30);
/// How much longer each wait may be than the one before.
pub const BACKOFF_FACTOR: f64 = 1.5;

/// Fewest and most columns and rows of a terminal.
pub const COLUMNS: std::ops::RangeInclusive<u16> = 2..=1000;
/// See [`COLUMNS`].
pub const ROWS: std::ops::RangeInclusive<u16> = 1..=500;
/// What is told of any other size.
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
        assert_eq!(INPUT_WAITS, "256 KiB of input wait for the session");
        assert_eq!(SILENT, "nothing was heard for 45 s");
        assert_eq!(SIZES, "A terminal has 2 to 1000 columns and 1 to 500 rows.");
    }
}
