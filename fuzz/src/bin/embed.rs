//! Checks that messages from the page around a frame are refused or taken, whatever they contain.
#![no_main]

use libfuzzer_sys::fuzz_target;
use moorline_shared::embed::{EmbedChannel, EmbedTheme, ParentMessage};

fuzz_target!(|text: &str| {
    let mut channel = EmbedChannel::new(None);
    match channel.receive(true, "https://notes.example", text) {
        Some(ParentMessage::Hello(hello)) => {
            let _ = hello.cursor_of(&"abcdefgh".parse().expect("it is an id"));
            let _ = hello.theme.as_ref().map(EmbedTheme::read);
        }
        message => assert!(message.is_none(), "a hello comes first"),
    }
    // What a theme becomes stands in style sheets.
    if let Ok(colour) = text.parse::<moorline_shared::embed::Colour>() {
        let digits = colour.to_string();
        assert!(digits.starts_with('#') && digits[1..].bytes().all(|it| it.is_ascii_hexdigit()));
    }
});
