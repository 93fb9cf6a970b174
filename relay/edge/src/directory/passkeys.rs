//! Passkeys, which stand for tokens. What is checked is decided in [`moorline_core::passkey`].

use http::StatusCode;
use moorline_core::api::ApiError;
use moorline_core::passkey::{
    ChallengeKey, PasskeyRecord, PasskeyRefused, UsedChallenge, creation, id_of, passkeys_of,
    request,
};
use moorline_core::routes::cookie_expiry;
use moorline_core::schema;
use moorline_shared::limits::PASSKEY_CHALLENGES;
use moorline_shared::rest::{AuditKind, Done, PasskeyAdded, PasskeyList};
use moorline_shared::time::Time;

use super::{DirectoryState, now_ms};
use crate::internal::{Caller, PasskeyAnswer, PasskeyBegin, PasskeyLoggedIn, PasskeyLogin};
use crate::reply::{Answer, RequestFailure, json};
use crate::sql::{ObjectDatabase, Result, ResultRow, SqlError};

impl DirectoryState {
    /// Answers with what a browser needs to make a passkey, or to log in by one.
    pub(super) fn begin_passkey(&self, wanted: &PasskeyBegin) -> Answer {
        let PasskeyBegin { rp, caller } = wanted;
        let token = caller.as_ref().map(|caller| &caller.token);
        let key = self.with(|memory| memory.database.challenge_key())?;
        let challenge = key.issue(token, Time::from_ms(now_ms()))?;
        let Some(caller) = caller else { return json(StatusCode::OK, &request(rp, challenge)) };
        let by = (&caller.grant, &caller.token);
        let known = self.with(|memory| Ok(memory.database.passkeys()?))?;
        json(StatusCode::OK, &creation(rp, by, &known, challenge))
    }

    /// Adds a passkey that stands for the caller's token.
    pub(super) fn add_passkey(&self, answered: &PasskeyAnswer) -> Answer {
        let PasskeyAnswer { rp, caller, wanted } = answered;
        let (by, now) = ((&caller.grant, &caller.token), Time::from_ms(now_ms()));
        let added = self.with(|memory| {
            let (key, known) = (memory.database.challenge_key()?, memory.database.passkeys()?);
            let (made, used) = PasskeyRecord::register(wanted, by, rp, &key, &known, now)?;
            if !memory.database.use_passkey_challenge(&used, now)? {
                return Err(ApiError::bad_passkey(PasskeyRefused::Challenge).into());
            }
            memory.database.put_passkey(&made)?;
            Ok(made)
        })?;
        self.record(&added.event(caller.event(AuditKind::PasskeyAdded)));
        json(StatusCode::CREATED, &PasskeyAdded { success: true, summary: added.summary() })
    }

    /// Stores a cookie for who has a passkey. A passkey that is refused counts as a wrong token.
    pub(super) fn log_in_by_passkey(&self, wanted: &PasskeyLogin) -> Answer {
        let presented = &wanted.presented;
        let failed = |failure| match failure {
            RequestFailure::Api(error) if error.is_wrong_token() => {
                self.wrong_with(presented, *error)
            }
            other => other,
        };
        let passkey = self.used_passkey(wanted).map_err(failed)?;
        let Some(grant) = self.grant_of_cookie(&passkey.token, presented)? else {
            let gone = ApiError::wrong_passkey(PasskeyRefused::Unknown);
            return Err(self.wrong_with(presented, gone));
        };
        let now = Time::from_ms(now_ms());
        let expires_at = cookie_expiry(&wanted.query, &grant, now)?;
        let (hash, token) = (&wanted.cookie, passkey.token);
        self.with(|memory| Ok(memory.database.put_cookie(hash, &token, now.ms, expires_at.ms)?))?;
        self.note_use(&grant)?;
        let caller = Caller { address: presented.from.clone(), ..Caller::by_token(grant, token) };
        self.record(&passkey.event(caller.event(AuditKind::LoggedIn)));
        json(StatusCode::OK, &PasskeyLoggedIn { expires_at })
    }

    fn used_passkey(
        &self,
        wanted: &PasskeyLogin,
    ) -> std::result::Result<PasskeyRecord, RequestFailure> {
        let PasskeyLogin { rp, login, .. } = wanted;
        let now = Time::from_ms(now_ms());
        let id = id_of(&login.id).map_err(ApiError::wrong_passkey)?;
        self.with(|memory| {
            let found = memory.database.passkeys()?.into_iter().find(|passkey| passkey.id == id);
            let found = found.ok_or_else(|| ApiError::wrong_passkey(PasskeyRefused::Unknown))?;
            let passed = found.log_in(login, rp, &memory.database.challenge_key()?, now);
            let (passkey, used) = passed.map_err(ApiError::wrong_passkey)?;
            if !memory.database.use_passkey_challenge(&used, now)? {
                return Err(ApiError::wrong_passkey(PasskeyRefused::Challenge).into());
            }
            memory.database.use_passkey(&passkey)?;
            Ok(passkey)
        })
    }

