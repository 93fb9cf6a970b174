//! Starts Moorline in the browser.

fn main() {
    moorline_client::bindings::failure::show_panics();
    leptos::mount::mount_to_body(moorline_client::app::App);
}
