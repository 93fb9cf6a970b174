//! Detection of readers that leave a response which does not end.
//!
//! The runtime drops such a response without notifying its writer. With the flag
//! `enable_request_signal` it does abort the request's signal. Cloudflare does so when the reader's
//! connection ends. workerd on its own notices only when it next sends something: with the next
//! heartbeat at the latest.

use wasm_bindgen::JsCast as _;
use wasm_bindgen::closure::Closure;
use worker::Request;
use worker::worker_sys::web_sys::AbortSignal;

/// Watches for the end of a request's connection, until it is dropped.
#[must_use]
pub(crate) struct AbortGuard {
    signal: AbortSignal,
    _gone: Closure<dyn FnMut()>,
}

impl AbortGuard {
    /// Calls `gone` once, when the request is aborted.
    pub(crate) fn watch(request: &Request, gone: impl FnOnce() + 'static) -> Self {
        let signal = request.inner().signal();
        let gone = Closure::once(gone);
        signal.set_onabort(Some(gone.as_ref().unchecked_ref()));
        Self { signal, _gone: gone }
    }
}

impl Drop for AbortGuard {
    fn drop(&mut self) {
        self.signal.set_onabort(None);
    }
}
