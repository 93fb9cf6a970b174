//! The open connections, each with the credential that let it in. When that no longer allows the
//! connection, the connection ends.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use moorline_core::auth::{Grant, SecretHash};
use moorline_core::routes::Route;
use moorline_shared::message::close;
use tokio::sync::{Notify, watch};
use tokio::time::sleep;

/// The interval of checks, for what changes without notice: the passing of time, and tokens that
/// other processes revoke.
const CHECK_INTERVAL: Duration = Duration::from_millis(500);

/// What a caller presented.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CallerSecret {
    /// The token's hash.
    pub token: SecretHash,
    /// The hash of the cookie's secret, if a cookie stands for the token.
    pub cookie: Option<SecretHash>,
}

/// The holder of an open connection.
#[derive(Debug, Clone)]
pub struct LeaseHolder {
    /// What the holder presented.
    pub secret: CallerSecret,
    /// What that gave when the connection was opened.
    pub grant: Grant,
    /// The holder's address.
    pub address: IpAddr,
}

/// A connection's purpose, by which it was admitted.
#[derive(Debug, Clone)]
pub struct LeasePurpose {
    /// The route.
    pub route: &'static Route,
    /// The id in the route's path.
    pub id: String,
}

/// The reason that a connection must end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessEnd {
    /// The relay shuts down.
    ShuttingDown,
    /// The caller's token no longer allows the connection.
    NotAllowed,
}

impl AccessEnd {
    /// Returns the close code and the reason for the client.
    #[must_use]
    pub const fn close(self) -> (u16, &'static str) {
        match self {
            Self::ShuttingDown => (close::GOING_AWAY, "the relay is shutting down"),
            Self::NotAllowed => {
                (close::UNAUTHORIZED, "the token was revoked, has expired, or allows less now")
            }
        }
    }
}

/// The open connections.
#[derive(Debug, Default)]
pub struct Leases {
    held: Mutex<HeldLeases>,
    /// Notified when the first connection is opened, and when a token was changed.
    changed: Notify,
}

#[derive(Debug, Default)]
struct HeldLeases {
    next: u64,
    leases: HashMap<u64, OpenLease>,
}

#[derive(Debug)]
struct OpenLease {
    holder: LeaseHolder,
    purpose: LeasePurpose,
    ended: watch::Sender<bool>,
}

/// One open connection. Dropping it means that the connection has ended.
#[derive(Debug)]
pub struct AccessLease {
    closing: watch::Receiver<bool>,
    signal: LeaseSignal,
    /// `None` for a connection that depends on no token.
    _registered: Option<RegisteredLease>,
}

/// Tells that the caller's token no longer allows a connection, without being its lease.
#[derive(Debug, Clone)]
pub struct LeaseSignal(Option<watch::Receiver<bool>>);

/// The place of a lease among all. Dropping it gives the place up.
#[derive(Debug)]
struct RegisteredLease {
    number: u64,
    leases: Arc<Leases>,
}

impl Leases {
    /// Registers a connection that ends when its credential no longer allows it, or when `closing`
    /// is true.
    #[must_use]
    pub fn hold(
        self: &Arc<Self>,
        holder: LeaseHolder,
        purpose: LeasePurpose,
        closing: watch::Receiver<bool>,
    ) -> AccessLease {
        let (sender, ended) = watch::channel(false);
        let mut held = self.held();
        let (number, is_first) = (held.next, held.leases.is_empty());
        held.next += 1;
        held.leases.insert(number, OpenLease { holder, purpose, ended: sender });
        drop(held);
        if is_first {
            self.changed.notify_one();
        }
        AccessLease {
            closing,
            signal: LeaseSignal(Some(ended)),
            _registered: Some(RegisteredLease { number, leases: Arc::clone(self) }),
        }
    }

    /// Checks all connections soon: a token or what it reaches was changed.
    pub fn check(&self) {
        self.changed.notify_one();
    }

    /// Ends each connection that is no longer allowed, until the future is dropped. `allows` returns
    /// a check of connections for what a caller presented; `cut` is called for each connection that
    /// ends.
    pub async fn watch<C: Fn(&Grant, &LeasePurpose) -> bool>(
        &self,
        allows: impl Fn(&CallerSecret) -> C,
        cut: impl Fn(&LeaseHolder, &LeasePurpose),
    ) {
        loop {
            self.sweep(&allows, &cut);
            let is_empty = self.held().leases.is_empty();
            tokio::select! {
                () = self.changed.notified() => {}
                () = sleep(CHECK_INTERVAL), if !is_empty => {}
            }
        }
    }

