//! A session in a pod: the task that does what its machine decides.

mod connection;

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use futures_util::{Stream, StreamExt as _};
use moorline_shared::failure::HostFailure;
use moorline_shared::frame::Frame;
use moorline_shared::pod::SupervisorWay;
use moorline_shared::session::ExitStatus;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use super::agent::PodReporter;
use super::cluster::Clusters;
use super::counts::PodCount;
use super::error::ClusterError;
use super::exec::{self, Supervisors};
use super::files::PodFiles;
use super::input::PodRequests;
use super::items::PodItem;
use super::link::{LinkFailure, OpenLink, PodLink};
use super::machine::{CreatedPod, DeliveryError, PodInput, PodMachine, PodOutput};
use super::manifest::PodPlan;
use super::outputs;
use super::view::{PodNews, PodView};
use crate::clock::monotonic;
use crate::driver::DriverOutput;
use crate::keeper::KeptEvent;

/// The most outputs that wait for the host before the terminal is not read any more.
const WAITING_OUTPUTS: usize = 4;
/// Wait before watching is tried again, because the cluster's configuration could not be used.
const WATCH_WAIT: Duration = Duration::from_secs(5);
/// Wait before a deletion that has failed is repeated.
const DELETE_WAIT: Duration = Duration::from_secs(5);
/// The number of times that a deletion is tried. What is left is deleted with the next start of a
/// host.
const DELETE_TRIES: u32 = 20;

/// The state of a pod, which is `None` if it does not exist; or the reason why it is not known.
type SeenPod = Result<Option<PodView>, String>;

/// A session in a pod.
pub(super) struct PodSession {
    plan: Arc<PodPlan>,
    clusters: Clusters,
    supervisors: Supervisors,
    machine: PodMachine,
    requests: Arc<PodRequests>,
    sender: mpsc::Sender<PodItem>,
    /// Takes all outputs but the program's own. `None` on a terminal, where they go with those.
    reporter: Option<PodReporter>,
    /// Items that the host has not taken.
    waiting: VecDeque<PodItem>,
    /// The exit status of the agent in this pod, once it has ended.
    exit: Option<ExitStatus>,
    link: Option<OpenLink>,
    /// What the pod asks about files.
    files: PodFiles,
    /// The offset after the pod's output that was read; `None` for a host that has none of it.
    read: Option<u64>,
    /// The pod's state; `None` while it is not watched.
    views: Option<Pin<Box<dyn Stream<Item = SeenPod> + Send>>>,
    /// When watching is tried again, if the pod is not watched.
    watch_at: Instant,
    /// What the cluster reports, until the pod is ready.
    news: Option<Pin<Box<dyn Stream<Item = PodNews> + Send>>>,
    works: JoinSet<PodWork>,
    /// The session's part in the counts of the host.
    count: PodCount,
    /// True once a terminal was connected.
    begun: bool,
    is_over: bool,
}

/// PodWork that has ended.
enum PodWork {
    Created(Result<CreatedPod, ClusterError>),
    Delivered(Result<(), DeliveryError>),
    Attached(Result<PodLink, LinkFailure>),
    Deleted,
}

/// The reason why a session woke up.
enum PodWake {
    Room(mpsc::OwnedPermit<PodItem>),
    Unread,
    View(Option<SeenPod>),
    News(Option<PodNews>),
    Unwatched,
    Worked(Option<PodWork>),
    Kept(KeptEvent),
    Answered((u64, Bytes)),
    Requests,
    Ping,
    Timeout,
}

impl PodSession {
    pub(super) fn new(
        plan: PodPlan,
        machine: PodMachine,
        (clusters, supervisors): (Clusters, Supervisors),
        (requests, files, count): (Arc<PodRequests>, PodFiles, PodCount),
        (sender, reporter): (mpsc::Sender<PodItem>, Option<PodReporter>),
    ) -> Self {
        Self {
            plan: Arc::new(plan),
            clusters,
            supervisors,
            machine,
            requests,
            sender,
            reporter,
            waiting: VecDeque::new(),
            exit: None,
            link: None,
            files,
            read: None,
            views: None,
            watch_at: Instant::now(),
            news: None,
            works: JoinSet::new(),
            count,
            begun: false,
            is_over: false,
        }
    }

    /// Reads the program's output from this offset on, instead of a snapshot first.
    pub(super) fn reading_from(self, offset: u64) -> Self {
        Self { read: Some(offset), ..self }
    }

