//! Changes of tokens by the command line: through the relay that serves from the data folder, if one
//! does, so that they take effect and are recorded at once, and otherwise in its store.

use anyhow::anyhow;
use moorline_core::api::ApiError;
use moorline_core::audit::AuditRecord;
use moorline_core::auth::Grant;
use moorline_core::routes::{changed_token, new_token};
use moorline_shared::rest::{AuditKind, ChangeToken, CreateToken, TokenSummary};
use moorline_shared::time::Time;

use super::relay::Relay;
use crate::auth::Tokens;
use crate::clock::wall_ms;
use crate::data_folder::DataFolder;
use crate::store::TokenRecord;

/// Makes a token, and returns its text.
pub(super) fn create(folder: &DataFolder, wanted: &CreateToken) -> anyhow::Result<String> {
    if let Some(relay) = Relay::serving_from(folder) {
        return Ok(relay.create_token(wanted)?.token);
    }
    let made = new_token(wanted, now()).map_err(|error| refusal(&error))?;
    let tokens = tokens(folder)?;
    tokens.put(&made)?;
    tokens.record(&made.record.event(&event(AuditKind::Shared)))?;
    Ok(made.text)
}

/// Changes a token. Returns `None` if it does not exist.
pub(super) fn change(
    folder: &DataFolder,
    id: &str,
    wanted: &ChangeToken,
) -> anyhow::Result<Option<TokenSummary>> {
    if let Some(relay) = Relay::serving_from(folder) {
        return relay.change_token(id, wanted);
    }
    let tokens = tokens(folder)?;
    let Some(found) = tokens.get(id)? else { return Ok(None) };
    let record = changed_token(found, wanted, now()).map_err(|error| refusal(&error))?;
    tokens.change(&record)?;
    tokens.record(&record.event(&event(AuditKind::Changed)))?;
    Ok(Some(TokenRecord::summary(record)))
}

/// Revokes a token. Returns false if it does not exist.
pub(super) fn revoke(folder: &DataFolder, id: &str) -> anyhow::Result<bool> {
    // A relay that serves learns of it even if the disk is full.
    if let Some(relay) = Relay::serving_from(folder) {
        return relay.revoke_token(id);
    }
    let tokens = tokens(folder)?;
    let Some(found) = tokens.get(id)? else { return Ok(false) };
    let is_revoked = tokens.revoke(id)?;
    if is_revoked {
        tokens.record(&found.event(&event(AuditKind::Revoked)))?;
    }
    Ok(is_revoked)
}

fn tokens(folder: &DataFolder) -> anyhow::Result<Tokens> {
    Ok(Tokens::new(folder.store()?, None))
}

/// An event of this command.
fn event(kind: AuditKind) -> AuditRecord {
    Grant::command_line().event(wall_ms(), kind)
}

fn refusal(error: &ApiError) -> anyhow::Error {
    anyhow!(error.sentence().to_owned())
}

fn now() -> Time {
    Time::from_ms(wall_ms())
}

#[cfg(test)]
mod tests {
    use moorline_core::routes::AuditPage;

    use super::*;

    #[test]
    fn changes_without_a_relay_are_recorded() {
        let folder = tempfile::tempdir().unwrap();
        let folder = DataFolder::open(folder.path()).unwrap();
        let wanted = CreateToken {
            scope: "admin".to_owned(),
            label: Some("phone".to_owned()),
            expires_in_ms: None,
        };
        create(&folder, &wanted).unwrap();
        let id = tokens(&folder).unwrap().list().unwrap()[0].id.clone();
        let less = ChangeToken { scope: Some("host".to_owned()), ..ChangeToken::default() };
        let changed = change(&folder, &id, &less).unwrap().unwrap();
        assert_eq!((&*changed.scope, changed.label.as_deref()), ("host", Some("phone")));
        assert_eq!(change(&folder, "unknown", &less).unwrap(), None);
        let bad = ChangeToken { scope: Some("root".to_owned()), ..ChangeToken::default() };
        assert!(change(&folder, &id, &bad).is_err());
        assert!(revoke(&folder, &id).unwrap() && !revoke(&folder, &id).unwrap());

        let page = AuditPage { before: u64::from(u32::MAX), limit: 10, kinds: String::new() };
        let events = folder.store().unwrap().audit(&page).unwrap();
        let kinds: Vec<_> = events.iter().map(|event| event.kind).collect();
        assert_eq!(kinds, [AuditKind::Revoked, AuditKind::Changed, AuditKind::Shared]);
        for event in events {
            let detail = event.detail.unwrap();
            assert!(event.who == "command line" && detail.contains("phone"), "{detail}");
        }
    }
}