    fn sweep<C: Fn(&Grant, &LeasePurpose) -> bool>(
        &self,
        allows: impl Fn(&CallerSecret) -> C,
        cut: impl Fn(&LeaseHolder, &LeasePurpose),
    ) {
        // The checks read the database, so the lock is not held meanwhile.
        let open: Vec<(u64, LeaseHolder, LeasePurpose)> = {
            let held = self.held();
            let leases = held.leases.iter().filter(|(_, lease)| !*lease.ended.borrow());
            let of = |(number, lease): (&u64, &OpenLease)| {
                (*number, lease.holder.clone(), lease.purpose.clone())
            };
            leases.map(of).collect()
        };
        let mut checks: HashMap<CallerSecret, C> = HashMap::new();
        for (number, holder, purpose) in open {
            let check = checks.entry(holder.secret).or_insert_with(|| allows(&holder.secret));
            if check(&holder.grant, &purpose) {
                continue;
            }
            if let Some(lease) = self.held().leases.get(&number) {
                lease.ended.send_replace(true);
                cut(&holder, &purpose);
            }
        }
    }

    fn held(&self) -> MutexGuard<'_, HeldLeases> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AccessLease {
    /// Returns a lease that depends on no token, and ends when `closing` is true.
    #[must_use]
    pub const fn until(closing: watch::Receiver<bool>) -> Self {
        Self { closing, signal: LeaseSignal::never(), _registered: None }
    }

    /// Returns the reason that the connection must end, if it must.
    #[must_use]
    pub fn ending(&self) -> Option<AccessEnd> {
        if self.signal.has_come() {
            Some(AccessEnd::NotAllowed)
        } else if *self.closing.borrow() {
            Some(AccessEnd::ShuttingDown)
        } else {
            None
        }
    }

    /// Returns a signal for another part of the same connection.
    #[must_use]
    pub fn signal(&self) -> LeaseSignal {
        self.signal.clone()
    }

    /// Waits until the connection must end.
    pub async fn ended(&mut self) -> AccessEnd {
        let Self { closing, signal, .. } = self;
        tokio::select! {
            biased;
            ending = signal.not_allowed() => ending,
            // Cannot fail: the registry, which has the sender, outlives this.
            _ = closing.wait_for(|closing| *closing) => AccessEnd::ShuttingDown,
        }
    }
}

impl LeaseSignal {
    /// Returns the signal of a connection that depends on no token.
    #[must_use]
    pub const fn never() -> Self {
        Self(None)
    }

    fn has_come(&self) -> bool {
        self.0.as_ref().is_some_and(|ended| *ended.borrow())
    }

    /// Waits until the caller's token no longer allows the connection.
    pub async fn not_allowed(&mut self) -> AccessEnd {
        let has_ended = match &mut self.0 {
            Some(ended) => ended.wait_for(|ended| *ended).await.is_ok(),
            None => false,
        };
        if !has_ended {
            // It depends on no token, or its lease was dropped: it has ended already.
            std::future::pending::<()>().await;
        }
        AccessEnd::NotAllowed
    }
}

impl Drop for RegisteredLease {
    fn drop(&mut self) {
        self.leases.held().leases.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use moorline_core::routes::ROUTES;

    use super::*;

    fn holder(byte: u8) -> LeaseHolder {
        let secret = CallerSecret { token: [byte; 32], cookie: None };
        LeaseHolder { secret, grant: Grant::unstored(), address: [127, 0, 0, 1].into() }
    }

    fn purpose(id: &str) -> LeasePurpose {
        LeasePurpose { route: &ROUTES[0], id: id.to_owned() }
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_ends_when_its_token_no_longer_allows_it() {
        let (leases, closing) = (Arc::new(Leases::default()), watch::Sender::new(false));
        let mut one = leases.hold(holder(1), purpose("one"), closing.subscribe());
        let two = leases.hold(holder(1), purpose("two"), closing.subscribe());
        let other = leases.hold(holder(2), purpose("one"), closing.subscribe());
        let allows = |secret: &CallerSecret| {
            let is_other = secret.token == [2; 32];
            move |_: &Grant, purpose: &LeasePurpose| is_other || purpose.id == "two"
        };
        let ended = tokio::select! {
            () = leases.watch(allows, |_, purpose| assert_eq!(purpose.id, "one")) => None,
            ended = one.ended() => Some(ended),
        };
        assert_eq!(
            (ended, one.ending()),
            (Some(AccessEnd::NotAllowed), Some(AccessEnd::NotAllowed))
        );
        assert_eq!((two.ending(), other.ending()), (None, None));
        drop((one, two));
        assert_eq!(leases.held().leases.len(), 1);
        closing.send_replace(true);
        assert_eq!(other.ending(), Some(AccessEnd::ShuttingDown));
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_without_a_token_ends_with_the_relay() {
        let closing = watch::Sender::new(false);
        let mut lease = AccessLease::until(closing.subscribe());
        assert_eq!(lease.ending(), None);
        closing.send_replace(true);
        assert_eq!(lease.ended().await, AccessEnd::ShuttingDown);
    }
}
