//! Logging in and out. A token is exchanged for a cookie, which no script can read: then neither the
//! page nor the browser's storage has the token. The cookie is renewed while a page is open.

use gloo_timers::callback::Interval;
use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::bindings::origin::PageOrigin;
use crate::bindings::page::{self, PageEvent, PageWatch};
use crate::bindings::{clock, push};
use crate::session::access::{NoAccess, PageAccess, renewed_at};
use crate::session::api::{self, ApiRequest, RequestError};

/// The lifetime of the cookie, in milliseconds. A browser that shows no page for longer has to log in
/// again.
pub(super) const COOKIE_MS: u64 = 30 * 24 * 60 * 60 * 1000;
/// The age at which the cookie is renewed, in milliseconds.
const RENEW_MS: u64 = 12 * 60 * 60 * 1000;
/// The interval at which an open page looks at the cookie's age, in milliseconds.
const CHECK_MS: u32 = 60 * 60 * 1000;

/// Exchanges the token that the page was opened with or that an earlier version has stored, and every
/// token that is put into the address later. Renews the cookie from then on.
pub fn begin(access: PageAccess) {
    access.watch_address(enter);
    match access.token() {
        Some(token) => enter(access, token),
        None => renew_if_due(access),
    }
    let timer = Interval::new(CHECK_MS, move || renew_if_due(access));
    let _: StoredValue<Interval, LocalStorage> = StoredValue::new_local(timer);
    let watch = page::watch(move |event| {
        if event == PageEvent::Visible {
            access.look_again();
            renew_if_due(access);
        }
    });
    let _: StoredValue<PageWatch, LocalStorage> = StoredValue::new_local(watch);
}

/// Exchanges `token`, while the page shows nothing else. If the relay cannot be reached, the page keeps
/// the token, and exchanges it when it is loaded again.
pub fn enter(access: PageAccess, token: String) {
    if !gets_cookie(&page::origin()) {
        access.keep_token(token);
        return access.set_opening(false);
    }
    access.set_opening(true);
    let kept = token.clone();
    let then = move |result| {
        match result {
            Ok(()) => {}
            Err(RequestError::Unauthorized) => access.forget(NoAccess::TokenRefused),
            Err(_) => access.keep_token(kept),
        }
        access.set_opening(false);
    };
    log_in(access, token, Box::new(then));
}

/// Exchanges `token` for the cookie and uses that. Uses the token if the browser gets or keeps no
/// cookie. Calls `then` with the reason if the relay does not accept the token or does not answer.
pub fn log_in(access: PageAccess, token: String, then: Box<dyn FnOnce(Result<(), RequestError>)>) {
    let given = Some(token.clone());
    if !gets_cookie(&page::origin()) {
        return api::ask_as(given, status_request(), move |answer| {
            then(answer.map(|_| access.keep_token(token)));
        });
    }
    api::ask_as(given, cookie_request(), move |answer| match answer {
        Ok(_) => api::ask_as(None, status_request(), move |answer| {
            match answer {
                Ok(_) => access.use_cookie(),
                // The browser does not keep cookies.
                Err(RequestError::Unauthorized) => access.keep_token(token),
                Err(error) => return then(Err(error)),
            }
            then(Ok(()));
        }),
        Err(RequestError::Refused(_)) => {
            access.keep_token(token);
            then(Ok(()));
        }
        Err(error) => then(Err(error)),
    });
}

/// Logs this browser out, or every browser that has logged in with the same token. Calls `failed` with
/// a sentence if the relay does not answer: only the relay can remove a cookie.
pub fn log_out(access: PageAccess, everywhere: bool, failed: impl FnOnce(String) + 'static) {
    let (path, reason) = if everywhere {
        ("/api/login/all", NoAccess::LoggedOutEverywhere)
    } else {
        ("/api/login", NoAccess::LoggedOut)
    };
    let token = access.token();
    let notices_of = token.clone();
    // A token that is kept here is gone once it is removed here.
    let needs_relay = token.is_none() || everywhere;
    let request = move || {
        access.set_leaving(Some(reason));
        api::ask_as(token, ApiRequest::delete(path.to_owned()), move |answer| match answer {
            Err(error) if needs_relay && error != RequestError::Unauthorized => {
                access.set_leaving(None);
                failed(format!("You are still logged in. {error}"));
            }
            _ => access.forget(reason),
        });
    };
    if push::is_on() {
        spawn_local(async move {
            push::turn_off(notices_of).await;
            request();
        });
    } else {
        request();
    }
}

fn status_request() -> ApiRequest {
    ApiRequest::get("/api/login".to_owned())
}

fn cookie_request() -> ApiRequest {
    ApiRequest::post_nothing(format!("/api/login?keepForMs={COOKIE_MS}"))
}

/// Renews the cookie if it is due. Does nothing if the page uses a token.
fn renew_if_due(access: PageAccess) {
    let now_ms = clock::wall_ms() as u64;
    let is_due = renewed_at().is_some_and(|at_ms| now_ms.saturating_sub(at_ms) >= RENEW_MS);
    if !is_due || access.token().is_some() {
        return;
    }
    api::ask(access, cookie_request(), move |answer| {
        if answer.is_ok() {
            access.use_cookie();
        }
    });
}

/// Returns false if the relay sets no cookie for pages of this origin: over plain HTTP on loopback,
/// browsers would send it to every server of the machine.
fn gets_cookie(origin: &str) -> bool {
    PageOrigin::read(origin).is_none_or(|origin| origin.is_tls || !origin.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn there_is_no_cookie_over_plain_http_on_loopback() {
        let plain = ["localhost", "127.0.0.1:3010", "a.localhost:1", "[::1]:3010", "0.0.0.0:1"];
        for host in plain {
            assert!(!gets_cookie(&format!("http://{host}")), "{host}");
            assert!(gets_cookie(&format!("https://{host}")), "{host}");
        }
        for host in ["192.168.1.7:3010", "moor.example", "[fe80::1]:3010", "localhost.example"] {
            assert!(gets_cookie(&format!("http://{host}")), "{host}");
        }
    }
}
