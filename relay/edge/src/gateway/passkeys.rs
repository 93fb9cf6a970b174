//! `/api/passkeys` and `/api/login/passkey`, as far as the directory needs to be told by which name the
//! relay is reached. See [`moorline_core::passkey`].

use moorline_core::auth::{cookie, hash_secret, random_secret};
use moorline_core::passkey::RelyingParty;
use moorline_core::routes::{Call, Matched};
use moorline_shared::rest::Done;
use moorline_shared::time::Time;
use worker::{Date, Request};

use super::Gateway;
use super::login::with_cookies;
use crate::address::query;
use crate::internal::{
    PASSKEY_ADD, PASSKEY_BEGIN, PASSKEY_LOG_IN, PasskeyAnswer, PasskeyBegin, PasskeyLoggedIn,
    PasskeyLogin, Presented,
};
use crate::object_client;
use crate::reply::{Answer, body};

impl Gateway {
    /// Begins or ends the ceremony by which a passkey is added, or by which somebody logs in.
    pub(super) async fn passkey(&self, call: Call, matched: &Matched, request: &Request) -> Answer {
        let caller = match call {
            Call::PasskeyLogin | Call::LogInByPasskey => None,
            _ => Some(self.admit(matched, request).await?),
        };
        let rp = RelyingParty::of(&self.headers)?;
        let directory = object_client::directory(&self.env)?;
        let mut request = request.clone_mut()?;
        match (call, caller) {
            (Call::LogInByPasskey, _) => self.log_in_by_passkey(rp, &mut request).await,
            (Call::AddPasskey, Some(caller)) => {
                let answered = PasskeyAnswer { rp, caller, wanted: body(&mut request).await? };
                object_client::post(&directory, PASSKEY_ADD, &answered).await
            }
            (_, caller) => {
                let begin = PasskeyBegin { rp, caller };
                object_client::post(&directory, PASSKEY_BEGIN, &begin).await
            }
        }
    }

    async fn log_in_by_passkey(&self, rp: RelyingParty, request: &mut Request) -> Answer {
        let now = Time::from_ms(Date::now().as_millis());
        let secret = random_secret()?;
        let presented = Presented {
            own: self.own(),
            from: self.from().map(str::to_owned),
            ..Presented::of("")
        };
        let login = PasskeyLogin {
            rp,
            login: body(request).await?,
            cookie: hash_secret(&secret),
            query: query(&request.inner().url()).to_owned(),
            presented,
        };
        let directory = object_client::directory(&self.env)?;
        let PasskeyLoggedIn { expires_at } =
            object_client::ask(&directory, PASSKEY_LOG_IN, &login).await?;
        let cookies = cookie::set(&self.headers, &secret, expires_at - now);
        with_cookies(&cookies, &Done { success: true })
    }
}
