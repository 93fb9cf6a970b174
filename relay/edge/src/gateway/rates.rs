//! Limits of what one address sends, before anything else is done with it.
//!
//! The Worker runs in many isolates, which share no memory. Each counts what it gets itself, with the
//! numbers of a relay on a machine. The binding [`REQUESTS`], if it is configured, counts what all
//! isolates of one of Cloudflare's locations get. What is done with a token is counted exactly, by
//! the directory.

use std::net::IpAddr;
use std::sync::LazyLock;
use std::time::Duration;

use moorline_core::api::ApiError;
use moorline_core::auth::{RequestRates, network};
use moorline_shared::time::Time;
use worker::{Date, console_error};

use super::Gateway;
use crate::reply::RequestFailure;

/// Name of the rate limiter in `wrangler.toml`. Without it, only the isolates count.
const REQUESTS: &str = "REQUESTS";
/// The period of that rate limiter, after which it allows more for sure.
const PERIOD: Duration = Duration::from_secs(10);
/// Header with the client's address, which Cloudflare sets.
const CLIENT_ADDRESS: &str = "cf-connecting-ip";

/// What this isolate has got since it was started.
static RATES: LazyLock<RequestRates> = LazyLock::new(RequestRates::default);

impl Gateway {
    /// The client's address as a text, if it is known.
    pub(super) fn from(&self) -> Option<&str> {
        self.headers.get(CLIENT_ADDRESS)?.to_str().ok()
    }

    /// Refuses the request if its address sends too many. Without an address nothing is counted:
    /// then it is not Cloudflare that runs the Worker.
    pub(super) async fn pace(&self) -> Result<(), RequestFailure> {
        let Some(address) = self.from().and_then(|from| from.parse::<IpAddr>().ok()) else {
            return Ok(());
        };
        let now = Time::from_ms(Date::now().as_millis());
        if let Some(wait) = RATES.request_from(address, now) {
            return Err(ApiError::too_many_requests(wait).into());
        }
        let Ok(limiter) = self.env.rate_limiter(REQUESTS) else { return Ok(()) };
        match limiter.limit(network(address).to_string()).await {
            Ok(outcome) if !outcome.success => Err(ApiError::too_many_requests(PERIOD).into()),
            Ok(_) => Ok(()),
            Err(error) => {
                console_error!("the rate limiter does not answer: {error}");
                Ok(())
            }
        }
    }
}
