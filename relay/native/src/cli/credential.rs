//! Credentials with which the command line opens a relay.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use moorline_shared::id::SessionId;
use moorline_shared::limits::TICKET_LIFETIME;
use moorline_shared::message::Scope;
use moorline_shared::time::Time;

use crate::attach::Opener;
use crate::auth::Tokens;
use crate::clock::wall_ms;
use crate::command_socket::{Pass, ask_pass, ask_ticket};
use crate::data_folder::DataFolder;
use crate::store::FILE_NAME;
use moorline_core::auth::Access;

pub(super) const NO_TOKEN: &str =
    "a token is needed: give --token, or MOORLINE_TOKEN in the environment";
/// Lifetime of a token that is stored for one command; the command revokes it at its end.
const COMMAND_TOKEN: Duration = Duration::from_secs(300);
/// Lifetime of a token that is stored for one `attach`, in case that is killed before it revokes it.
const ATTACH_TOKEN: Duration = Duration::from_secs(30 * 24 * 3600);

/// A credential for a relay.
pub(super) enum RelayCredential {
    /// The token that the user gave.
    Given(String),
    /// A pass of the relay that serves from this folder. Nothing is stored.
    Pass { folder: PathBuf, pass: Pass },
    /// A token that is stored for this command and revoked at its end, as the relay gives no
    /// passes.
    Stored(StoredToken),
}

impl RelayCredential {
    /// Obtains a credential for the relay of this data folder.
    ///
    /// # Errors
    /// The folder has no database, or no token can be stored for a relay that gives no passes.
    pub(super) fn own(folder: &Path) -> anyhow::Result<Self> {
        if !folder.join(FILE_NAME).exists() {
            bail!("{NO_TOKEN} (no relay has its data in {})", folder.display());
        }
        let folder = DataFolder::open(folder)?;
        match ask_pass(folder.path()) {
            Ok(pass) => Ok(Self::Pass { folder: folder.path().to_owned(), pass }),
            // No relay serves from the folder, or it is of an earlier version.
            Err(error) => {
                tracing::debug!(%error, "the relay gave no pass");
                let tokens = Arc::new(Tokens::new(folder.store().context(NO_TOKEN)?, None));
                let label = "moorline on the command line";
                StoredToken::mint(tokens, &Access::Admin, label, COMMAND_TOKEN).map(Self::Stored)
            }
        }
    }

    /// The secret to present as a token.
    pub(super) fn secret(&self) -> &str {
        match self {
            Self::Given(token) => token,
            Self::Pass { pass, .. } => pass.secret(),
            Self::Stored(token) => &token.secret,
        }
    }

    /// Returns true if it came from the relay's own data folder.
    pub(super) const fn is_own(&self) -> bool {
        !matches!(self, Self::Given(_))
    }

    /// Returns a credential for one session that is valid while the session is followed.
    ///
    /// # Errors
    /// A token cannot be stored.
    pub(super) fn for_session(&self, id: &SessionId) -> anyhow::Result<SessionOpener> {
        let access = Access::Session { id: id.clone(), scope: Scope::Write };
        self.lasting(&access, "moorline attach")
    }

    /// Returns a credential that is valid until it is dropped, with this access at least.
    ///
    /// # Errors
    /// A token cannot be stored.
    pub(super) fn lasting(&self, access: &Access, label: &str) -> anyhow::Result<SessionOpener> {
        match self {
            Self::Given(token) => Ok(SessionOpener::of(Opener::Token(token.clone()))),
            Self::Pass { folder, .. } => Ok(SessionOpener::of(Opener::Folder(folder.clone()))),
            Self::Stored(own) => {
                let tokens = Arc::clone(&own.tokens);
                let token = StoredToken::mint(tokens, access, label, ATTACH_TOKEN)?;
                let opener = Opener::Token(token.secret.clone());
                Ok(SessionOpener { opener, _stored: Some(token) })
            }
        }
    }

    /// Asks for a ticket. `None` if [`RelayCredential::for_ticket`] is to be used instead.
    ///
    /// # Errors
    /// The relay gives no ticket.
    pub(super) fn ticket(&self) -> anyhow::Result<Option<String>> {
        let Self::Pass { folder, .. } = self else { return Ok(None) };
        Ok(Some(ask_ticket(folder).context("the relay gave no code")?))
    }

    /// Returns a token to ask for a ticket with. The ticket is valid no longer than that token.
    ///
    /// # Errors
    /// A token cannot be stored.
    pub(super) fn for_ticket(&self) -> anyhow::Result<String> {
        let Self::Stored(own) = self else { return Ok(self.secret().to_owned()) };
        // This command's own token ends with the command, which is too soon.
        let label = Some("a code of `moorline open`".to_owned());
        let now = Time::from_ms(wall_ms());
        let minted = own.tokens.mint(&Access::Admin, label, now, Some(now + TICKET_LIFETIME))?;
        Ok(minted.text)
    }
}

/// A token that is stored for a command. Dropping it revokes the token.
pub(super) struct StoredToken {
    tokens: Arc<Tokens>,
    secret: String,
    id: String,
}

impl StoredToken {
    fn mint(
        tokens: Arc<Tokens>,
        access: &Access,
        label: &str,
        lifetime: Duration,
    ) -> anyhow::Result<Self> {
        let now = Time::from_ms(wall_ms());
        let minted = tokens.mint(access, Some(label.to_owned()), now, Some(now + lifetime))?;
        Ok(Self { tokens, secret: minted.text, id: minted.record.id })
    }
}

impl Drop for StoredToken {
    fn drop(&mut self) {
        // If this fails, the token expires by itself.
        let _ = self.tokens.revoke(&self.id);
    }
}

/// A credential for one session. Dropping it revokes a token that was stored for it.
pub(super) struct SessionOpener {
    pub(super) opener: Opener,
    _stored: Option<StoredToken>,
}

impl SessionOpener {
    const fn of(opener: Opener) -> Self {
        Self { opener, _stored: None }
    }
}
