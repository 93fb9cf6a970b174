//! Runs the client's link machine against any relay, one step per line. Checks that it never
//! panics, and always comes to rest.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use moorline_shared::id::{ClientId, Seq};
use moorline_shared::link::{Client, Generation, Input, Output, SavedInput, Verdict};
use moorline_shared::message::ServerMessage;
use moorline_shared::session::Size;
use moorline_shared::time::Time;

/// Far more outputs than one step can cause.
const MAX_OUTPUTS: usize = 10_000;

struct World {
    client: Client,
    now: Time,
    generation: Generation,
}

impl World {
    fn step(&mut self, line: &str) {
        let (now, generation) = (self.now, self.generation);
        let rest = line.get(1..).unwrap_or_default();
        let number = rest.trim().parse::<u64>().unwrap_or_default();
        let input = match line.as_bytes().first() {
            Some(b'{') => match ServerMessage::from_json(line) {
                Ok(message) => Input::Message(generation, message),
                Err(_) => return,
            },
            Some(b'c') => Input::Closed(generation, number as u16),
            Some(b'd') => Input::Dial,
            Some(b'o') => Input::Opened(generation),
            Some(b'p') => Input::Repaint,
            Some(b'r') => Input::Resize(Size { cols: number as u16, rows: (number >> 16) as u16 }),
            Some(b's') => Input::Stop,
            Some(b'w') => Input::Wake,
            Some(b'f') => {
                if self.client.frame(now, generation, Seq(number)) == Verdict::Apply {
                    self.client.applied(now, Seq(number), rest.len());
                }
                return;
            }
            Some(b'h') => return self.client.hold_input(number == 1),
            Some(b'i') => return drop(self.client.type_input(rest.as_bytes())),
            Some(b'x') if number == 0 => return self.client.discard_input(),
            Some(b'x') => return self.client.discard_unsent_input(),
            _ => {
                self.now = now + Duration::from_millis(number);
                return self.client.tick(self.now);
            }
        };
        self.client.handle(now, input);
    }

    fn settle(&mut self) {
        for _ in 0..MAX_OUTPUTS {
            match self.client.poll_output(self.now) {
                Some(Output::Dial(generation)) => self.generation = generation,
                Some(Output::Paint(snapshot)) => {
                    self.client.applied(self.now, snapshot.seq, snapshot.data.len())
                }
                Some(Output::Event(seq, _)) => self.client.applied(self.now, seq, 0),
                Some(_) => {}
                None => return,
            }
        }
        panic!("the machine does not come to rest");
    }
}

fuzz_target!(|text: &str| {
    let mut world = World {
        client: Client::new(ClientId::from_random(1), 1, &SavedInput::default()),
        now: Time::default(),
        generation: Generation::default(),
    };
    for line in text.lines() {
        world.step(line);
        world.settle();
        let _ = (world.client.status(), world.client.poll_timeout());
    }
});
