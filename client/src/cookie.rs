//! The cookie of the page's server: what cannot send a header, as an `EventSource` of another script
//! or a link to a file, is let in by it.

use leptos::prelude::*;

use crate::access::Access;
use crate::api::{self, Request};
use crate::bindings::page;

/// Asks for the cookie once for each token, and gives it back when the token is forgotten. Whether
/// that works is no matter: all of this page goes without. In a frame of another site browsers keep
/// no cookie, so there it is not asked for.
pub fn keep(access: Access) {
    if page::is_in_foreign_frame() {
        return;
    }
    Effect::new(move |before: Option<Option<String>>| {
        let token = access.token_signal().get();
        match (&before, &token) {
            (Some(same), now) if same == now => {}
            (_, Some(_)) => api::ask_as(token.clone(), Request::post_nothing(login()), drop),
            (Some(Some(_)), None) => api::ask_as(None, Request::delete(login()), drop),
            (_, None) => {}
        }
        token
    });
}

fn login() -> String {
    "/api/login".to_owned()
}
