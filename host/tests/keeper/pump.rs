//! A host that sends a known stream through `cat`.

use moorline_host::keeper::{Kept, KeptControl, KeptEvent, NotTaken};

use super::{code, next, pattern};

/// The bytes that go through `cat`.
pub(super) const TOTAL: u64 = 10_000_000;
/// The bytes of one write.
pub(super) const PIECE: u64 = 50_001;

/// Sends the pattern through `cat`, from wherever an earlier host stopped.
pub(super) struct Pump {
    control: KeptControl,
    written: u64,
    read: u64,
}

impl Pump {
    pub(super) fn new(kept: &Kept, read: u64) -> Self {
        Self { control: kept.control(), written: kept.status().taken, read }
    }

    /// Runs until `cat` has ended. Calls `told` with each offset before it is acknowledged.
    pub(super) async fn run(mut self, kept: &mut Kept, mut told: impl FnMut(u64)) {
        loop {
            self.write();
            match next(kept).await {
                KeptEvent::Output { offset, data } => {
                    assert_eq!(offset, self.read);
                    assert!(data == pattern(offset, data.len() as u64), "differs at {offset}");
                    self.read += data.len() as u64;
                    told(self.read);
                    self.control.read(self.read);
                }
                KeptEvent::Written(_) => {}
                KeptEvent::Exited(exit) => {
                    assert_eq!((self.read, exit), (TOTAL, code(0)));
                    return;
                }
                other => panic!("{other:?}"),
            }
        }
    }

    fn write(&mut self) {
        while self.written < TOTAL {
            let length = PIECE.min(TOTAL - self.written);
            match self.control.write(self.written, &pattern(self.written, length)) {
                Ok(()) => self.written += length,
                Err(NotTaken::Full) => return,
                Err(error) => panic!("{error}"),
            }
        }
        self.control.close_input();
    }
}
