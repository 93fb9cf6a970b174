//! The numbers in which the relays differ, in one place. What both have in common is a constant
//! where it is used, or one of [`moorline_shared::limits`].

use std::time::Duration;

use moorline_shared::limits::{BACKLOG_BYTES, FRAME_DATA_BYTES, SEGMENT_BYTES};

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

/// The limits that a kind of relay can afford.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Profile {
    /// The limits of a session's log, in memory and in the store.
    pub log: RetentionPolicy,
    /// The time for which a session's changes are gathered before they are written.
    pub store_every: Duration,
    /// The bytes of entries that are written without waiting for more.
    pub urgent_bytes: u64,
    /// About the most bytes of entries that one session writes at a time.
    pub batch_bytes: usize,
    /// The least advance of a session's last activity that is stored by itself, in milliseconds.
    pub activity_step_ms: u64,
    /// True if the relay sends signs of life to clients, and expects them. A relay that must not
    /// wake for that leaves it to the clients' pings.
    pub keepalive: bool,
    /// The most bytes that are sent on one connection to a client that never acknowledges, if a
    /// socket takes whatever it is given; `None` if the socket shows how much it takes.
    pub budget_bytes: Option<u64>,
    /// The most bytes of all files of a workspace together.
    pub workspace_bytes: u64,
    /// The most bytes of an unwanted body that are read and dropped, so that the caller reads its
    /// answer. A caller that sends more is disconnected.
    pub unread_bytes: u64,
}

impl Profile {
    /// A relay with a machine of its own.
    pub const NATIVE: Self = Self {
        log: RetentionPolicy {
            memory_bytes: BACKLOG_BYTES,
            // A snapshot takes the host some 10 ms: in a flood, more often would cost as much as all
            // the rest.
            snapshot_every_bytes: 2 * BACKLOG_BYTES,
            window_bytes: 16 * MIB,
            retention_bytes: 64 * MIB,
            slack_bytes: 4 * MIB,
            without_snapshot_bytes: 72 * MIB,
            forgets: false,
        },
        store_every: Duration::from_millis(50),
        urgent_bytes: 512 * KIB,
        batch_bytes: 4 * MIB as usize,
        activity_step_ms: 10_000,
        keepalive: true,
        budget_bytes: None,
        workspace_bytes: 256 * MIB,
        unread_bytes: 64 * MIB,
    };

    /// A relay whose sessions share 128 MiB with many others, may lose their memory at any moment,
    /// and are billed by the row that they write.
    pub const EDGE: Self = Self {
        log: RetentionPolicy {
            memory_bytes: 512 * KIB,
            snapshot_every_bytes: MIB,
            // While such a window is read, nobody else is served.
            window_bytes: MIB,
            retention_bytes: 8 * MIB,
            slack_bytes: MIB,
            without_snapshot_bytes: 10 * MIB,
            forgets: true,
        },
        store_every: Duration::from_millis(100),
        // They fill a row except for less than one entry.
        urgent_bytes: (SEGMENT_BYTES - FRAME_DATA_BYTES) as u64,
        batch_bytes: MIB as usize,
        activity_step_ms: 60_000,
        keepalive: false,
        budget_bytes: Some(8 * MIB),
        workspace_bytes: 64 * MIB,
        unread_bytes: 8 * MIB,
    };
}

/// The limits that a relay can afford for a session's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetentionPolicy {
    /// The bound on the entries in memory that are stored as well.
    pub memory_bytes: u64,
    /// The output after which the host is asked for another snapshot, and after which a snapshot is
    /// worth storing, counted from the stored one.
    pub snapshot_every_bytes: u64,
    /// The most that a host may send ahead of the durable entries.
    pub window_bytes: u64,
    /// The bytes that stay in the store.
    pub retention_bytes: u64,
    /// The excess over `retention_bytes` that may build up before a trim, so that it is not done
    /// every time.
    pub slack_bytes: u64,
    /// The bound on the bytes in the store if no snapshot comes. From there on, the log is trimmed
    /// all the same, and a new client may see a screen that is not complete.
    pub without_snapshot_bytes: u64,
    /// True if the relay may lose its memory while its sockets stay open. Then input that waits for
    /// the host is stored ([`SessionEffect::Held`](crate::session::SessionEffect::Held)), and so is
    /// the last status.
    pub forgets: bool,
}