    /// Runs until the session is over and its pod is deleted, or the host lets go of it.
    pub(super) async fn run(mut self) {
        self.watch().await;
        loop {
            while let Some(output) = self.machine.poll_output() {
                self.carry_out(output);
            }
            self.requests.set_ready(self.machine.is_ready() && self.link.is_some());
            self.write_input();
            self.send_files();
            let is_done = self.is_over && self.waiting.is_empty() && self.works.is_empty();
            if is_done || self.requests.is_left() {
                return;
            }
            let wake = self.wait().await;
            self.handle(wake).await;
        }
    }

    async fn wait(&mut self) -> PodWake {
        let due = self.machine.poll_timeout().map(|at| at - monotonic());
        let reads = self.waiting.len() < WAITING_OUTPUTS;
        let (link, ping_at) = match &mut self.link {
            Some(open) => (Some(&mut open.link), open.ping_at),
            None => (None, Instant::now()),
        };
        let is_linked = link.is_some();
        tokio::select! {
            room = self.sender.clone().reserve_owned(), if !self.waiting.is_empty() => {
                room.map_or(PodWake::Unread, PodWake::Room)
            }
            view = next(self.views.as_mut()) => PodWake::View(view),
            news = next(self.news.as_mut()) => PodWake::News(news),
            () = sleep_until(self.watch_at), if self.views.is_none() => PodWake::Unwatched,
            work = self.works.join_next(), if !self.works.is_empty() => {
                PodWake::Worked(work.and_then(Result::ok))
            }
            event = next_event(link), if is_linked && reads => PodWake::Kept(event),
            answer = self.files.answered() => PodWake::Answered(answer),
            () = self.requests.changed() => PodWake::Requests,
            () = sleep_until(ping_at), if is_linked => PodWake::Ping,
            () = sleep(due.unwrap_or_default()), if due.is_some() => PodWake::Timeout,
        }
    }

    async fn handle(&mut self, wake: PodWake) {
        match wake {
            PodWake::Room(room) => self.send(room),
            // Nobody reads it any more: the host has let go of it, or ends.
            PodWake::Unread => {
                self.waiting.clear();
                self.requests.leave();
            }
            PodWake::View(Some(Ok(view))) => self.tell(PodInput::Observed(view)),
            PodWake::View(Some(Err(error))) => {
                let session = &self.plan.session_id;
                tracing::debug!(%session, error, "the pod cannot be watched");
            }
            PodWake::View(None) => self.views = None,
            PodWake::News(Some(news)) => self.tell(PodInput::News(news)),
            PodWake::News(None) => self.news = None,
            PodWake::Unwatched => self.watch().await,
            PodWake::Worked(work) => self.take_work(work).await,
            PodWake::Kept(event) => self.take_event(event),
            PodWake::Answered(answer) => self.files.answer(answer),
            PodWake::Requests => self.take_requests(),
            PodWake::Ping => self.ping(),
            PodWake::Timeout => {
                // What was asked for meanwhile may be a reason not to rest.
                self.take_requests();
                self.tell(PodInput::Timeout);
            }
        }
    }

    fn tell(&mut self, input: PodInput) {
        self.machine.handle(monotonic(), input);
    }

    fn carry_out(&mut self, output: PodOutput) {
        match output {
            PodOutput::Create => {
                let (clusters, plan) = (self.clusters.clone(), Arc::clone(&self.plan));
                self.works.spawn(async move {
                    let create = async { clusters.get().await?.create(&plan).await };
                    let created = create.await;
                    PodWork::Created(clusters.note(created))
                });
            }
            PodOutput::Deliver => {
                let (clusters, plan) = (self.clusters.clone(), Arc::clone(&self.plan));
                let supervisors = self.supervisors.clone();
                self.works.spawn(async move {
                    PodWork::Delivered(match clusters.get().await {
                        Ok(cluster) => exec::deliver(&cluster, &plan, &supervisors).await,
                        Err(error) => Err(DeliveryError::Lost(error.to_string())),
                    })
                });
            }
            PodOutput::Attach => {
                let (clusters, plan) = (self.clusters.clone(), Arc::clone(&self.plan));
                let read = self.read;
                self.works.spawn(async move {
                    let is_direct = plan.template.supervisor == SupervisorWay::None;
                    PodWork::Attached(match clusters.get().await {
                        Ok(cluster) if is_direct => exec::start_directly(&cluster, &plan).await,
                        Ok(cluster) => exec::attach(&cluster, &plan, read).await,
                        Err(error) => Err(LinkFailure::Lost(error.to_string())),
                    })
                });
            }
            PodOutput::Settle => self.settle(),
            PodOutput::Detach => self.detach(),
            PodOutput::Delete { claim } => self.delete(claim),
            PodOutput::Tell(status) => {
                self.count.told(status.phase);
                self.put(outputs::status(&status));
            }
            PodOutput::Say(text) => self.put_bytes(text.as_bytes()),
            PodOutput::Report { code, message } => {
                self.put(outputs::error(&HostFailure::new(code, message)));
            }
            PodOutput::Gone { reason, is_idle } => {
                let (life, exit) = (self.requests.life(), self.exit.take());
                self.requests.renew();
                self.waiting.push_back(PodItem::Gone { life, exit, reason, is_idle });
            }
            PodOutput::End(status) => {
                self.is_over = true;
                match self.plan.agent {
                    true => self.waiting.push_back(PodItem::Over(status)),
                    false => self.put(DriverOutput::End(status)),
                }
            }
        }
    }

