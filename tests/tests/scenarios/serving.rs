//! How a native relay starts, what it keeps to itself, and how it ends.

mod native;
