//! What the Worker, the directory and the sessions' objects say to each other.

/// Says what the caller may do with the session. The Worker alone sets it; what came from outside
/// under this name is dropped.
pub const ACCESS: &str = "x-moorline-access";
/// The binding of the sessions' objects.
pub const SESSION: &str = "SESSION";
/// The binding of the directory.
pub const DIRECTORY: &str = "DIRECTORY";
