//! How long a program waits for the files of its workspace, without a clock.
//!
//! Call [`FolderLoad::handle`] with everything that happens, then [`FolderLoad::poll_output`] until it
//! returns `None`. At [`FolderLoad::poll_timeout`], call `handle` with [`LoadInput::Timeout`]. A call
//! too many changes nothing.
//!
//! The program starts once the folder has the files. It starts without them if nothing arrives for
//! [`LOAD_LIMIT`] while a host is connected, or if the workspace cannot be used at all: a shell without
//! files is better than none. What is waited for is shown on the terminal.

use std::collections::VecDeque;
use std::time::Duration;

use moorline_shared::failure::HostFailure;
use moorline_shared::time::Time;

/// The longest time without any answer of the relay, while a host is connected.
pub(super) const LOAD_LIMIT: Duration = Duration::from_secs(60);
/// Time after which it is shown that files are being loaded.
const PATIENCE: Duration = Duration::from_secs(1);
/// Wait before the relay is asked again.
const RETRY: Duration = Duration::from_millis(500);

/// One thing that has happened while files are loaded.
#[derive(Debug)]
pub(super) enum LoadInput {
    /// A host has connected, or is not connected any more.
    Connected(bool),
    /// The relay has answered something.
    Answered,
    /// The folder has the files, except those of these problems.
    Loaded(Vec<(String, HostFailure)>),
    /// The files cannot be loaded now; or never, if `is_final` is true.
    Failed { reason: HostFailure, is_final: bool },
    /// The time of [`FolderLoad::poll_timeout`] has come.
    Timeout,
}

/// What is to be done while files are loaded.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum LoadOutput {
    /// Load the files. [`LoadInput::Loaded`] or [`LoadInput::Failed`] follows.
    Load,
    /// Show this line on the terminal.
    Say(String),
    /// Start the program. Comes last.
    Start,
}

/// The state of a load. See the module.
#[derive(Debug)]
pub(super) struct FolderLoad {
    /// The last answer, or when the host has connected; `None` while no host is.
    alive_at: Option<Time>,
    /// True once it was shown that files are loaded.
    is_shown: bool,
    /// The last reason that was shown.
    failure: Option<HostFailure>,
    /// When the files are to be loaded again.
    retry: Option<Time>,
    is_over: bool,
    outputs: VecDeque<LoadOutput>,
}

impl FolderLoad {
    pub(super) fn new() -> Self {
        Self {
            alive_at: None,
            is_shown: false,
            failure: None,
            retry: None,
            is_over: false,
            outputs: VecDeque::from([LoadOutput::Load]),
        }
    }

    /// Returns true once the program was to start.
    pub(super) const fn is_over(&self) -> bool {
        self.is_over
    }

    /// Takes note of what has happened. See the module.
    pub(super) fn handle(&mut self, now: Time, input: LoadInput) {
        if self.is_over {
            return;
        }
        match input {
            LoadInput::Connected(true) => self.alive_at = self.alive_at.or(Some(now)),
            LoadInput::Connected(false) => self.alive_at = None,
            LoadInput::Answered => self.alive_at = self.alive_at.map(|_| now),
            LoadInput::Loaded(problems) => {
                if let Some((path, reason)) = problems.first() {
                    let others = match problems.len() - 1 {
                        0 => String::new(),
                        others => format!(" ({others} others)"),
                    };
                    self.say(format!("{path} is not in sync: {}{others}", reason.message));
                }
                self.start();
            }
            LoadInput::Failed { reason, is_final: true } => {
                self.say(format!(
                    "The folder is not in sync with its workspace: {}",
                    reason.message
                ));
                self.start();
            }
            LoadInput::Failed { reason, is_final: false } => {
                self.retry = Some(now + RETRY);
                let is_news = self.failure.as_ref().map(|it| &it.code) != Some(&reason.code);
                if is_news {
                    self.say(format!("Waiting for the files of the workspace: {}", reason.message));
                    self.is_shown = true;
                }
                self.failure = Some(reason);
            }
            LoadInput::Timeout => self.elapse(now),
        }
    }

    /// Returns the next thing to do. Changes only after [`FolderLoad::handle`].
    pub(super) fn poll_output(&mut self) -> Option<LoadOutput> {
        self.outputs.pop_front()
    }

    /// Returns when [`LoadInput::Timeout`] is due, if ever.
    pub(super) fn poll_timeout(&self) -> Option<Time> {
        if self.is_over {
            return None;
        }
        let shown = self.alive_at.filter(|_| !self.is_shown).map(|at| at + PATIENCE);
        let given_up = self.alive_at.map(|at| at + LOAD_LIMIT);
        [shown, given_up, self.retry].into_iter().flatten().min()
    }

