//! Moorline in the browser.
fn main() {}
