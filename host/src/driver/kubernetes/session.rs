//! A session in a pod: the task that does what its machine decides.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut as _, Bytes};
use futures_util::{Stream, StreamExt as _};
use moorline_shared::event::{Activity, Status};
use moorline_shared::failure::HostFailure;
use moorline_shared::frame::Frame;
use moorline_shared::limits::FRAME_DATA_BYTES;
use moorline_shared::pod::SupervisorWay;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use super::cluster::Clusters;
use super::counts::PodCount;
use super::error::ClusterError;
use super::exec::{self, Supervisors};
use super::files::PodFiles;
use super::input::PodRequests;
use super::link::{LinkFailure, OpenLink, PodLink};
use super::machine::{CreatedPod, DeliveryError, PodInput, PodMachine, PodOutput};
use super::manifest::PodPlan;
use super::outputs;
use super::view::{PodNews, PodView};
use crate::clock::monotonic;
use crate::driver::DriverOutput;
use crate::keeper::{KeptEvent, NotTaken, RefusalCode};

/// Interval of pings of a supervisor.
const PING_INTERVAL: Duration = Duration::from_secs(10);
/// Silence after which the connection to a supervisor counts as lost.
const SILENCE_LIMIT: Duration = Duration::from_secs(30);
/// The most outputs that wait for the host before the terminal is not read any more.
const WAITING_OUTPUTS: usize = 4;
/// The most bytes of input on their way to the pod: a connection that is cut again and again must
/// get some of it through each time.
const UNTAKEN_BYTES: usize = 8 * 1024;
/// The words at the beginning of a later shell of a pod without a supervisor.
const NEW_SHELL: &str = "\r\nThe connection to the pod was lost, and the shell with it. A new one \
                         begins.\r\n";
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
    sender: mpsc::Sender<DriverOutput>,
    /// Outputs that the host has not taken, each with the offset after its bytes in the pod's
    /// output.
    waiting: VecDeque<(DriverOutput, Option<u64>)>,
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
    Room(mpsc::OwnedPermit<DriverOutput>),
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
        sender: mpsc::Sender<DriverOutput>,
    ) -> Self {
        Self {
            plan: Arc::new(plan),
            clusters,
            supervisors,
            machine,
            requests,
            sender,
            waiting: VecDeque::new(),
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

    /// Reads the terminal from its first byte on, because the pod is new.
    pub(super) fn reading_all(self) -> Self {
        Self { read: Some(0), ..self }
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
            PodWake::Timeout => self.tell(PodInput::Timeout),
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
            PodOutput::Say(text) => self.put_bytes(text.as_bytes(), None),
            PodOutput::Report { code, message } => {
                self.put(outputs::error(&HostFailure::new(code, message)));
            }
            PodOutput::End(status) => {
                self.is_over = true;
                self.put(DriverOutput::End(status));
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
        self.requests.renew();
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

    fn open(&mut self, link: PodLink) {
        let (taken, end) = link.offsets();
        let is_first = self.read.is_none();
        if link.is_direct() {
            if self.begun {
                self.put_bytes(NEW_SHELL.as_bytes(), None);
            }
            self.requests.renew();
        }
        if let Some(problem) = self.files.connected(link.syncs(), link.is_direct()) {
            self.say(&problem.message);
            self.put(outputs::error(&problem));
        }
        self.count.linked();
        self.begun = true;
        self.read = Some(self.read.unwrap_or(end));
        let written = self.requests.resume(taken, is_first);
        link.resize(self.requests.size());
        let now = Instant::now();
        self.link = Some(OpenLink { link, written, ping_at: now, heard_at: now });
        self.news = None;
        self.tell(PodInput::Attached);
    }

    fn take_event(&mut self, event: KeptEvent) {
        let Some(open) = &mut self.link else { return };
        open.heard_at = Instant::now();
        match event {
            KeptEvent::Output { offset, data } => {
                let end = offset + data.len() as u64;
                self.read = Some(end);
                self.put_bytes(&data, Some(end));
            }
            KeptEvent::Snapshot(data) => {
                for piece in data.chunks(FRAME_DATA_BYTES) {
                    self.put_bytes(piece, None);
                }
            }
            KeptEvent::Written(offset) => self.requests.taken(offset),
            KeptEvent::Status(status) => {
                let running = status.status == Activity::Running;
                self.put(DriverOutput::Status(Status { pid: None, ..*status }));
                self.tell(PodInput::Active { running });
            }
            KeptEvent::Pong(vitals) => self.tell(PodInput::Vitals(vitals)),
            KeptEvent::Exited(status) => self.tell(PodInput::Exited(status)),
            KeptEvent::Errors(_) => {}
            KeptEvent::Files(piece) => {
                if let Err(error) = self.files.receive(&piece) {
                    self.lose_link(error.to_string());
                }
            }
            KeptEvent::Folder(report) => {
                let (settled, problem) = self.files.report(*report);
                problem.iter().for_each(|problem| self.put(outputs::error(problem)));
                if let Some(problem) = settled {
                    self.tell(PodInput::Settled(problem));
                }
            }
            KeptEvent::Lost(reason) => {
                let reason = match reason {
                    Some(RefusalCode::Replaced) => "another host has connected to the pod",
                    _ => "the connection to the pod was lost",
                };
                self.lose_link(reason.to_owned());
            }
        }
    }

    fn lose_link(&mut self, reason: String) {
        self.link = None;
        self.count.lost_link();
        self.files.disconnected();
        self.tell(PodInput::Lost(reason));
    }

    fn take_requests(&mut self) {
        let news = self.requests.take();
        if let Some(open) = &self.link {
            news.size.into_iter().for_each(|size| open.link.resize(size));
        }
        if news.typed {
            self.tell(PodInput::Typed);
        }
        if news.close {
            self.tell(PodInput::Close);
        }
    }

    /// Writes as much input as the connection takes now.
    fn write_input(&mut self) {
        let Some(open) = &mut self.link else { return };
        while let Some(piece) = self.requests.input_from(open.written, UNTAKEN_BYTES) {
            let count = piece.len() as u64;
            match open.link.write(open.written, piece) {
                Ok(()) => open.written += count,
                // The next report of what was taken makes room; or the connection is lost.
                Err(NotTaken::Full | NotTaken::Gap { .. } | NotTaken::Closed) => return,
            }
        }
    }

    /// Sends the pod what it has asked for, as far as may be on its way.
    fn send_files(&mut self) {
        let Some(open) = &self.link else { return };
        while let Some(piece) = self.files.poll_piece() {
            open.link.files(piece);
        }
    }

    fn ping(&mut self) {
        let Some(open) = &mut self.link else { return };
        if open.heard_at.elapsed() > SILENCE_LIMIT && self.waiting.len() < WAITING_OUTPUTS {
            return self.lose_link("the pod does not answer".to_owned());
        }
        open.ping_at = Instant::now() + PING_INTERVAL;
        if !open.link.ping() {
            // Nothing tells whether it is silent or lost.
            open.heard_at = Instant::now();
        }
    }

    fn say(&mut self, line: &str) {
        self.put_bytes(format!("{line}\r\n").as_bytes(), None);
    }

    fn put(&mut self, output: DriverOutput) {
        self.waiting.push_back((output, None));
    }

    fn put_bytes(&mut self, data: &[u8], end: Option<u64>) {
        let mut buffer = Frame::buffer(data.len());
        buffer.put_slice(data);
        self.waiting.push_back((DriverOutput::Bytes(buffer), end));
    }

    fn send(&mut self, room: mpsc::OwnedPermit<DriverOutput>) {
        let Some((output, end)) = self.waiting.pop_front() else { return };
        room.send(output);
        if let (Some(end), Some(open)) = (end, &self.link) {
            open.link.read(end);
        }
    }
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
