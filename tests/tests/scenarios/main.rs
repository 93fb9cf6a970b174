//! What must work, against the program as users run it. One binary: the browser's protocol is
//! large, and is linked once.

mod attach;
mod browser;
mod chromium;
mod protocol;
mod refusals;
mod resilience;
mod restart;
