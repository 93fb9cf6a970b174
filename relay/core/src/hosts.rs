//! The list of hosts, as `GET /api/hosts` returns it.

use moorline_shared::control::local_host;
use moorline_shared::rest::{HostList, HostSummary};

use super::record::HostRecord;
use super::rfc3339;

/// One host of the list.
#[derive(Debug, Clone)]
pub struct ListedHost {
    /// The stored row of the host.
    pub record: HostRecord,
    /// True if the host is connected.
    pub connected: bool,
    /// The number of its sessions that are not over.
    pub sessions: usize,
}

/// Lists all hosts: the relay's own first, the others by name, ignoring case. A connected host was
/// last seen at `now`, in milliseconds since 1970.
#[must_use]
pub fn list(hosts: impl IntoIterator<Item = ListedHost>, now: u64) -> HostList {
    let mut hosts: Vec<_> = hosts.into_iter().map(|host| summary(host, now)).collect();
    let own = local_host();
    hosts.sort_by_cached_key(|host| {
        (host.host_id != own, host.name.to_lowercase(), host.host_id.clone())
    });
    HostList { hosts }
}

fn summary(host: ListedHost, now: u64) -> HostSummary {
    let ListedHost { record, connected, sessions } = host;
    HostSummary {
        host_id: record.id,
        name: record.name,
        version: record.version,
        connected,
        sessions,
        drivers: record.drivers,
        missing: record.missing,
        last_seen: Some(rfc3339(if connected { now } else { record.last_seen_ms })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relays_own_host_comes_first_and_who_is_here_was_seen_now() {
        let host = |id: &str, name: &str, connected| ListedHost {
            record: HostRecord {
                id: id.parse().unwrap(),
                name: name.to_owned(),
                version: "1".to_owned(),
                drivers: Vec::new(),
                missing: Vec::new(),
                last_seen_ms: 1000,
            },
            connected,
            sessions: 0,
        };
        let hosts = [
            host("machine_1", "beta", true),
            host("machine_3", "Alpha", false),
            host("machine_2", "alpha", true),
            host("localhost", "zulu", true),
        ];
        let list = list(hosts, 2000).hosts;
        let ids: Vec<_> = list.iter().map(|host| host.host_id.as_str()).collect();
        assert_eq!(ids, ["localhost", "machine_2", "machine_3", "machine_1"]);
        let seen = |place: usize| list[place].last_seen.clone();
        assert_eq!((seen(0), seen(2)), (Some(rfc3339(2000)), Some(rfc3339(1000))));
    }
}
