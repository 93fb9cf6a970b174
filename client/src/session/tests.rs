//! The driver in a world of values.
