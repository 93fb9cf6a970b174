//! The threads on which sessions run.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{io, thread};

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio_util::context::TokioContext;

/// The fewest threads: a session that floods its thread is a neighbour of few others.
const LEAST: usize = 4;

/// Threads on which sessions run, each session on one of them.
///
/// A session reads a terminal, numbers what it reads and sends it. If all of that happens on the
/// thread that also waits for the terminal, nothing is handed from one thread to another, and no
/// second thread is woken for every 4 KiB of output. Compared with the threads of one runtime, a
/// flood costs the host half as many context switches: docs/PERFORMANCE.md.
///
/// The default has no threads: sessions run where they are started. Clones share the threads, which
/// end with the last clone.
#[derive(Debug, Clone, Default)]
pub struct SessionThreads(Option<Arc<Threads>>);

#[derive(Debug)]
struct Threads {
    threads: Vec<SessionThread>,
    next: AtomicUsize,
}

#[derive(Debug)]
struct SessionThread {
    runtime: Handle,
    /// Dropping it ends the thread.
    _running: oneshot::Sender<()>,
}

impl SessionThreads {
    /// Starts twice as many threads as there are processors, and at least four.
    ///
    /// # Errors
    /// The system's error.
    pub fn start() -> io::Result<Self> {
        let processors = thread::available_parallelism().map_or(1, usize::from);
        let threads = (0..LEAST.max(2 * processors)).map(|_| SessionThread::start());
        let threads = threads.collect::<io::Result<_>>()?;
        Ok(Self(Some(Arc::new(Threads { threads, next: AtomicUsize::new(0) }))))
    }

    /// Runs a future whose tasks, timers and I/O belong to the next thread in turn. The future
    /// itself runs where it is awaited.
    pub(super) async fn within<F: Future>(&self, starting: F) -> F::Output {
        let Some(Threads { threads, next }) = self.0.as_deref() else { return starting.await };
        let turn = next.fetch_add(1, Ordering::Relaxed);
        match threads.get(turn % threads.len().max(1)) {
            Some(thread) => TokioContext::new(starting, thread.runtime.clone()).await,
            None => starting.await,
        }
    }
}

impl SessionThread {
    fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (running, ended) = oneshot::channel();
        let handle = runtime.handle().clone();
        let run = move || {
            // Ends with an error, because nothing is ever sent.
            _ = runtime.block_on(ended);
            runtime.shutdown_background();
        };
        thread::Builder::new().name("sessions".to_owned()).spawn(run)?;
        Ok(Self { runtime: handle, _running: running })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    async fn spawned() -> thread::ThreadId {
        tokio::spawn(async { thread::current().id() }).await.unwrap()
    }

    #[tokio::test]
    async fn sessions_take_the_threads_in_turn() {
        let threads = SessionThreads::start().unwrap();
        let count = threads.0.as_ref().unwrap().threads.len();
        let mut seen = HashSet::new();
        for _ in 0..count * 2 {
            seen.insert(threads.within(spawned()).await);
        }
        assert_eq!(seen.len(), count);
        assert!(!seen.contains(&thread::current().id()));
    }

    #[tokio::test]
    async fn without_threads_a_session_runs_where_it_is_started() {
        let here = thread::current().id();
        assert_eq!(SessionThreads::default().within(spawned()).await, here);
    }

    #[tokio::test]
    async fn threads_end_with_the_last_clone() {
        let threads = SessionThreads::start().unwrap();
        let (running, mut ended) = oneshot::channel::<()>();
        let holding = async {
            tokio::spawn(async move {
                let _running = running;
                std::future::pending::<()>().await;
            });
        };
        threads.within(holding).await;
        let clone = threads.clone();
        drop(threads);
        assert!(ended.try_recv() == Err(oneshot::error::TryRecvError::Empty));
        drop(clone);
        assert!(ended.await.is_err(), "the task is dropped with its thread");
    }
}
