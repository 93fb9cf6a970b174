//! The fake seen by `kubectl`: somebody else's client.
