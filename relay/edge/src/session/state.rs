//! A session in memory, loaded from the object's rows and its sockets' attachments.

use std::collections::BTreeMap;

use futures_channel::oneshot;
use moorline_core::LastStatus;
use moorline_core::audit::AuditRecord;
use moorline_core::peer::Peer;
use moorline_core::plain::Plain;
use moorline_core::profile::Profile;
use moorline_core::record::SessionRecord;
use moorline_core::session::{Session, SessionInput, StoredSession};
use moorline_core::stored::Stored;
use moorline_shared::id::{Epoch, Seq};
use moorline_shared::log::{Entry, Log};
use moorline_shared::message::close;
use moorline_shared::publish::{RequestId, WriteRefused};
use moorline_shared::time::Time;
use worker::{Env, State, WebSocket};

use super::expiry::Expiry;
use super::notifier::VisibleState;
use super::report::ReportState;
use super::sockets::{self, Attachment, Owners, SocketOwner};
use super::storage::{AGENT, LAST_STATUS, SINCE, SessionStore};
use crate::internal::Caller;
use crate::sql::{ObjectDatabase, SqlError};

/// A session in memory, with its sockets and its progress in storing and reporting.
#[derive(Debug)]
pub(super) struct SessionState {
    pub(super) session: Session,
    pub(super) store: SessionStore,
    pub(super) clients: BTreeMap<SocketOwner, Client>,
    pub(super) host: Option<HostLink>,
    pub(super) owners: Owners,
    pub(super) last_owner: SocketOwner,
    pub(super) report: ReportState,
    pub(super) expiry: Expiry,
    pub(super) visible: VisibleState,
    /// What clients have done, which the directory has not been told.
    pub(super) audit: Vec<AuditRecord>,
    /// Requests that wait for the host to write something.
    pub(super) writing: Vec<(RequestId, oneshot::Sender<Result<(), WriteRefused>>)>,
}

/// A client and its socket.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) socket: WebSocket,
    pub(super) peer: Peer,
    /// State of a plain client; `None` for one that speaks the protocol.
    pub(super) plain: Option<Plain>,
    /// Who has opened it; `None` if an earlier version accepted it.
    pub(super) caller: Option<Caller>,
    /// True if the socket's attachment is out of date.
    pub(super) has_moved: bool,
}

/// The link of the host.
#[derive(Debug)]
pub(super) struct HostLink {
    pub(super) socket: WebSocket,
    /// When the link was opened, in milliseconds since 1970. It is later than that of the link it
    /// replaced.
    pub(super) since: u64,
    /// Hash of what the directory was last told.
    pub(super) listed: Option<u64>,
    /// Time of the host's last message.
    pub(super) heard: Time,
    /// [`Session::host_is_asked`], as saved in the attachment.
    pub(super) is_asked: bool,
    /// Acknowledgement that is withheld until others were served, and since when: see
    /// [`SessionState::command_host`].
    pub(super) withheld: Option<(Seq, Time)>,
    /// Who has opened it; `None` if an earlier version accepted it.
    pub(super) caller: Option<Caller>,
}

impl SessionState {
    /// Loads the session; `None` if it does not exist.
    pub(super) fn load(state: &State, env: &Env, now: Time) -> Result<Option<Self>, SqlError> {
        let database = ObjectDatabase::open(state.storage().sql())?;
        let Some(record) = database.sessions()?.into_iter().next() else {
            for (socket, _) in sockets::open(state)? {
                sockets::close(&socket, close::NOT_FOUND, "the session does not exist");
            }
            return Ok(None);
        };
        let sockets = sockets::open(state)?;
        let mut loaded = Self::restored(database, record, Expiry::configured(env))?;
        loaded.take_sockets(sockets, now);
        Ok(Some(loaded))
    }

