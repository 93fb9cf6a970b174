//! Attacks on what only a relay on a machine does itself: at the edge, Cloudflare does it.

mod http2;
