//! Variables that the gateway and the directory read.

use worker::Env;

/// The variable with the driver of sessions that the plain-text socket starts.
const TERMINAL_DRIVER: &str = "MOORLINE_TERMINAL_DRIVER";

/// Returns the driver of sessions that the plain-text socket starts; `None` for the default one.
pub(crate) fn terminal_driver(env: &Env) -> Option<String> {
    let driver = env.var(TERMINAL_DRIVER).ok()?.to_string();
    Some(driver).filter(|driver| !driver.is_empty())
}