    /// The session as its rows describe it, still without sockets.
    fn restored(
        database: ObjectDatabase,
        record: SessionRecord,
        expiry: Expiry,
    ) -> Result<Self, SqlError> {
        let (id, epoch, lifecycle) = (&record.id, record.epoch, record.lifecycle);
        let rows = database.segments(id, epoch)?;
        let head = rows.last().map_or(record.head, |row| row.last);
        let (last, newest) = database.last_segment(id, &rows)?;
        let since = Time::from_ms(database.note(SINCE)?.unwrap_or(record.last_activity_ms));
        let stored = StoredSession {
            newest: log(epoch, head, newest),
            index: Stored::new(epoch, rows),
            snapshot: database.snapshot(id, epoch)?,
            last_status: database.note::<Option<LastStatus>>(LAST_STATUS)?.flatten(),
            agent: database.long_note(AGENT)?,
            record,
        };
        let mut session = Session::restored(stored, &Profile::EDGE);
        for (client_id, piece, is_given) in database.held()? {
            session.restore_held(&client_id, &piece, is_given);
        }
        Ok(Self {
            session,
            store: SessionStore::new(database, last, lifecycle, since),
            clients: BTreeMap::new(),
            host: None,
            owners: Owners::default(),
            last_owner: SocketOwner(0),
            report: ReportState::default(),
            expiry,
            visible: VisibleState::default(),
            audit: Vec::new(),
            writing: Vec::new(),
        })
    }

    /// Takes back the sockets that outlived the object's memory.
    fn take_sockets(&mut self, sockets: Vec<(WebSocket, Option<Attachment>)>, now: Time) {
        let mut hosts = Vec::new();
        for (socket, attachment) in sockets {
            match attachment {
                Some(Attachment::Client { peer, plain, caller }) => {
                    match Peer::restore(&mut self.session, now, *peer) {
                        Ok(peer) => {
                            self.put_client(socket, peer, plain, caller.map(|caller| *caller));
                        }
                        Err(_) => sockets::close(&socket, close::OVERLOADED, "too many clients"),
                    }
                }
                Some(Attachment::Host { since, listed, asked, caller }) => {
                    hosts.push(HostLink {
                        socket,
                        since,
                        listed,
                        heard: now,
                        is_asked: asked,
                        withheld: None,
                        caller: caller.map(|caller| *caller),
                    });
                }
                None => sockets::close(&socket, close::GOING_AWAY, "reconnect"),
            }
        }
        hosts.sort_by_key(|host| host.since);
        if let Some(host) = hosts.pop() {
            self.report.was_told(host.listed, self.session.last_activity_ms());
            self.session.handle(now, SessionInput::HostStayed { is_asked: host.is_asked });
            self.put_host(host);
        }
        for older in hosts {
            sockets::close(&older.socket, close::REPLACED, "a newer link replaced this one");
        }
    }

    /// Registers a client and its socket.
    pub(super) fn put_client(
        &mut self,
        socket: WebSocket,
        peer: Peer,
        plain: Option<Plain>,
        caller: Option<Caller>,
    ) {
        let owner = self.next_owner();
        self.owners.insert(&socket, owner);
        self.clients.insert(owner, Client { socket, peer, plain, caller, has_moved: true });
    }

    /// Registers the host's link.
    pub(super) fn put_host(&mut self, host: HostLink) {
        let owner = self.next_owner();
        self.owners.insert(&host.socket, owner);
        self.host = Some(host);
    }

    fn next_owner(&mut self) -> SocketOwner {
        self.last_owner.0 += 1;
        self.last_owner
    }
}

/// A log that has only its newest entries in memory.
fn log(epoch: Epoch, head: Seq, newest: Vec<Entry>) -> Log {
    let before = newest.first().map_or(head, |entry| Seq(entry.seq().0.saturating_sub(1)));
    let mut log = Log::starting_after(epoch, before);
    // A damaged row ends early: the host may still have what follows, otherwise it is lost.
    newest.into_iter().try_for_each(|entry| log.push(entry)).unwrap_or_default();
    log
}
