//! The drivers of a host.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use moorline_shared::agent::spec::KnownAgent;
use moorline_shared::failure::HostFailure;
use moorline_shared::id::SessionId;
use moorline_shared::pod::{PodMetrics, PodsAnswer, PodsQuestion};
use moorline_shared::rest::MissingDriver;
use moorline_shared::tmux::TmuxServer;
use tokio::sync::watch;

use super::agent::{AgentDriver, AgentKeeper};
use super::kubernetes::{KubernetesConfig, KubernetesDriver};
use super::pty::PtyDriver;
use super::tmux::TmuxDriver;
use super::{Driver, blocking};

/// The drivers of a host. Clones share them.
#[derive(Debug, Clone)]
pub struct Drivers(Arc<[Box<dyn Driver>]>);

/// The error for a name that no driver has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this host does not have the driver `{name}`: it has `{has}`")]
pub struct UnknownDriver {
    /// The name that was asked for.
    name: String,
    /// The names of all drivers.
    has: String,
}

impl Drivers {
    /// Returns every driver of this program. `integration` is the folder for the scripts that make
    /// shells mark their prompts, or `None` to start shells without them. `keeper` says how agents are
    /// kept, so that they outlive their host. `folder` is the host's own folder, if it has one.
    /// `pane_pipe` is the program that hands over the output of tmux's panes: see
    /// [`TmuxDriver::new`]. `kubernetes` has the settings of pods.
    #[must_use]
    pub fn built_in(
        integration: Option<PathBuf>,
        keeper: Option<AgentKeeper>,
        folder: Option<&Path>,
        pane_pipe: Vec<OsString>,
        kubernetes: KubernetesConfig,
    ) -> Self {
        let pods = KubernetesDriver::new(kubernetes);
        Self::new(vec![
            Box::new(PtyDriver::new(integration)),
            Box::new(AgentDriver::new(keeper, folder).with_pods(pods.clone())),
            Box::new(TmuxDriver::new(folder, pane_pipe)),
            Box::new(pods),
        ])
    }

    /// Creates a registry of these drivers. If two have the same name, the first is used.
    #[must_use]
    pub fn new(drivers: Vec<Box<dyn Driver>>) -> Self {
        Self(drivers.into())
    }

    /// Returns the driver with this name.
    ///
    /// # Errors
    /// [`UnknownDriver`] if the host has no such driver.
    pub fn find(&self, name: &str) -> Result<&dyn Driver, UnknownDriver> {
        let found = self.0.iter().find(|driver| driver.name() == name);
        found.map(|driver| &**driver).ok_or_else(|| {
            let names: Vec<_> = self.0.iter().map(|driver| driver.name()).collect();
            UnknownDriver { name: name.to_owned(), has: names.join("`, `") }
        })
    }

    /// Returns the names of the drivers that can start sessions now, and the others with the
    /// reason.
    pub async fn available(&self) -> (Vec<String>, Vec<MissingDriver>) {
        let drivers = self.clone();
        let looked = blocking(move || {
            let (mut here, mut missing) = (Vec::new(), Vec::new());
            for driver in &*drivers.0 {
                let name = driver.name().to_owned();
                match driver.missing() {
                    None => here.push(name),
                    Some(reason) => missing.push(MissingDriver { driver: name, reason }),
                }
            }
            (here, missing)
        });
        looked.await.unwrap_or_else(|error| {
            tracing::error!(%error, "cannot check which drivers are available");
            Default::default()
        })
    }

    /// Ends what earlier hosts have left behind and no session uses: see [`Driver::tidy`].
    pub async fn tidy(&self) {
        for driver in &*self.0 {
            driver.tidy().await;
        }
    }

    /// Returns the counts of the driver that has pods: see [`Driver::pod_metrics`].
    #[must_use]
    pub fn pod_metrics(&self) -> Option<watch::Receiver<PodMetrics>> {
        self.0.iter().find_map(|driver| driver.pod_metrics())
    }

