//! The SQL that stores sessions: the same statements on the native relay and in a Durable Object.
//!
//! Numbers are SQLite integers, so a `u64` travels as the `i64` of the same bits. Times are
//! milliseconds since 1970.

/// Batches of statements. Each brings a database from the version of its index to the next one. A
/// released version is never edited, only followed.
pub const MIGRATIONS: &[&str] = &[
    r"
CREATE TABLE sessions (
    id            TEXT PRIMARY KEY NOT NULL,
    epoch         INTEGER NOT NULL,
    name          TEXT,
    project       TEXT,
    driver        TEXT NOT NULL,
    command       TEXT NOT NULL,
    cwd           TEXT,
    cols          INTEGER NOT NULL,
    rows          INTEGER NOT NULL,
    created_at    INTEGER NOT NULL,
    last_activity INTEGER NOT NULL,
    lifecycle     TEXT NOT NULL,
    exit_code     INTEGER,
    exit_signal   TEXT,
    head          INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE segments (
    session   TEXT NOT NULL,
    first_seq INTEGER NOT NULL,
    epoch     INTEGER NOT NULL,
    last_seq  INTEGER NOT NULL,
    bytes     INTEGER NOT NULL,
    data      BLOB NOT NULL,
    PRIMARY KEY (session, first_seq)
);
CREATE TABLE snapshots (
    session TEXT PRIMARY KEY NOT NULL,
    epoch   INTEGER NOT NULL,
    seq     INTEGER NOT NULL,
    cols    INTEGER,
    rows    INTEGER,
    data    BLOB NOT NULL
);
CREATE TABLE tokens (
    id         TEXT PRIMARY KEY NOT NULL,
    hash       BLOB NOT NULL UNIQUE,
    scope      TEXT NOT NULL,
    label      TEXT,
    created_at INTEGER NOT NULL,
    expires_at INTEGER
) WITHOUT ROWID;
",
    r"
CREATE TABLE projects (
    id         TEXT PRIMARY KEY NOT NULL,
    name       TEXT NOT NULL,
    directory  TEXT,
    created_at INTEGER NOT NULL
) WITHOUT ROWID;
ALTER TABLE sessions ADD COLUMN env TEXT NOT NULL DEFAULT '{}';
",
    r"
ALTER TABLE sessions ADD COLUMN host TEXT;
CREATE TABLE hosts (
    id        TEXT PRIMARY KEY NOT NULL,
    name      TEXT NOT NULL,
    version   TEXT NOT NULL,
    drivers   TEXT NOT NULL,
    last_seen INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE deleted (
    session    TEXT PRIMARY KEY NOT NULL,
    host       TEXT NOT NULL,
    deleted_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE held (
    client TEXT NOT NULL,
    seq    INTEGER NOT NULL,
    data   BLOB NOT NULL,
    PRIMARY KEY (client, seq)
) WITHOUT ROWID;
CREATE TABLE notes (
    name  TEXT PRIMARY KEY NOT NULL,
    value TEXT NOT NULL
) WITHOUT ROWID;
",
    // From this version on, segments contain times, which earlier programs cannot read.
    "SELECT 1;",
    r"
CREATE TABLE session_notes (
    session TEXT NOT NULL,
    name    TEXT NOT NULL,
    value   TEXT NOT NULL,
    PRIMARY KEY (session, name)
) WITHOUT ROWID;
",
    r"
CREATE TABLE cookies (
    hash       BLOB PRIMARY KEY NOT NULL,
    token      BLOB NOT NULL,
    expires_at INTEGER NOT NULL
) WITHOUT ROWID;
",
    "ALTER TABLE hosts ADD COLUMN missing TEXT NOT NULL DEFAULT '[]';",
    "ALTER TABLE sessions ADD COLUMN agent TEXT NOT NULL DEFAULT 'null';",
    r"
CREATE TABLE push_subscriptions (
    id       TEXT PRIMARY KEY NOT NULL,
    token    BLOB NOT NULL,
    endpoint TEXT NOT NULL,
    p256dh   BLOB NOT NULL,
    auth     BLOB NOT NULL
) WITHOUT ROWID;
",
    r"
ALTER TABLE tokens ADD COLUMN last_used INTEGER;
CREATE TABLE audit (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    at      INTEGER NOT NULL,
    kind    TEXT NOT NULL,
    who     TEXT NOT NULL,
    token   TEXT,
    address TEXT,
    session TEXT,
    detail  TEXT
);
",
    r"
CREATE TABLE passkeys (
    id         TEXT PRIMARY KEY NOT NULL,
    token      BLOB NOT NULL,
    relay      TEXT NOT NULL,
    label      TEXT,
    credential BLOB NOT NULL,
    key        BLOB NOT NULL,
    counter    INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    last_used  INTEGER
) WITHOUT ROWID;
CREATE TABLE passkey_challenges (
    hash       BLOB PRIMARY KEY NOT NULL,
    token      BLOB,
    expires_at INTEGER NOT NULL
) WITHOUT ROWID;
",
    "ALTER TABLE sessions ADD COLUMN tmux TEXT NOT NULL DEFAULT 'null';",
    r"
DROP TABLE passkey_challenges;
CREATE TABLE passkey_challenge_key (
    id  INTEGER PRIMARY KEY CHECK (id = 0),
    key BLOB NOT NULL
);
CREATE TABLE used_passkey_challenges (
    hash       BLOB PRIMARY KEY NOT NULL,
    expires_at INTEGER NOT NULL
) WITHOUT ROWID;
",
    "ALTER TABLE tokens ADD COLUMN browser_of TEXT;",
    r"
ALTER TABLE held ADD COLUMN given INTEGER NOT NULL DEFAULT 1;
ALTER TABLE sessions ADD COLUMN exit_reason TEXT NOT NULL DEFAULT 'null';
",
    r"
ALTER TABLE sessions ADD COLUMN workspace TEXT;
CREATE TABLE workspaces (
    id         TEXT PRIMARY KEY NOT NULL,
    name       TEXT,
    project    TEXT,
    created_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE workspace_states (
    workspace TEXT PRIMARY KEY NOT NULL,
    revision  INTEGER NOT NULL,
    trimmed   INTEGER NOT NULL,
    bytes     INTEGER NOT NULL,
    files     INTEGER NOT NULL,
    is_full   INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE workspace_files (
    workspace   TEXT NOT NULL,
    path        TEXT NOT NULL,
    name_key    TEXT,
    kind        INTEGER NOT NULL,
    mode        INTEGER NOT NULL,
    size        INTEGER NOT NULL,
    hash        BLOB,
    chunks      BLOB NOT NULL,
    revision    INTEGER NOT NULL,
    changed_at  INTEGER NOT NULL,
    conflict_of TEXT,
    PRIMARY KEY (workspace, path)
) WITHOUT ROWID;
CREATE UNIQUE INDEX workspace_keys ON workspace_files (workspace, name_key);
CREATE INDEX workspace_revisions ON workspace_files (workspace, revision);
CREATE INDEX workspace_hashes ON workspace_files (workspace, hash);
CREATE TABLE workspace_chunks (
    workspace TEXT NOT NULL,
    hash      BLOB NOT NULL,
    uses      INTEGER NOT NULL,
    data      BLOB NOT NULL,
    PRIMARY KEY (workspace, hash)
);
",
    r"
ALTER TABLE sessions ADD COLUMN pod TEXT NOT NULL DEFAULT 'null';
ALTER TABLE sessions ADD COLUMN pod_status TEXT NOT NULL DEFAULT 'null';
",
    // From this version on, segments may be compressed, which earlier programs cannot read.
    "SELECT 1;",
];

/// The largest number that every client of a database represents exactly: JavaScript's numbers are
/// floating-point. As a time, it is beyond the year 280,000.
pub const LARGEST_NUMBER: u64 = (1 << 53) - 1;

/// Selects every session, newest first. The log may be ahead of the row's own `head`, which is only
/// written when something else of the session changes.
pub const SESSIONS: &str = "
SELECT id, epoch, name, project, driver, command, cwd, cols, rows, created_at, last_activity,
    lifecycle, exit_code, exit_signal,
    max(head, coalesce((SELECT max(last_seq) FROM segments
        WHERE session = sessions.id AND segments.epoch = sessions.epoch), 0)), env, host, agent,
    tmux, exit_reason, workspace, pod, pod_status
FROM sessions ORDER BY created_at DESC, id";

/// Inserts or replaces a session: the columns in the order of [`SESSIONS`].
pub const PUT_SESSION: &str = "
INSERT OR REPLACE INTO sessions (id, epoch, name, project, driver, command, cwd, cols, rows,
    created_at, last_activity, lifecycle, exit_code, exit_signal, head, env, host, agent, tmux,
    exit_reason, workspace, pod, pod_status)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20,
    ?21, ?22, ?23)";

/// Renames a session: (id, name).
pub const RENAME_SESSION: &str = "UPDATE sessions SET name = ?2 WHERE id = ?1";

/// Moves a session to a project: (id, project).
pub const MOVE_SESSION: &str = "UPDATE sessions SET project = ?2 WHERE id = ?1";

/// Removes a session and everything that belongs to it: each with (id).
pub const DELETE_SESSION: [&str; 4] = [
    "DELETE FROM sessions WHERE id = ?1",
    "DELETE FROM segments WHERE session = ?1",
    "DELETE FROM snapshots WHERE session = ?1",
    "DELETE FROM session_notes WHERE session = ?1",
];

/// Selects a note of a session: (session, name) gives (value).
pub const SESSION_NOTE: &str = "SELECT value FROM session_notes WHERE session = ?1 AND name = ?2";

/// Selects one note of every session that has it: (name) gives (session, value).
pub const SESSION_NOTES: &str = "SELECT session, value FROM session_notes WHERE name = ?1";

/// Inserts or replaces a note of a session that exists: (session, name, value).
pub const PUT_SESSION_NOTE: &str = "
INSERT OR REPLACE INTO session_notes (session, name, value)
SELECT id, ?2, ?3 FROM sessions WHERE id = ?1";

/// Selects the newest segment, with its data if it has at most ?2 bytes: (session, bytes) gives
/// (epoch, `first_seq`, `last_seq`, data or null).
pub const LAST_SEGMENT: &str = "
SELECT epoch, first_seq, last_seq, CASE WHEN bytes <= ?2 THEN data END FROM segments
WHERE session = ?1 ORDER BY first_seq DESC LIMIT 1";

/// Inserts a segment: (session, `first_seq`, epoch, `last_seq`, bytes, data).
pub const INSERT_SEGMENT: &str = "
INSERT INTO segments (session, first_seq, epoch, last_seq, bytes, data)
VALUES (?1, ?2, ?3, ?4, ?5, ?6)";

/// Rewrites a segment that grew: (session, `first_seq`, `last_seq`, bytes, data).
pub const UPDATE_SEGMENT: &str = "
UPDATE segments SET last_seq = ?3, bytes = ?4, data = ?5 WHERE session = ?1 AND first_seq = ?2";

/// Selects the segments of a log, newest first, without the data: (session, epoch) gives
/// (`first_seq`, `last_seq`, bytes).
pub const SEGMENTS: &str = "
SELECT first_seq, last_seq, bytes FROM segments
WHERE session = ?1 AND epoch = ?2 ORDER BY first_seq DESC";

/// Copies the segments up to an entry to another session:
/// (session, epoch, seq, other session, other epoch).
pub const COPY_SEGMENTS: &str = "
INSERT INTO segments (session, first_seq, epoch, last_seq, bytes, data)
SELECT ?4, first_seq, ?5, last_seq, bytes, data FROM segments
WHERE session = ?1 AND epoch = ?2 AND last_seq <= ?3";

/// Selects the data of one segment: (session, `first_seq`).
pub const SEGMENT_DATA: &str = "SELECT data FROM segments WHERE session = ?1 AND first_seq = ?2";

/// Removes the segments that end at or before an entry: (session, `last_seq`).
pub const DELETE_SEGMENTS: &str = "DELETE FROM segments WHERE session = ?1 AND last_seq <= ?2";

/// Replaces the session's snapshot: (session, epoch, seq, cols, rows, data).
pub const PUT_SNAPSHOT: &str = "
INSERT OR REPLACE INTO snapshots (session, epoch, seq, cols, rows, data)
VALUES (?1, ?2, ?3, ?4, ?5, ?6)";

/// Selects the session's snapshot: (session, epoch) gives (seq, cols, rows, data).
pub const SNAPSHOT: &str =
    "SELECT seq, cols, rows, data FROM snapshots WHERE session = ?1 AND epoch = ?2";

/// Selects every project: (id, name, directory, `created_at`).
pub const PROJECTS: &str = "SELECT id, name, directory, created_at FROM projects";

/// Inserts or replaces a project: the columns in the order of [`PROJECTS`].
pub const PUT_PROJECT: &str = "
INSERT OR REPLACE INTO projects (id, name, directory, created_at) VALUES (?1, ?2, ?3, ?4)";

/// Removes a project, and leaves its sessions and workspaces without one: each with (id).
pub const DELETE_PROJECT: [&str; 3] = [
    "DELETE FROM projects WHERE id = ?1",
    "UPDATE sessions SET project = NULL WHERE project = ?1",
    "UPDATE workspaces SET project = NULL WHERE project = ?1",
];

/// Selects every workspace: (id, name, project, `created_at`).
pub const WORKSPACES: &str = "SELECT id, name, project, created_at FROM workspaces";

/// Inserts or replaces a workspace: the columns in the order of [`WORKSPACES`].
pub const PUT_WORKSPACE: &str = "
INSERT OR REPLACE INTO workspaces (id, name, project, created_at) VALUES (?1, ?2, ?3, ?4)";

/// Removes a workspace from the list: (id).
pub const DELETE_WORKSPACE: &str = "DELETE FROM workspaces WHERE id = ?1";

/// Inserts a token: (id, hash, scope, label, `created_at`, `expires_at`, `browser_of`).
pub const INSERT_TOKEN: &str = "
INSERT INTO tokens (id, hash, scope, label, created_at, expires_at, browser_of)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";

/// Selects all tokens, oldest first, without their hashes:
/// (id, scope, label, `created_at`, `expires_at`, `last_used`, `browser_of`).
pub const TOKENS: &str = "
SELECT id, scope, label, created_at, expires_at, last_used, browser_of FROM tokens
ORDER BY created_at, id";

/// Selects a token by its hash: (hash) gives (id, hash, scope, label, `expires_at`, `browser_of`).
pub const TOKEN_BY_HASH: &str =
    "SELECT id, hash, scope, label, expires_at, browser_of FROM tokens WHERE hash = ?1";

/// Changes what a token allows: (id, scope, label, `expires_at`).
pub const CHANGE_TOKEN: &str =
    "UPDATE tokens SET scope = ?2, label = ?3, expires_at = ?4 WHERE id = ?1";

/// Records a token's last use: (id, `last_used`).
pub const USE_TOKEN: &str = "UPDATE tokens SET last_used = ?2 WHERE id = ?1";

/// Selects a token's hash by its id: (id).
pub const TOKEN_HASH: &str = "SELECT hash FROM tokens WHERE id = ?1";

/// Revokes a token: (id).
pub const DELETE_TOKEN: &str = "DELETE FROM tokens WHERE id = ?1";

/// Removes expired cookies, and those of a token that expire first, beyond a number:
/// (now, number that stay, hash of the token).
pub const EXPIRE_COOKIES: &str = "
DELETE FROM cookies WHERE expires_at <= ?1 OR hash IN
    (SELECT hash FROM cookies WHERE token = ?3 ORDER BY expires_at DESC LIMIT -1 OFFSET ?2)";

/// Inserts a cookie: (hash of its secret, hash of the token that it stands for, `expires_at`).
pub const PUT_COOKIE: &str = "INSERT INTO cookies (hash, token, expires_at) VALUES (?1, ?2, ?3)";

/// Lets a valid cookie expire later: (hash, `expires_at`, now).
pub const RENEW_COOKIE: &str = "
UPDATE cookies SET expires_at = max(expires_at, ?2) WHERE hash = ?1 AND expires_at > ?3";

/// Selects a valid cookie: (hash, now) gives the hash of its token and `expires_at`.
pub const COOKIE: &str =
    "SELECT token, expires_at FROM cookies WHERE hash = ?1 AND expires_at > ?2";

/// Removes a cookie: (hash).
pub const DELETE_COOKIE: &str = "DELETE FROM cookies WHERE hash = ?1";

/// Removes the cookies of a person's browsers: (hash of the caller's token, the person as
/// [`Grant::person`](crate::auth::Grant::person) has it) gives the hash of each cookie's token.
pub const DELETE_COOKIES: &str = "
DELETE FROM cookies WHERE token = ?1
    OR token IN (SELECT hash FROM tokens WHERE id = ?2 OR browser_of = ?2)
    OR (?2 = '' AND token NOT IN (SELECT hash FROM tokens))
RETURNING token";

/// Revokes tokens that are browsers' own, except those with passkeys: (id of one, or else the person
/// whose browsers they are) gives the hash of each.
pub const END_BROWSER_TOKENS: &str = "
DELETE FROM tokens WHERE browser_of IS NOT NULL AND (id = ?1 OR browser_of = ?2)
    AND hash NOT IN (SELECT token FROM passkeys)
RETURNING hash";

/// Adds an audit event: (at, kind, who, token, address, session, detail).
pub const PUT_AUDIT: &str = "
INSERT INTO audit (at, kind, who, token, address, session, detail)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";

/// Removes the oldest audit events beyond a number: (number that stay).
pub const TRIM_AUDIT: &str = "DELETE FROM audit WHERE id <= (SELECT max(id) FROM audit) - ?1";

/// Selects audit events, newest first: (before, count, kinds, each between commas, or empty for all)
/// gives
/// (id, at, kind, who, token, address, session, detail).
pub const AUDIT: &str = "
SELECT id, at, kind, who, token, address, session, detail FROM audit
WHERE id < ?1 AND (?3 = '' OR instr(?3, ',' || kind || ',') > 0) ORDER BY id DESC LIMIT ?2";

/// Selects every host: (id, name, version, drivers, `last_seen`, missing).
pub const HOSTS: &str =
    "SELECT id, name, version, drivers, last_seen, missing FROM hosts ORDER BY id";

/// Inserts or replaces a host: the columns in the order of [`HOSTS`].
pub const PUT_HOST: &str = "
INSERT OR REPLACE INTO hosts (id, name, version, drivers, last_seen, missing)
VALUES (?1, ?2, ?3, ?4, ?5, ?6)";

/// Records a deleted session that its host must forget: (session, host, `deleted_at`).
pub const PUT_DELETED: &str =
    "INSERT OR REPLACE INTO deleted (session, host, deleted_at) VALUES (?1, ?2, ?3)";

/// Selects the sessions that a host must forget: (host) gives (session).
pub const DELETED: &str = "SELECT session FROM deleted WHERE host = ?1";

/// Removes a deleted session that its host has forgotten: (session).
pub const REMOVE_DELETED: &str = "DELETE FROM deleted WHERE session = ?1";

/// Selects the input that waits for the host, oldest first for each client: (client, seq, data,
/// 1 if a host may have been given it).
pub const HELD: &str = "SELECT client, seq, data, given FROM held ORDER BY client, seq";

/// Inserts or replaces a piece of input: the columns in the order of [`HELD`].
pub const PUT_HELD: &str =
    "INSERT OR REPLACE INTO held (client, seq, data, given) VALUES (?1, ?2, ?3, ?4)";

/// Records that the host is given input: (client, seq).
pub const GIVE_HELD: &str = "UPDATE held SET given = 1 WHERE client = ?1 AND seq <= ?2";

/// Removes the input that the host has accepted: (client, seq).
pub const REMOVE_HELD: &str = "DELETE FROM held WHERE client = ?1 AND seq <= ?2";

/// Selects a note: (name) gives (value).
pub const NOTE: &str = "SELECT value FROM notes WHERE name = ?1";

/// Inserts or replaces a note: (name, value).
pub const PUT_NOTE: &str = "INSERT OR REPLACE INTO notes (name, value) VALUES (?1, ?2)";

/// Inserts or replaces a subscription to notices: (id, hash of its token, endpoint, key, secret).
pub const PUT_SUBSCRIPTION: &str = "
INSERT OR REPLACE INTO push_subscriptions (id, token, endpoint, p256dh, auth)
VALUES (?1, ?2, ?3, ?4, ?5)";

/// Selects every subscription: the columns in the order of [`PUT_SUBSCRIPTION`].
pub const SUBSCRIPTIONS: &str = "SELECT id, token, endpoint, p256dh, auth FROM push_subscriptions";

/// Removes a subscription: (id).
pub const DELETE_SUBSCRIPTION: &str = "DELETE FROM push_subscriptions WHERE id = ?1";

/// Removes the subscriptions that were made with a token: (hash of the token).
pub const DELETE_SUBSCRIPTIONS: &str = "DELETE FROM push_subscriptions WHERE token = ?1";

/// Stores the key of challenges, unless there is one: (key).
pub const PUT_PASSKEY_CHALLENGE_KEY: &str =
    "INSERT INTO passkey_challenge_key (id, key) VALUES (0, ?1) ON CONFLICT DO NOTHING";

/// The key of challenges.
pub const PASSKEY_CHALLENGE_KEY: &str = "SELECT key FROM passkey_challenge_key";

/// Removes used challenges that have expired: (now).
pub const EXPIRE_PASSKEY_CHALLENGES: &str =
    "DELETE FROM used_passkey_challenges WHERE expires_at <= ?1";

/// Notes that a challenge was used: (its hash, `expires_at`, the most that are noted) gives a row, unless it was noted before
/// or too many are.
pub const USE_PASSKEY_CHALLENGE: &str = "
INSERT INTO used_passkey_challenges (hash, expires_at) SELECT ?1, ?2
    WHERE (SELECT COUNT(*) FROM used_passkey_challenges) < ?3
    ON CONFLICT DO NOTHING RETURNING 1";

/// Inserts a passkey: (id, hash of its token, relay, label, credential, key, counter, `created_at`).
pub const PUT_PASSKEY: &str = "
INSERT INTO passkeys (id, token, relay, label, credential, key, counter, created_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";

/// Selects all passkeys, oldest first: the columns in the order of [`PUT_PASSKEY`], `last_used`, and
/// the id and the label of the token, if it is stored.
pub const PASSKEYS: &str = "
SELECT passkeys.id, token, relay, passkeys.label, credential, key, counter, passkeys.created_at,
    passkeys.last_used, tokens.id, tokens.label
FROM passkeys LEFT JOIN tokens ON tokens.hash = token ORDER BY passkeys.created_at, passkeys.id";

/// Records that somebody logged in with a passkey: (id, counter, `last_used`).
pub const USE_PASSKEY: &str =
    "UPDATE passkeys SET counter = max(counter, ?2), last_used = ?3 WHERE id = ?1";

/// Removes a passkey: (id).
pub const DELETE_PASSKEY: &str = "DELETE FROM passkeys WHERE id = ?1";

/// Removes the passkeys of a token that is about to be revoked: (id of the token).
pub const DELETE_PASSKEYS: &str =
    "DELETE FROM passkeys WHERE token = (SELECT hash FROM tokens WHERE id = ?1)";
