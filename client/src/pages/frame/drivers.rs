//! The choice of a driver for a session: how its host runs it.

use leptos::prelude::*;
use moorline_shared::id::HostId;
use moorline_shared::session::{AGENT_DRIVER, DEFAULT_DRIVER, KUBERNETES_DRIVER};

use crate::session::catalogue::HostEntry;
use crate::session::overview::OverviewState;
use crate::ui::when::live;

/// Lists the drivers of the host on which the session will start. Those that are missing there
/// cannot be chosen, and say why. Hidden if the host has one driver and misses none.
#[component]
pub fn DriverChoice(
    /// The host that the user has chosen.
    host: RwSignal<Option<HostId>>,
    /// Receives the driver that the user chooses.
    driver: RwSignal<Option<String>>,
) -> impl IntoView {
    let overview = OverviewState::expect();
    live(move || {
        overview.hosts.track();
        let chosen = host.get();
        // The usual host depends on all sessions, which change all the time.
        match untrack(|| overview.starting_host(chosen.as_ref())) {
            Some(host) if is_choice(&host) => options(&host, driver),
            _ => ().into_any(),
        }
    })
}

/// Returns the driver to ask for: the chosen one, if `host` offers it. Returns `None` for the
/// default.
#[must_use]
pub fn wanted_driver(host: Option<&HostEntry>, chosen: Option<&str>) -> Option<String> {
    let driver = selected(host?, chosen)?;
    (driver != DEFAULT_DRIVER).then(|| driver.to_owned())
}

/// Returns true if the user should see the drivers of a host.
fn is_choice(host: &HostEntry) -> bool {
    host.drivers.len() > 1 || !host.missing.is_empty()
}

/// Returns the selected driver: the chosen one, otherwise the default or the first, of those that
/// the host offers.
fn selected<'a>(host: &'a HostEntry, chosen: Option<&str>) -> Option<&'a str> {
    let offered = |name: &str| host.drivers.iter().find(|driver| *driver == name);
    let driver =
        chosen.and_then(offered).or_else(|| offered(DEFAULT_DRIVER)).or(host.drivers.first());
    driver.map(String::as_str)
}

fn options(host: &HostEntry, driver: RwSignal<Option<String>>) -> AnyView {
    let selected = driver.with_untracked(|chosen| selected(host, chosen.as_deref()));
    let offered = host.drivers.iter();
    let offered = offered.map(|name| option(name, Some(name.as_str()) == selected, None, driver));
    let missing = host.missing.iter().filter(|missing| !host.drivers.contains(&missing.driver));
    let missing = missing.map(|it| option(&it.driver, false, Some(it.reason.clone()), driver));
    view! {
        <fieldset class="drivers" data-testid="drivers">
            <legend>"Runs with"</legend>
            {offered.chain(missing).collect_view()}
        </fieldset>
    }
    .into_any()
}

/// Returns the option of one driver. It is disabled if there is a reason why it is missing.
fn option(
    name: &str,
    selected: bool,
    missing: Option<String>,
    driver: RwSignal<Option<String>>,
) -> AnyView {
    let own = name.to_owned();
    let label = match name {
        DEFAULT_DRIVER => "terminal (pty)",
        AGENT_DRIVER => "coding agent",
        KUBERNETES_DRIVER => "pod (Kubernetes)",
        name => name,
    };
    let label = label.to_owned();
    let disabled = missing.is_some();
    let reason = missing.map(|reason| {
        view! { <span class="driver-reason">"Not available: " {reason}</span> }
    });
    view! {
        <label class="driver">
            <input
                type="radio"
                name="driver"
                value=own.clone()
                prop:checked=selected
                disabled=disabled
                on:change=move |_| driver.set(Some(own.clone()))
            />
            <span>{label}</span>
            {reason}
        </label>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::catalogue::tests::host;
    use moorline_shared::rest::MissingDriver;
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn offering(drivers: &[&str]) -> HostEntry {
        let drivers = drivers.iter().map(|&driver| driver.into()).collect();
        HostEntry { drivers, ..host("host_one", "a", true) }
    }

    #[test]
    fn only_a_driver_that_the_host_offers_is_asked_for() {
        let wanted = |drivers: &[&str], chosen| wanted_driver(Some(&offering(drivers)), chosen);
        assert_eq!(wanted(&["pty", "tmux"], None), None);
        assert_eq!(wanted(&["pty", "tmux"], Some("tmux")).as_deref(), Some("tmux"));
        assert_eq!(wanted(&["pty"], Some("tmux")), None, "another host was chosen meanwhile");
        assert_eq!(wanted(&["tmux"], None).as_deref(), Some("tmux"), "there is no default");
        assert_eq!(wanted_driver(None, Some("tmux")), None);
    }

    #[test]
    fn a_host_with_one_driver_leaves_nothing_to_choose() {
        let missing = MissingDriver { driver: "tmux".into(), reason: "not installed".into() };
        assert!(!is_choice(&offering(&["pty"])));
        assert!(is_choice(&offering(&["pty", "tmux"])));
        assert!(is_choice(&HostEntry { missing: vec![missing], ..offering(&["pty"]) }));
    }
}
