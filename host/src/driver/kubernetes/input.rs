//! The requests of users to a session in a pod: input, sizes, and the end.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use moorline_shared::session::Size;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

/// The most bytes of input that the pod's terminal has not taken.
const INPUT_BYTES: usize = 64 * 1024;

/// The requests of users, between the session's control and its task.
#[derive(Debug)]
pub(super) struct PodRequests {
    state: Mutex<RequestState>,
    /// Notified when the task has something to do.
    changed: Notify,
    /// Notified when there may be room for input, or never will be.
    room: Notify,
}

/// Requests that the task has not seen.
#[derive(Debug, Default)]
pub(super) struct NewRequests {
    pub(super) typed: bool,
    pub(super) close: bool,
    pub(super) size: Option<Size>,
    /// The output of an agent before this offset was handled.
    pub(super) read: Option<u64>,
    /// True if an agent began to work, false if it stopped.
    pub(super) busy: Option<bool>,
    /// An agent is to end.
    pub(super) kill: bool,
}

#[derive(Debug)]
struct RequestState {
    new: NewRequests,
    size: Size,
    /// Input that the terminal has not taken, from `start` on in the offsets of the pod.
    input: VecDeque<u8>,
    start: u64,
    /// True while input reaches the terminal. Otherwise it waits with the relay, which loses none
    /// even if this host dies.
    is_ready: bool,
    is_closed: bool,
    is_left: bool,
    /// The number of the present pod: each pod whose input was dropped increases it.
    life: u64,
    is_busy: bool,
}

impl PodRequests {
    pub(super) fn new(size: Size) -> Self {
        Self::starting_at(size, 0)
    }

    /// Creates the requests of a session whose input goes on at this offset.
    pub(super) fn starting_at(size: Size, start: u64) -> Self {
        Self {
            state: Mutex::new(RequestState {
                new: NewRequests::default(),
                size,
                input: VecDeque::new(),
                start,
                is_ready: false,
                is_closed: false,
                is_left: false,
                life: 0,
                is_busy: false,
            }),
            changed: Notify::new(),
            room: Notify::new(),
        }
    }

    /// Takes as much input as there is room for, and returns the number of bytes.
    pub(super) fn write(&self, input: &[u8]) -> usize {
        let mut state = self.state();
        state.new.typed |= !input.is_empty();
        let room = if state.is_ready { INPUT_BYTES - state.input.len() } else { 0 };
        let count = input.len().min(room);
        state.input.extend(&input[..count]);
        drop(state);
        self.changed.notify_one();
        count
    }

    /// Waits until there may be room for input. Returns false if there never will be.
    pub(super) async fn writable(&self) -> bool {
        loop {
            let room = self.room.notified();
            {
                let state = self.state();
                if state.is_closed || state.is_left {
                    return false;
                }
                if state.is_ready && state.input.len() < INPUT_BYTES {
                    return true;
                }
            }
            room.await;
        }
    }

    pub(super) fn resize(&self, size: Size) {
        let mut state = self.state();
        (state.size, state.new.size) = (size, Some(size));
        drop(state);
        self.changed.notify_one();
    }

    pub(super) fn close(&self) {
        let mut state = self.state();
        state.new.close = true;
        state.is_closed = true;
        drop(state);
        self.changed.notify_one();
        self.room.notify_waiters();
    }

    /// Lets go of the pod: it goes on without this host.
    pub(super) fn leave(&self) {
        self.state().is_left = true;
        self.changed.notify_one();
        self.room.notify_waiters();
    }

    pub(super) fn is_left(&self) -> bool {
        self.state().is_left
    }

    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Returns what users want since the last call.
    pub(super) fn take(&self) -> NewRequests {
        std::mem::take(&mut self.state().new)
    }

    pub(super) fn size(&self) -> Size {
        self.state().size
    }

    /// Lets input come, or keeps it waiting.
    pub(super) fn set_ready(&self, is_ready: bool) {
        let was_ready = std::mem::replace(&mut self.state().is_ready, is_ready);
        if is_ready && !was_ready {
            self.room.notify_waiters();
        }
    }

    /// Takes note of a new connection, to a terminal that has taken the input before `taken`.
    /// Returns the offset at which input goes on. If `is_first` is true, this host has not written to
    /// the pod before.
    pub(super) fn resume(&self, taken: u64, is_first: bool) -> u64 {
        let mut state = self.state();
        if is_first {
            state.start = taken;
        }
        state.forget(taken);
        state.start
    }

    /// Takes note that the terminal has taken the input before this offset.
    pub(super) fn taken(&self, offset: u64) {
        self.state().forget(offset);
        self.room.notify_waiters();
    }

