//! Passes: secrets that give full access and are never stored, for commands on the relay's own machine.
//! A command therefore gets in even if the disk is full, and leaves nothing behind.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use moorline_shared::time::Time;

use moorline_core::auth::{SecretHash, hash_secret, random_secret};

/// Limit of passes that are valid at a time.
const PASSES: usize = 256;

/// The reason that a pass was not made.
#[derive(Debug, thiserror::Error)]
pub enum PassError {
    /// The limit of valid passes is reached.
    #[error("{PASSES} commands use this relay already")]
    TooMany,
    /// The system could not provide random numbers.
    #[error("cannot get random numbers: {0}")]
    Random(#[from] getrandom::Error),
}

/// The valid passes, by hash. Clones share one set.
#[derive(Debug, Default, Clone)]
pub struct Passes {
    /// The time at which each pass expires; `None` for a pass that is valid while its [`HeldPass`]
    /// lives.
    valid: Arc<Mutex<HashMap<SecretHash, Option<Time>>>>,
}

impl Passes {
    /// Makes a pass that is valid until the returned value is dropped.
    ///
    /// # Errors
    /// [`PassError`].
    pub fn hold(&self, now: Time) -> Result<HeldPass, PassError> {
        let secret = self.add(None, now)?;
        Ok(HeldPass { secret, passes: self.clone() })
    }

    /// Makes a pass that is valid until `until`, and returns only its hash, for a ticket to stand for.
    ///
    /// # Errors
    /// [`PassError`].
    pub fn until(&self, until: Time, now: Time) -> Result<SecretHash, PassError> {
        self.add(Some(until), now).map(|secret| hash_secret(&secret))
    }

    /// Returns true if a secret with this hash is a valid pass.
    #[must_use]
    pub fn allow(&self, secret: &SecretHash, now: Time) -> bool {
        self.valid().get(secret).is_some_and(|until| until.is_none_or(|until| now < until))
    }

    fn add(&self, until: Option<Time>, now: Time) -> Result<String, PassError> {
        let secret = random_secret()?;
        let mut valid = self.valid();
        valid.retain(|_, until| until.is_none_or(|until| now < until));
        if valid.len() >= PASSES {
            return Err(PassError::TooMany);
        }
        valid.insert(hash_secret(&secret), until);
        Ok(secret)
    }

    fn valid(&self) -> MutexGuard<'_, HashMap<SecretHash, Option<Time>>> {
        self.valid.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A pass that is valid until this value is dropped.
pub struct HeldPass {
    secret: String,
    passes: Passes,
}

impl HeldPass {
    /// The secret to present as a token.
    #[must_use]
    pub fn secret(&self) -> &str {
        &self.secret
    }
}

impl Drop for HeldPass {
    fn drop(&mut self) {
        self.passes.valid().remove(&hash_secret(&self.secret));
    }
}

impl std::fmt::Debug for HeldPass {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HeldPass").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_pass_is_valid_while_it_is_held_or_until_its_time() {
        let passes = Passes::default();
        let now = Time::from_ms(1000);
        let held = passes.hold(now).unwrap();
        let hash = hash_secret(held.secret());
        let much_later = now + Duration::from_secs(1_000_000);
        assert!(passes.allow(&hash, now) && passes.allow(&hash, much_later));
        assert!(!format!("{held:?} {passes:?}").contains(held.secret()));
        drop(held);
        assert!(!passes.allow(&hash, now));

        let timed = passes.until(now + Duration::from_secs(60), now).unwrap();
        assert!(passes.allow(&timed, now));
        assert!(!passes.allow(&timed, now + Duration::from_secs(60)));
        assert!(!passes.allow(&hash_secret(""), now));
    }

    #[test]
    fn passes_are_bounded() {
        let passes = Passes::default();
        let now = Time::from_ms(1000);
        let until = now + Duration::from_secs(60);
        let held: Vec<_> = (1..PASSES).map(|_| passes.hold(now).unwrap()).collect();
        passes.until(until, now).unwrap();
        assert!(matches!(passes.hold(now), Err(PassError::TooMany)));
        passes.hold(until).unwrap();
        drop(held);
        assert!(passes.valid().len() <= 1);
    }
}