    fn detach(&mut self) {
        if let Some(open) = self.link.take() {
            // A program that has ended needs no supervisor any more.
            if self.is_over {
                open.link.forget();
            }
        }
        self.read = Some(0);
        self.news = None;
        if !self.plan.agent {
            self.requests.renew();
        }
        self.count.detached();
        self.files.reset();
    }

    /// Asks the pod to make its folder and the workspace equal.
    fn settle(&mut self) {
        match (&self.link, self.files.settle()) {
            (Some(open), Some(number)) => open.link.settle(number),
            // It is asked again with the next connection, if there is one.
            (None, _) => {}
            (Some(_), None) => self.tell(PodInput::Settled(None)),
        }
    }

    fn delete(&mut self, claim: bool) {
        let (clusters, plan) = (self.clusters.clone(), Arc::clone(&self.plan));
        self.works.spawn(async move {
            for attempt in 1..=DELETE_TRIES {
                let delete = async { clusters.get().await?.delete(&plan, claim).await };
                let deleted = delete.await;
                let Err(error) = clusters.note(deleted) else { break };
                let session = &plan.session_id;
                tracing::warn!(%session, %error, attempt, "the pod cannot be deleted");
                sleep(DELETE_WAIT).await;
            }
            PodWork::Deleted
        });
    }

    /// Begins to watch the pod.
    async fn watch(&mut self) {
        self.watch_at = Instant::now() + WATCH_WAIT;
        let Ok(cluster) = self.clusters.get().await else { return };
        let views = cluster.watch(&self.plan);
        self.views = Some(Box::pin(views.map(|view| view.map_err(|error| error.to_string()))));
        self.news = Some(Box::pin(cluster.news(&self.plan)));
    }

    async fn take_work(&mut self, work: Option<PodWork>) {
        match work {
            Some(PodWork::Created(created)) => {
                if created == Ok(CreatedPod::Exists) {
                    // What was seen before was an earlier pod, or none.
                    self.watch().await;
                }
                self.tell(PodInput::Created(created));
            }
            Some(PodWork::Delivered(delivered)) => self.tell(PodInput::Delivered(delivered)),
            Some(PodWork::Attached(Ok(link))) => self.open(link),
            Some(PodWork::Attached(Err(failure))) => self.tell(failure.into()),
            Some(PodWork::Deleted) => {}
            None => tracing::error!(session = %self.plan.session_id, "work on a pod has failed"),
        }
    }

    fn say(&mut self, line: &str) {
        self.put_bytes(format!("{line}\r\n").as_bytes());
    }

    /// Passes on an output that is not the program's own.
    fn put(&mut self, output: DriverOutput) {
        match &self.reporter {
            Some(report) => report(output),
            None => self.waiting.push_back(PodItem::Terminal(output)),
        }
    }

    fn put_bytes(&mut self, data: &[u8]) {
        self.put(DriverOutput::Bytes(framed(data)));
    }

    fn put_program(&mut self, data: &[u8], end: u64) {
        // Nobody reads an agent any more whose end was told.
        if !self.machine.is_gone() {
            let (buffer, life) = (framed(data), self.requests.life());
            self.waiting.push_back(PodItem::Program { buffer, end, life });
        }
    }

    fn send(&mut self, room: mpsc::OwnedPermit<PodItem>) {
        let Some(item) = self.waiting.pop_front() else { return };
        let end = match &item {
            PodItem::Program { end, .. } if !self.plan.agent => Some(*end),
            _ => None,
        };
        room.send(item);
        if let (Some(end), Some(open)) = (end, &self.link) {
            open.link.read(end);
        }
    }
}

fn framed(data: &[u8]) -> BytesMut {
    let mut buffer = Frame::buffer(data.len());
    buffer.put_slice(data);
    buffer
}

async fn next<T>(stream: Option<&mut Pin<Box<dyn Stream<Item = T> + Send>>>) -> Option<T> {
    match stream {
        Some(stream) => stream.next().await,
        None => std::future::pending().await,
    }
}

async fn next_event(link: Option<&mut PodLink>) -> KeptEvent {
    match link {
        Some(link) => link.next().await,
        None => std::future::pending().await,
    }
}