    fn elapse(&mut self, now: Time) {
        if self.retry.take_if(|at| *at <= now).is_some() {
            self.outputs.push_back(LoadOutput::Load);
        }
        let Some(alive_at) = self.alive_at else { return };
        if now >= alive_at + LOAD_LIMIT {
            let why = self.failure.take().map(|reason| format!(" ({})", reason.message));
            let why = why.unwrap_or_default();
            self.say(format!(
                "The workspace does not answer{why}: the program starts without its files, which \
                 follow."
            ));
            return self.start();
        }
        if !self.is_shown && now >= alive_at + PATIENCE {
            self.is_shown = true;
            self.say("Loading the files of the workspace...".to_owned());
        }
    }

    fn say(&mut self, line: String) {
        self.outputs.push_back(LoadOutput::Say(line));
    }

    fn start(&mut self) {
        self.is_over = true;
        self.outputs.push_back(LoadOutput::Start);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Bench {
        load: FolderLoad,
        now: Time,
    }

    impl Bench {
        fn new() -> Self {
            let mut bench = Self { load: FolderLoad::new(), now: Time::from_ms(5_000) };
            assert_eq!(bench.outputs(), [LoadOutput::Load]);
            bench
        }

        fn connected() -> Self {
            let mut bench = Self::new();
            bench.tell(LoadInput::Connected(true));
            bench
        }

        fn outputs(&mut self) -> Vec<LoadOutput> {
            std::iter::from_fn(|| self.load.poll_output()).collect()
        }

        fn tell(&mut self, input: LoadInput) -> Vec<LoadOutput> {
            self.load.handle(self.now, input);
            self.outputs()
        }

        fn sleep(&mut self) -> (Duration, Vec<LoadOutput>) {
            let due = self.load.poll_timeout().unwrap();
            let slept = due - self.now;
            self.now = due;
            (slept, self.tell(LoadInput::Timeout))
        }
    }

    fn away() -> LoadInput {
        let reason = HostFailure::new("relay_away", "no route");
        LoadInput::Failed { reason, is_final: false }
    }

    fn said(outputs: &[LoadOutput]) -> String {
        let said = outputs.iter().filter_map(|output| match output {
            LoadOutput::Say(line) => Some(line.as_str()),
            _ => None,
        });
        said.collect()
    }

    #[test]
    fn a_quick_load_says_nothing() {
        let mut bench = Bench::connected();
        assert_eq!(bench.tell(LoadInput::Loaded(Vec::new())), [LoadOutput::Start]);
        assert_eq!(bench.load.poll_timeout(), None);
        assert_eq!(bench.tell(away()), []);
    }

    #[test]
    fn a_slow_load_is_shown_and_may_take_long_as_long_as_it_goes_on() {
        let mut bench = Bench::connected();
        let (slept, outputs) = bench.sleep();
        assert_eq!((slept, &*said(&outputs)), (PATIENCE, "Loading the files of the workspace..."));
        for _ in 0..10 {
            bench.now = bench.now + LOAD_LIMIT / 2;
            assert_eq!(bench.tell(LoadInput::Answered), []);
            assert_eq!(bench.tell(LoadInput::Timeout), []);
        }
        let full = ("a".to_owned(), HostFailure::new("folder_full", "The disk is full."));
        let outputs = bench.tell(LoadInput::Loaded(vec![full.clone(), full]));
        assert_eq!(said(&outputs), "a is not in sync: The disk is full. (1 others)");
        assert_eq!(outputs.last(), Some(&LoadOutput::Start));
    }

    #[test]
    fn a_relay_that_is_away_is_waited_for_and_the_reason_is_shown_once() {
        let mut bench = Bench::connected();
        let first = bench.tell(away());
        assert_eq!(said(&first), "Waiting for the files of the workspace: no route");
        let begun = bench.now;
        loop {
            let (_, outputs) = bench.sleep();
            if outputs == [LoadOutput::Load] {
                assert_eq!(bench.tell(away()), []);
                continue;
            }
            assert!(said(&outputs).contains("(no route)"), "{outputs:?}");
            assert_eq!(outputs.last(), Some(&LoadOutput::Start));
            break;
        }
        assert_eq!(bench.now - begun, LOAD_LIMIT);
    }

    #[test]
    fn nobody_waits_without_a_host() {
        let mut bench = Bench::new();
        assert_eq!(bench.load.poll_timeout(), None);
        bench.tell(LoadInput::Connected(true));
        bench.now = bench.now + LOAD_LIMIT / 2;
        bench.tell(LoadInput::Connected(false));
        assert_eq!(bench.load.poll_timeout(), None);
        bench.now = bench.now + LOAD_LIMIT;
        bench.tell(LoadInput::Connected(true));
        assert_eq!(bench.load.poll_timeout(), Some(bench.now + PATIENCE));
    }

    #[test]
    fn a_workspace_that_cannot_be_used_is_no_reason_to_wait() {
        let mut bench = Bench::connected();
        let reason = HostFailure::new("no_such_workspace", "It does not exist.");
        let outputs = bench.tell(LoadInput::Failed { reason, is_final: true });
        assert!(said(&outputs).ends_with("workspace: It does not exist."), "{outputs:?}");
        assert_eq!(outputs.last(), Some(&LoadOutput::Start));
    }
}
