//! What the fake node knows of each pod that it runs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::process::ContainerPlace;

/// The pods of the node, by uid.
#[derive(Debug, Default)]
pub(super) struct PodRuntimes(Mutex<HashMap<String, Arc<PodRuntime>>>);

/// A pod on the node.
#[derive(Debug)]
pub(super) struct PodRuntime {
    orders: watch::Sender<PodOrders>,
    containers: Mutex<HashMap<String, RunningContainer>>,
    /// The task that runs the pod; empty until it has started.
    task: Mutex<Option<AbortHandle>>,
}

/// What is asked of a pod.
#[derive(Debug, Clone, Default)]
pub(super) struct PodOrders {
    /// What the pod's script holds back may go on.
    pub(super) released: bool,
    /// The pod is to end, within this time.
    pub(super) deleted: Option<Duration>,
    /// The pod is to end for want of memory on the node.
    pub(super) evicted: bool,
    /// The kernel has killed the containers for their use of memory.
    pub(super) out_of_memory: bool,
}

/// A container whose process runs.
#[derive(Debug, Clone)]
pub(super) struct RunningContainer {
    pub(super) place: ContainerPlace,
    /// Its main process.
    pub(super) pid: u32,
}

/// Why a pod ends before its containers do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PodStop {
    Deleted(Duration),
    Evicted,
}

impl PodRuntimes {
    /// Adds a pod.
    pub(super) fn add(&self, uid: &str) -> Arc<PodRuntime> {
        let runtime = Arc::new(PodRuntime {
            orders: watch::Sender::default(),
            containers: Mutex::default(),
            task: Mutex::default(),
        });
        self.pods().insert(uid.to_owned(), Arc::clone(&runtime));
        runtime
    }

    pub(super) fn get(&self, uid: &str) -> Option<Arc<PodRuntime>> {
        self.pods().get(uid).cloned()
    }

    pub(super) fn remove(&self, uid: &str) {
        self.pods().remove(uid);
    }

    /// Ends the tasks of all pods, but not their processes.
    pub(super) fn abort(&self) {
        for (_, runtime) in self.pods().drain() {
            if let Some(task) = lock(&runtime.task).take() {
                task.abort();
            }
        }
    }

    fn pods(&self) -> MutexGuard<'_, HashMap<String, Arc<PodRuntime>>> {
        lock(&self.0)
    }
}

impl PodRuntime {
    pub(super) fn order(&self, change: impl FnOnce(&mut PodOrders)) {
        self.orders.send_modify(change);
    }

    pub(super) fn orders(&self) -> watch::Receiver<PodOrders> {
        self.orders.subscribe()
    }

    pub(super) fn set_task(&self, task: AbortHandle) {
        *lock(&self.task) = Some(task);
    }

    pub(super) fn started(&self, container: &str, running: RunningContainer) {
        lock(&self.containers).insert(container.to_owned(), running);
    }

    pub(super) fn ended(&self, container: &str) {
        lock(&self.containers).remove(container);
    }

    pub(super) fn container(&self, name: &str) -> Option<RunningContainer> {
        lock(&self.containers).get(name).cloned()
    }

    /// The main processes of all containers that run.
    pub(super) fn pids(&self) -> Vec<u32> {
        lock(&self.containers).values().map(|container| container.pid).collect()
    }
}

impl PodOrders {
    pub(super) fn stop(&self) -> Option<PodStop> {
        match self.deleted {
            Some(grace) => Some(PodStop::Deleted(grace)),
            None => self.evicted.then_some(PodStop::Evicted),
        }
    }
}

fn lock<T>(content: &Mutex<T>) -> MutexGuard<'_, T> {
    content.lock().unwrap_or_else(PoisonError::into_inner)
}