    /// Returns input from this offset on, if there is any. What the terminal has not taken is
    /// then at most `untaken` bytes.
    pub(super) fn input_from(&self, offset: u64, untaken: usize) -> Option<Vec<u8>> {
        let state = self.state();
        let skipped = usize::try_from(offset.checked_sub(state.start)?).ok()?;
        let count = untaken.saturating_sub(skipped);
        let piece: Vec<u8> = state.input.iter().skip(skipped).take(count).copied().collect();
        (!piece.is_empty()).then_some(piece)
    }

    /// Drops what an earlier pod has not taken. The next one counts from 0.
    pub(super) fn renew(&self) {
        let mut state = self.state();
        state.input.clear();
        state.life += 1;
        (state.start, state.is_ready) = (0, false);
        (state.new.read, state.new.kill) = (None, false);
    }

    /// Returns the number of the pod that input is for.
    pub(super) fn life(&self) -> u64 {
        self.state().life
    }

    /// Wakes the session, whose agent is to run. Returns the number of its pod.
    pub(super) fn wake(&self) -> u64 {
        let mut state = self.state();
        state.new.typed = true;
        let life = state.life;
        drop(state);
        self.changed.notify_one();
        life
    }

    /// Takes input of an agent, all or none, of which the first byte has this offset. Its owner bounds
    /// how much waits.
    pub(super) fn write_at(&self, life: u64, offset: u64, input: &[u8]) -> bool {
        let mut state = self.state();
        if state.life != life || !state.is_ready || offset != state.start + state.input.len() as u64
        {
            return false;
        }
        state.input.extend(input);
        drop(state);
        self.changed.notify_one();
        true
    }

    /// Returns the offset after the input of an agent that its pipe has taken, and whether more can be
    /// written.
    pub(super) fn progress(&self, life: u64) -> (u64, bool) {
        let state = self.state();
        let is_current = state.life == life;
        (if is_current { state.start } else { 0 }, is_current && state.is_ready)
    }

    /// Waits until [`PodRequests::progress`] may have changed since the future was created.
    pub(super) fn progressed(&self) -> Notified<'_> {
        self.room.notified()
    }

    /// Acknowledges the output of an agent before this offset.
    pub(super) fn acknowledge(&self, life: u64, up_to: u64) {
        self.change(|state| {
            let is_news = state.life == life && state.new.read < Some(up_to);
            if is_news {
                state.new.read = Some(up_to);
            }
            is_news
        });
    }

    /// Tells whether an agent works: then its pod is not idle.
    pub(super) fn set_busy(&self, is_busy: bool) {
        self.change(|state| {
            let is_news = std::mem::replace(&mut state.is_busy, is_busy) != is_busy;
            if is_news {
                state.new.busy = Some(is_busy);
            }
            is_news
        });
    }

    pub(super) fn is_busy(&self) -> bool {
        self.state().is_busy
    }

    /// Has an agent end.
    pub(super) fn kill(&self, life: u64) {
        self.change(|state| {
            state.new.kill |= state.life == life;
            state.new.kill
        });
    }

    /// Changes the state, and wakes the task if that returns true.
    fn change(&self, change: impl FnOnce(&mut RequestState) -> bool) {
        if change(&mut self.state()) {
            self.changed.notify_one();
        }
    }

    fn state(&self) -> MutexGuard<'_, RequestState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RequestState {
    fn forget(&mut self, taken: u64) {
        let count = taken.saturating_sub(self.start).min(self.input.len() as u64);
        self.input.drain(..count as usize);
        self.start += count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn input_waits_elsewhere_until_it_reaches_the_terminal() {
        let requests = PodRequests::new(Size::default());
        assert_eq!(requests.write(b"early"), 0);
        assert!(requests.take().typed);
        requests.set_ready(true);
        assert!(requests.writable().await);
        assert_eq!(requests.write(b"hello"), 5);
        assert_eq!(requests.input_from(0, 100).unwrap(), b"hello");
        requests.taken(2);
        // The connection was lost after 3 bytes had arrived.
        assert_eq!(requests.resume(3, false), 3);
        assert_eq!(requests.input_from(3, 100).unwrap(), b"lo");
        assert_eq!(requests.write(&[0; 2 * INPUT_BYTES]), INPUT_BYTES - 2);
        requests.renew();
        assert_eq!((requests.input_from(0, 100), requests.write(b"x")), (None, 0));
        requests.close();
        assert!(!requests.writable().await);
    }

    #[test]
    fn a_later_host_goes_on_where_the_terminal_is() {
        let requests = PodRequests::new(Size::default());
        assert_eq!(requests.resume(100, true), 100);
        requests.set_ready(true);
        requests.write(b"ab");
        assert_eq!(requests.input_from(101, 100).unwrap(), b"b");
        requests.taken(102);
        assert_eq!(requests.input_from(102, 100), None);
    }
}
