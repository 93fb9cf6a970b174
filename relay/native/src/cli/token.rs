//! `moorline token`.

use std::time::Duration;

use anyhow::bail;
use clap::Subcommand;
use moorline_shared::limits::NAME_CHARACTERS;
use moorline_shared::name::bounded;
use moorline_shared::rest::{ChangeToken, CreateToken, TokenSummary};
use moorline_shared::session::AGENT_DRIVER;

use super::relay::{DEFAULT_URL, serving_at};
use super::{DataDir, address_to_open, token_store};
use crate::auth::Tokens;
use crate::console::print;
use crate::data_folder::DataFolder;
use crate::store::TokenRecord;
use moorline_core::auth::{Access, InvalidAccess};
use moorline_core::rfc3339;

/// Make, list, change and revoke tokens; works while the relay runs.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  moorline token new
  moorline token new --scope session:abcdefgh12345678:write --expires 12h --label phone
  moorline token list
  moorline token change 0f3a9c1d2e4b5a67 --scope session:abcdefgh12345678:read --expires 7d
  moorline token revoke 0f3a9c1d2e4b5a67")]
pub(super) struct TokenOptions {
    #[command(flatten)]
    data_dir: DataDir,

    #[command(subcommand)]
    action: TokenAction,
}

#[derive(Debug, Subcommand)]
enum TokenAction {
    /// Make a token and print the address to open: the only time that it is shown.
    #[command(alias = "create")]
    New {
        /// The scope: admin, host, project:ID:write, project:ID:read, session:ID:write or
        /// session:ID:read.
        #[arg(long, default_value = "admin", value_parser = parse_scope)]
        scope: Access,
        /// The lifetime: a number and s, m, h or d. Without it, the token is valid until it is
        /// revoked.
        #[arg(long, value_parser = parse_duration, value_name = "TIME")]
        expires: Option<Duration>,
        /// A note on the token's purpose, to tell tokens apart later.
        #[arg(long)]
        label: Option<String>,
        /// The relay's address as your browser sees it [default: that of this machine's relay].
        #[arg(long, env = "MOORLINE_URL")]
        url: Option<String>,
    },
    /// List the tokens. Their secrets are not kept.
    List,
    /// Change a token, at once. What is not named stays.
    #[command(group = clap::ArgGroup::new("change").required(true).multiple(true))]
    Change {
        /// The token's id, as `list` shows it.
        id: String,
        /// The scope from now on. What the token has opened is closed, and can be opened again if
        /// the new scope allows it.
        #[arg(long, group = "change", value_parser = parse_scope)]
        scope: Option<Access>,
        /// The lifetime from now on: a number and s, m, h or d.
        #[arg(long, value_parser = parse_duration, value_name = "TIME", group = "change")]
        expires: Option<Duration>,
        /// From now on, the token is valid until it is revoked.
        #[arg(long, group = "change", conflicts_with = "expires")]
        no_expiry: bool,
        /// A note on the token's purpose; empty for none.
        #[arg(long, group = "change")]
        label: Option<String>,
    },
    /// Revoke a token, at once.
    Revoke {
        /// The token's id, as `list` shows it.
        id: String,
    },
}

pub(super) fn run(options: &TokenOptions) -> anyhow::Result<()> {
    let folder = DataFolder::open(&options.data_dir.path()?)?;
    let text = match &options.action {
        TokenAction::New { scope, expires, label, url } => {
            let label = label.as_deref().map(|label| bounded(label, NAME_CHARACTERS));
            let label = label.filter(|label| !label.is_empty());
            let expires_in_ms = expires.map(milliseconds);
            let wanted = CreateToken { scope: scope.to_string(), label, expires_in_ms };
            let token = token_store::create(&folder, &wanted)?;
            let url = url.clone().or_else(|| serving_at(&folder).map(|found| found.url));
            let url = url.as_deref().unwrap_or(DEFAULT_URL);
            let runs_agent = runs_agent(&folder, scope)?;
            format!("{}\n", address(url, scope, runs_agent, &token))
        }
        TokenAction::List => {
            Tokens::new(folder.store()?, None).list()?.into_iter().map(|it| line(&it)).collect()
        }
        TokenAction::Change { id, scope, expires, no_expiry, label } => {
            let lifetime = expires.map(|expires| Some(milliseconds(expires)));
            let wanted = ChangeToken {
                scope: scope.as_ref().map(ToString::to_string),
                label: label.as_deref().map(|label| bounded(label, NAME_CHARACTERS)),
                expires_in_ms: lifetime.or(no_expiry.then_some(None)),
            };
            match token_store::change(&folder, id, &wanted)? {
                Some(changed) => changed_line(&changed),
                None => bail!(no_token(id)),
            }
        }
        TokenAction::Revoke { id } => {
            if !token_store::revoke(&folder, id)? {
                bail!(no_token(id));
            }
            format!("Revoked {id}. What it has opened is closed.\n")
        }
    };
    print(&text)
}