    pub(super) fn list_passkeys(&self, caller: &Caller) -> Answer {
        let passkeys = self.passkeys(caller)?.into_iter().map(PasskeyRecord::summary).collect();
        json(StatusCode::OK, &PasskeyList { passkeys })
    }

    pub(super) fn remove_passkey(&self, caller: &Caller, id: &str) -> Answer {
        let found = self.passkeys(caller)?.into_iter().find(|passkey| passkey.id == id);
        let found = found.ok_or_else(ApiError::no_passkey)?;
        self.with(|memory| Ok(memory.database.delete_passkey(id)?))?;
        self.record(&found.event(caller.event(AuditKind::PasskeyRemoved)));
        json(StatusCode::OK, &Done { success: true })
    }

    /// The passkeys that a caller may see, oldest first.
    fn passkeys(&self, caller: &Caller) -> std::result::Result<Vec<PasskeyRecord>, RequestFailure> {
        let all = self.with(|memory| Ok(memory.database.passkeys()?))?;
        Ok(passkeys_of(all, (&caller.grant, &caller.token)))
    }
}

impl ObjectDatabase {
    /// Returns the key of challenges, which the first use makes.
    fn challenge_key(&self) -> std::result::Result<ChallengeKey, RequestFailure> {
        if let Some(mut row) = self.row(schema::PASSKEY_CHALLENGE_KEY, &[])? {
            let key = row.take_blob(0)?.try_into().map_err(|_| SqlError::Column(0))?;
            return Ok(ChallengeKey::new(key));
        }
        let key = ChallengeKey::random()?;
        self.run(schema::PUT_PASSKEY_CHALLENGE_KEY, &[key.bytes().as_slice().into()])?;
        Ok(key)
    }

    /// Notes that a challenge was used. Returns false if it was noted before, or if too many are.
    fn use_passkey_challenge(&self, used: &UsedChallenge, now: Time) -> Result<bool> {
        self.run(schema::EXPIRE_PASSKEY_CHALLENGES, &[now.ms.into()])?;
        let UsedChallenge { hash, expires_at } = used;
        let noted = [hash.as_slice().into(), expires_at.ms.into(), PASSKEY_CHALLENGES.into()];
        Ok(self.row(schema::USE_PASSKEY_CHALLENGE, &noted)?.is_some())
    }

    fn passkeys(&self) -> Result<Vec<PasskeyRecord>> {
        self.rows(schema::PASSKEYS, &[])?.into_iter().map(passkey).collect()
    }

    fn put_passkey(&self, record: &PasskeyRecord) -> Result<()> {
        let (id, relay) = (record.id.as_str().into(), record.relay.as_str().into());
        let (credential, key) = (record.credential.as_slice().into(), record.key.as_slice().into());
        let (token, label) = (record.token.as_slice().into(), record.label.as_deref().into());
        let (counter, created) = (u64::from(record.counter).into(), record.created_at_ms.into());
        let values = [id, token, relay, label, credential, key, counter, created];
        self.run(schema::PUT_PASSKEY, &values)
    }

    fn use_passkey(&self, record: &PasskeyRecord) -> Result<()> {
        let (id, counter) = (record.id.as_str().into(), u64::from(record.counter).into());
        self.run(schema::USE_PASSKEY, &[id, counter, record.last_used_ms.into()])
    }

    fn delete_passkey(&self, id: &str) -> Result<()> {
        self.run(schema::DELETE_PASSKEY, &[id.into()])
    }
}

fn passkey(mut row: ResultRow) -> Result<PasskeyRecord> {
    Ok(PasskeyRecord {
        id: row.text(0)?.to_owned(),
        token: row.take_blob(1)?.try_into().map_err(|_| SqlError::Column(1))?,
        relay: row.text(2)?.to_owned(),
        label: row.optional_text(3)?.map(str::to_owned),
        credential: row.take_blob(4)?,
        key: row.take_blob(5)?,
        counter: u32::try_from(row.number(6)?).map_err(|_| SqlError::Column(6))?,
        created_at_ms: row.number(7)?,
        last_used_ms: row.optional_number(8)?,
        token_id: row.optional_text(9)?.map(str::to_owned),
        token_label: row.optional_text(10)?.map(str::to_owned),
    })
}