    /// Has all drivers forget a session that was deleted: see [`Driver::forget`].
    pub async fn forget(&self, session: &SessionId) {
        for driver in &*self.0 {
            driver.forget(session).await;
        }
    }

    /// Ends what sessions have left behind that are not among these: see [`Driver::sweep`].
    pub async fn sweep(&self, known: &BTreeSet<SessionId>) {
        for driver in &*self.0 {
            driver.sweep(known).await;
        }
    }

    /// Answers a question about templates and pods.
    pub async fn pods(&self, question: PodsQuestion) -> PodsAnswer {
        for driver in &*self.0 {
            if let Some(answer) = driver.pods(question.clone()).await {
                return answer;
            }
        }
        HostFailure::new("no_cluster", "This host has no pods.").into()
    }

    /// Returns the tmux servers whose panes sessions can show.
    pub async fn tmux_servers(&self) -> Vec<TmuxServer> {
        let mut servers = Vec::new();
        for driver in &*self.0 {
            servers.append(&mut driver.tmux_servers().await);
        }
        servers
    }

    /// Returns the coding agents that sessions can run here, installed or not.
    pub async fn agents(&self) -> Vec<KnownAgent> {
        let drivers = self.clone();
        let looked = blocking(move || drivers.0.iter().flat_map(|it| it.agents()).collect());
        looked.await.unwrap_or_else(|error| {
            tracing::error!(%error, "cannot check which agents are available");
            Vec::new()
        })
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::BoxFuture;

    use moorline_shared::session::DEFAULT_DRIVER;

    use super::super::{DriverError, SessionSpec, StartedSession};
    use super::*;

    /// A driver that never starts anything.
    #[derive(Debug)]
    struct IdleDriver(&'static str, Option<&'static str>);

    impl Driver for IdleDriver {
        fn name(&self) -> &'static str {
            self.0
        }

        fn missing(&self) -> Option<String> {
            self.1.map(str::to_owned)
        }

        fn start(&self, _: SessionSpec) -> BoxFuture<'_, Result<StartedSession, DriverError>> {
            Box::pin(async { Err(DriverError::Refused("idle".into())) })
        }
    }

    fn drivers(of: &[(&'static str, Option<&'static str>)]) -> Drivers {
        let boxed = |&(name, missing): &_| Box::new(IdleDriver(name, missing)) as Box<dyn Driver>;
        Drivers::new(of.iter().map(boxed).collect())
    }

    #[test]
    fn the_default_driver_is_built_in() {
        let drivers = Drivers::built_in(None, None, None, Vec::new(), KubernetesConfig::default());
        assert_eq!(drivers.find(DEFAULT_DRIVER).unwrap().name(), "pty");
    }

    #[test]
    fn built_in_drivers_have_names_of_their_own() {
        let Drivers(drivers) =
            Drivers::built_in(None, None, None, Vec::new(), KubernetesConfig::default());
        let names: BTreeSet<_> = drivers.iter().map(|driver| driver.name()).collect();
        assert_eq!(names.len(), drivers.len());
    }

    #[test]
    fn an_unknown_driver_is_told_with_those_that_there_are() {
        let drivers = drivers(&[("one", None), ("two", Some("two is not installed"))]);
        assert_eq!(drivers.find("two").unwrap().name(), "two");
        let error = drivers.find("three").unwrap_err().to_string();
        assert_eq!(error, "this host does not have the driver `three`: it has `one`, `two`");
    }

    #[tokio::test]
    async fn a_driver_that_is_missing_says_why() {
        let drivers = drivers(&[("one", None), ("two", Some("two is not installed"))]);
        let missing = MissingDriver { driver: "two".into(), reason: "two is not installed".into() };
        assert_eq!(drivers.available().await, (vec!["one".to_owned()], vec![missing]));
    }
}
