//! Who reads an answer that does not end, and goes away.
//!
//! The runtime drops such an answer without a word to whoever writes it; what it does tell, by the
//! flag `enable_request_signal`, is that the request is aborted. At Cloudflare that is when the
//! reader's connection ends. workerd alone finds it out when it next sends something: with the next
//! heartbeat at the latest.

use wasm_bindgen::JsCast as _;
use wasm_bindgen::closure::Closure;
use worker::Request;
use worker::worker_sys::web_sys::AbortSignal;

/// Tells when whoever made a request is gone, until it is dropped.
#[must_use]
pub(crate) struct Leaving {
    signal: AbortSignal,
    _gone: Closure<dyn FnMut()>,
}

impl Leaving {
    /// Calls `gone` once, when they are.
    pub(crate) fn watch(request: &Request, gone: impl FnOnce() + 'static) -> Self {
        let signal = request.inner().signal();
        let gone = Closure::once(gone);
        signal.set_onabort(Some(gone.as_ref().unchecked_ref()));
        Self { signal, _gone: gone }
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        self.signal.set_onabort(None);
    }
}
