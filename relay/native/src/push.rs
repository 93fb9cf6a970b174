//! Web Push: notices about questions, for browsers whose pages are closed.
//!
//! A browser subscribes with a token, and gets notices of the sessions that the token can read, for as
//! long as the token is valid. What is told, and to which services, is decided in
//! [`moorline_core::push`].

mod delivery;
mod key;
mod subscription;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use moorline_core::api::ApiError;
use moorline_core::auth::SecretHash;
use moorline_core::overview::ROUND;
use moorline_core::push::{PushNotice, PushServices, PushTracker, QuestionKey};
use moorline_shared::limits::{PUSH_SUBSCRIPTIONS, PUSH_SUBSCRIPTIONS_OF_TOKEN};
use moorline_shared::rest::SubscribePush;
use moorline_shared::time::Time;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::auth::{Tokens, VerifyError};
use super::clock::wall_ms;
use super::registry::Registry;
use super::store::{PushSubscription, Store, StoreError};
use delivery::PushClient;
use key::VapidKey;

/// The most notices that are sent or wait to be sent again. Further ones are dropped.
const DELIVERIES: usize = 256;
/// The most notices that are sent at a time. Each takes a thread meanwhile.
const SENDS: usize = 4;

/// The subscriptions, and what is needed to send notices to them.
#[derive(Debug)]
pub struct Push {
    folder: PathBuf,
    store: Mutex<Store>,
    tokens: Arc<Tokens>,
    services: PushServices,
    /// The relay's key, once somebody has needed it.
    key: OnceLock<VapidKey>,
    /// The HTTP client, once something was sent.
    client: OnceLock<PushClient>,
    tracker: Mutex<PushTracker>,
    sends: Semaphore,
}

impl Push {
    /// Keeps the key in `folder`, and the subscriptions in `store`.
    #[must_use]
    pub fn new(folder: &Path, store: Store, tokens: Arc<Tokens>, services: PushServices) -> Self {
        Self {
            folder: folder.to_owned(),
            store: Mutex::new(store),
            tokens,
            services,
            key: OnceLock::new(),
            client: OnceLock::new(),
            tracker: Mutex::default(),
            sends: Semaphore::new(SENDS),
        }
    }

    /// Returns the public key with which browsers subscribe. The first call makes the key.
    ///
    /// # Errors
    /// `internal` if the key cannot be read or made.
    pub fn public_key(&self) -> Result<&str, ApiError> {
        self.key().map(VapidKey::public).map_err(|error| ApiError::internal(&error))
    }

    fn key(&self) -> Result<&VapidKey, key::KeyError> {
        // Two at once read the same file: the first to make it wins.
        match self.key.get() {
            Some(key) => Ok(key),
            None => VapidKey::open(&self.folder).map(|key| self.key.get_or_init(|| key)),
        }
    }

    /// Keeps the subscription of a browser with this token. Returns its id.
    ///
    /// # Errors
    /// `bad_request`, `unknown_push_service`, `overloaded` or `internal`.
    pub fn subscribe(
        &self,
        (token, is_admin): (&SecretHash, bool),
        wanted: &SubscribePush,
    ) -> Result<String, ApiError> {
        let subscription = subscription::read(token, wanted)?;
        if self.services.origin(&subscription.endpoint).is_none() {
            return Err(ApiError::unknown_push_service());
        }
        let id = subscription.id.clone();
        let kept = self.valid().map_err(|error| ApiError::internal(&error))?;
        let others = kept.iter().filter(|(known, _)| known.id != id);
        let of_token = others.clone().filter(|(known, _)| known.token == *token).count();
        // Who has a token for one session does not take the place of everybody else.
        let is_full = !is_admin && of_token >= PUSH_SUBSCRIPTIONS_OF_TOKEN;
        if is_full || others.count() >= PUSH_SUBSCRIPTIONS {
            return Err(ApiError::too_many_subscriptions());
        }
        let put = self.store().put_subscription(&subscription);
        put.map(|()| id).map_err(|error| ApiError::internal(&error))
    }

    /// Forgets a subscription. Without `token`, it may be anybody's.
    ///
    /// # Errors
    /// `not_found` or `internal`.
    pub fn unsubscribe(&self, id: &str, token: Option<&SecretHash>) -> Result<(), ApiError> {
        let failed = |error: StoreError| ApiError::internal(&error);
        let store = self.store();
        let known = store.subscriptions().map_err(failed)?;
        let is_own =
            |it: &PushSubscription| it.id == id && token.is_none_or(|token| it.token == *token);
        if !known.iter().any(is_own) {
            return Err(ApiError::no_subscription());
        }
        store.delete_subscription(id).map_err(failed)
    }

    /// Forgets the subscriptions of all browsers with this token.
    ///
    /// # Errors
    /// `internal`.
    pub fn forget_all_of(&self, token: &SecretHash) -> Result<(), ApiError> {
        let deleted = self.store().delete_subscriptions(token);
        deleted.map_err(|error| ApiError::internal(&error))
    }

    /// Returns the subscriptions whose tokens are valid, with what these allow. Forgets the others.
    fn valid(&self) -> Result<Vec<(PushSubscription, moorline_core::auth::Access)>, StoreError> {
        let now = Time::from_ms(wall_ms());
        let store = self.store();
        let mut valid = Vec::new();
        for subscription in store.subscriptions()? {
            match self.tokens.verify(&subscription.token, now) {
                Ok(grant) => valid.push((subscription, grant.access)),
                Err(VerifyError::Refused) => store.delete_subscription(&subscription.id)?,
                Err(VerifyError::Store(error)) => return Err(error),
            }
        }
        Ok(valid)
    }

    /// Sends notices until the relay shuts down.
    pub async fn run(self: Arc<Self>, registry: Arc<Registry>, mut closing: watch::Receiver<bool>) {
        let mut changed = registry.services().listing.subscribe();
        changed.mark_changed();
        let mut deliveries = JoinSet::new();
        loop {
            tokio::select! {
                // Cannot fail: the sender outlives the relay's tasks.
                _ = changed.changed() => {}
                Some(_) = deliveries.join_next() => continue,
                _ = closing.wait_for(|closing| *closing) => return,
            }
            let notices = self.tracker().update(&registry.open_approvals());
            for notice in notices {
                self.tell(&notice, &registry, &mut deliveries);
            }
            // Changes that follow soon are looked at together.
            tokio::time::sleep(ROUND).await;
        }
    }

    fn tell(
        self: &Arc<Self>,
        notice: &PushNotice,
        registry: &Registry,
        deliveries: &mut JoinSet<()>,
    ) {
        let valid = self.valid().unwrap_or_else(|error| {
            tracing::error!(%error, "the subscriptions to notices cannot be read");
            Vec::new()
        });
        let (session, _) = notice.message.key();
        let project = registry.project_of(&session);
        for (subscription, access) in valid {
            if access.scope_of(&session, project.as_ref()).is_none() {
                continue;
            }
            if deliveries.len() >= DELIVERIES {
                tracing::warn!("a notice was dropped: {DELIVERIES} others wait to be sent");
                return;
            }
            deliveries.spawn(delivery::deliver(Arc::clone(self), notice.clone(), subscription));
        }
    }

    fn is_open(&self, key: &QuestionKey) -> bool {
        self.tracker().is_open(key)
    }

    fn forget(&self, id: &str) {
        if let Err(error) = self.store().delete_subscription(id) {
            tracing::error!(%error, "a subscription that has ended could not be removed");
        }
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tracker(&self) -> MutexGuard<'_, PushTracker> {
        self.tracker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
