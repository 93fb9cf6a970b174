//! Checks that any saved input makes a queue, and that the queue saves what it loaded.
#![no_main]

use libfuzzer_sys::fuzz_target;
use moorline_shared::link::{InputQueue, SavedInput};

fuzz_target!(|text: &str| {
    if let Ok(saved) = serde_json::from_str::<SavedInput>(text) {
        let queue = InputQueue::new(&saved);
        let again = InputQueue::new(&queue.save());
        assert!(again.pending().eq(queue.pending()));
    }
});
