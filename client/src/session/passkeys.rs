//! Logging in by a passkey, and adding one. A passkey stands for a token, as a cookie does.

use leptos::task::spawn_local;
use moorline_shared::rest::{AddPasskey, PasskeyAdded};

use crate::bindings::passkey;
use crate::session::access::{NewAccess, PageAccess};
use crate::session::api::{self, ApiRequest, RequestError};
use crate::session::login::COOKIE_MS;

/// Called with the reason why a passkey was not used or added, as a sentence.
type Then<T> = Box<dyn FnOnce(Result<T, String>)>;

/// Has a device log in, and uses the cookie that the relay then sets.
pub fn log_in(access: PageAccess, then: Then<()>) {
    let begin = ApiRequest::post_nothing("/api/login/passkey/challenge".to_owned());
    api::ask_as(None, begin, move |options| match options {
        Ok(options) => spawn_local(async move {
            match passkey::get(&options).await {
                Ok(signed) => present(access, signed, then),
                Err(reason) => then(Err(reason.to_owned())),
            }
        }),
        Err(error) => then(Err(error.to_string())),
    });
}

fn present(access: PageAccess, signed: String, then: Then<()>) {
    let path = format!("/api/login/passkey?keepForMs={COOKIE_MS}");
    api::ask_as(None, ApiRequest::post_json(path, signed), move |answer| {
        then(match answer {
            Ok(_) => {
                access.begin(NewAccess::Cookie);
                Ok(())
            }
            Err(RequestError::Unauthorized) => {
                Err("The relay does not accept this passkey: it was \
                                                    removed, or its token has expired or was \
                                                    revoked."
                    .to_owned())
            }
            Err(error) => Err(error.to_string()),
        });
    });
}

/// Has a device make a passkey for the token of this browser.
pub fn add(access: PageAccess, label: Option<String>, then: Then<PasskeyAdded>) {
    let begin = ApiRequest::post_nothing("/api/passkeys/challenge".to_owned());
    api::ask(access, begin, move |options| match options {
        Ok(options) => spawn_local(async move {
            let made = passkey::create(&options).await;
            let made = made.map_err(str::to_owned).and_then(|made| {
                api::parse(&made).map_err(|_| "This browser could not use a passkey.".to_owned())
            });
            match made {
                Ok(credential) => send(access, &AddPasskey { label, credential }, then),
                Err(reason) => then(Err(reason)),
            }
        }),
        Err(error) => then(Err(error.to_string())),
    });
}

fn send(access: PageAccess, wanted: &AddPasskey, then: Then<PasskeyAdded>) {
    let request = ApiRequest::post("/api/passkeys".to_owned(), wanted);
    api::ask(access, request, move |answer| {
        let added = answer.and_then(|text| api::parse(&text));
        then(added.map_err(|error| error.to_string()));
    });
}
