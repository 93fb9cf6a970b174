//! Logging in and out. A token is exchanged for a cookie, which no script can read: then neither the
//! page nor the browser's storage has the token. The cookie is renewed while a page is open.

use gloo_timers::callback::Interval;
use leptos::prelude::*;
use leptos::task::spawn_local;
use moorline_shared::rest::LoggedOut;

use crate::bindings::origin::PageOrigin;
use crate::bindings::page::{self, PageEvent, PageWatch};
use crate::bindings::{clock, push};
use crate::session::access::{NewAccess, PageAccess, note_renewal, renewed_at};
use crate::session::api::{self, ApiRequest, RequestError};
use crate::session::conversation::kept;
use crate::session::no_access::NoAccess;

/// The lifetime of the cookie, in milliseconds. A browser that shows no page for longer has to log in
/// again.
pub(super) const COOKIE_MS: u64 = 30 * 24 * 60 * 60 * 1000;
/// The age at which the cookie is renewed, in milliseconds.
const RENEW_MS: u64 = 12 * 60 * 60 * 1000;
/// The interval at which an open page looks at the cookie's age, in milliseconds.
const CHECK_MS: u32 = 60 * 60 * 1000;

/// Exchanges the token that the page was opened with or that an earlier version has stored, and every
/// token that is put into the address later. Renews the cookie from then on, and ends with the log-ins of
/// the browser's other tabs.
pub fn begin(access: PageAccess) {
    access.watch_address(enter);
    access.follow_browser();
    match access.token() {
        Some(token) if access.is_unproven() => enter(access, token),
        Some(token) => exchange_stored(access, token),
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

/// Logs in by the token of an address, while the page shows nothing else. If the relay cannot be reached,
/// the page keeps the token, and exchanges it when it is loaded again.
pub fn enter(access: PageAccess, token: String) {
    access.set_opening(true);
    let kept = token.clone();
    let earlier = access.stored_token().filter(|earlier| *earlier != token);
    let then = move |result| {
        match result {
            // What the browser had been given for an earlier code would stay valid, and nobody has it.
            Ok(()) => earlier.into_iter().for_each(log_out_token),
            Err(RequestError::Unauthorized) => access.refuse_given(),
            Err(_) => access.keep_token(kept),
        }
        access.set_opening(false);
    };
    log_in(access, token, Box::new(then));
}

/// Logs out a token that another one has replaced. One that was given for a code ends by that.
fn log_out_token(token: String) {
    api::ask_as(Some(token), ApiRequest::delete("/api/login".to_owned()), |_| ());
}

/// Exchanges the token that the browser has stored, if it gets a cookie for it.
fn exchange_stored(access: PageAccess, token: String) {
    if !gets_cookie(&page::origin()) {
        return;
    }
    access.set_opening(true);
    exchange(token, move |result| {
        match result {
            // Another tab may have logged out meanwhile, and that is final.
            Ok(new) if !access.is_over() => access.begin(new),
            Err(RequestError::Unauthorized) => access.refuse(),
            Ok(_) | Err(_) => {}
        }
        access.set_opening(false);
    });
}

/// Exchanges `token` for the cookie and uses that. Uses the token if the browser gets or keeps no
/// cookie. Calls `then` with the reason if the relay does not accept the token or does not answer.
pub fn log_in(access: PageAccess, token: String, then: Box<dyn FnOnce(Result<(), RequestError>)>) {
    exchange(token, move |result| then(result.map(|new| access.begin(new))));
}

fn exchange(token: String, then: impl FnOnce(Result<NewAccess, RequestError>) + 'static) {
    let given = Some(token.clone());
    if !gets_cookie(&page::origin()) {
        return api::ask_as(given, status_request(), move |answer| {
            then(answer.map(|_| NewAccess::Token(token)));
        });
    }
    api::ask_as(given, cookie_request(), move |answer| match answer {
        Ok(_) => api::ask_as(None, status_request(), move |answer| {
            then(match answer {
                Ok(_) => Ok(NewAccess::Cookie),
                // The browser does not keep cookies.
                Err(RequestError::Unauthorized) => Ok(NewAccess::Token(token)),
                Err(error) => Err(error),
            });
        }),
        Err(RequestError::Refused(_)) => then(Ok(NewAccess::Token(token))),
        Err(error) => then(Err(error)),
    });
}

/// Checks the page's access, because the relay has closed a connection for it. Its token may only allow
/// less or more than before: then the page is built anew with the same one. After some times in a row,
/// the token allows something, but not this page.
pub fn check(access: PageAccess) {
    if access.is_framed() {
        return access.refuse();
    }
    if access.is_over() || access.is_opening_untracked() {
        return;
    }
    let is_denied = access.count_check(clock::wall_ms());
    access.set_opening(true);
    api::ask_as(access.token(), status_request(), move |answer| {
        match answer {
            Err(RequestError::Unauthorized) => access.refuse(),
            Ok(_) if is_denied && !access.is_over() => access.end(NoAccess::NotAllowed),
            _ => {}
        }
        access.set_opening(false);
    });
}

/// Logs this browser out, or every browser of the same person. Calls `failed` with a sentence if the relay
/// does not answer: only the relay can remove a cookie or revoke a token.
pub fn log_out(access: PageAccess, everywhere: bool, failed: impl FnOnce(String) + 'static) {
    let path = if everywhere { "/api/login/all" } else { "/api/login" };
    let token = access.token();
    let notices_of = token.clone();
    let request = move || {
        access.set_leaving(true);
        api::ask_as(token, ApiRequest::delete(path.to_owned()), move |answer| {
            let revoked = match answer {
                Ok(text) => api::parse::<LoggedOut>(&text).is_ok_and(|done| done.revoked),
                Err(RequestError::Unauthorized) => true,
                Err(error) => {
                    access.set_leaving(false);
                    failed(format!("You are still logged in. {error}"));
                    // The relay may have closed connections before the answer was lost.
                    return check(access);
                }
            };
            kept::forget_all();
            access.forget(if everywhere {
                NoAccess::LoggedOutEverywhere { revoked }
            } else {
                NoAccess::LoggedOut { revoked }
            });
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
        // Another tab may have logged out meanwhile.
        if answer.is_ok() && !access.is_over() {
            note_renewal();
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