fn no_token(id: &str) -> String {
    format!("the token {id} does not exist: see `moorline token list`")
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Returns true if a token is for a session that runs an agent.
fn runs_agent(folder: &DataFolder, scope: &Access) -> anyhow::Result<bool> {
    let Access::Session { id, .. } = scope else { return Ok(false) };
    let sessions = folder.store()?.sessions()?;
    Ok(sessions.iter().any(|record| record.id == *id && record.driver == AGENT_DRIVER))
}

/// Returns the address for the token's holder, or only the token if it is a host's.
fn address(url: &str, scope: &Access, runs_agent: bool, token: &str) -> String {
    let page = if runs_agent { "session" } else { "terminal" };
    let base = url.trim_end_matches('/');
    match scope {
        Access::Admin => address_to_open(base, token),
        Access::Session { id, .. } => format!("{base}/{page}/{id}#token={token}"),
        Access::Project { .. } => address_to_open(base, token),
        Access::Host => token.to_owned(),
    }
}

fn line(record: &TokenRecord) -> String {
    let until = record.expires_at_ms.map_or_else(|| "revoked".into(), rfc3339);
    let label = record.label.as_deref().unwrap_or("-");
    let created = rfc3339(record.created_at_ms);
    let used = record.last_used_ms.map_or_else(|| "never".into(), rfc3339);
    format!(
        "{}  {}  made {created}  until {until}  used {used}  {label}\n",
        record.id, record.scope
    )
}

fn changed_line(token: &TokenSummary) -> String {
    let until = token.expires_at.as_deref().unwrap_or("revoked");
    let label = token.label.as_deref().unwrap_or("-");
    format!("Changed {}  {}  until {until}  {label}\n", token.id, token.scope)
}

/// Reads a scope, and says which part of it is wrong.
fn parse_scope(text: &str) -> Result<Access, String> {
    text.parse().map_err(|error: InvalidAccess| {
        let session = text.strip_prefix("session:").and_then(|rest| rest.split(':').next());
        match session.filter(|id| !id.is_empty() && id.len() < 8) {
            Some(id) => format!("{id:?} is not a session's id: those have at least 8 characters"),
            None => error.to_string(),
        }
    })
}

pub(super) fn parse_duration(text: &str) -> Result<Duration, String> {
    let explain =
        || format!("{text:?} is not a duration: use a number and s, m, h or d, such as 12h");
    let unit = text.chars().last().ok_or_else(explain)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 24 * 3600,
        _ => return Err(explain()),
    };
    let number: u64 = text[..text.len() - 1].parse().map_err(|_| explain())?;
    number.checked_mul(seconds).map(Duration::from_secs).ok_or_else(explain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_with_a_short_id_says_so() {
        assert!(parse_scope("session:abc:read").unwrap_err().contains("at least 8 characters"));
        assert!(parse_scope("session:").unwrap_err().contains("must be"));
        assert_eq!(parse_scope("admin"), Ok(Access::Admin));
    }

    #[test]
    fn times_are_a_number_and_a_unit() {
        assert_eq!(parse_duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_duration("7d"), Ok(Duration::from_secs(7 * 86_400)));
        for bad in ["", "h", "7", "7 d", "-1h", "1w", "99999999999999999999d", "7ü"] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
    }
}
