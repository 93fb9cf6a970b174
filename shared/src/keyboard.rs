//! The state that a program requests of the keyboard: the kitty protocol's flags, and xterm's older
//! `modifyOtherKeys`. The host's emulator tracks it for snapshots and the page's terminal encodes
//! keys by it, so both must arrive at the same state.
//!
//! Source: <https://sw.kovidgoyal.net/kitty/keyboard-protocol/>.

use std::fmt::Write as _;

/// The most flags that a screen's stack keeps besides the current ones; more push out the oldest.
const PUT_ASIDE: usize = 16;
/// The bits that the protocol defines.
const KNOWN: u8 = 0b1_1111;

/// The protocol's progressive enhancements.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KeyFlags(u8);

impl KeyFlags {
    /// Keys that could be confused with others get distinct codes.
    pub const DISAMBIGUATE: Self = Self(1);
    /// Repeat and release events are reported.
    pub const EVENT_TYPES: Self = Self(2);
    /// The shifted key, and the key of a US layout, are reported too.
    pub const ALTERNATE_KEYS: Self = Self(4);
    /// Modifiers, and keys that produce text, are reported like all other keys.
    pub const ALL_KEYS: Self = Self(8);
    /// The text that a key produces is reported too.
    pub const TEXT: Self = Self(16);

    /// Creates flags from a number and drops unknown bits.
    #[must_use]
    pub const fn from_bits(bits: u16) -> Self {
        Self(bits as u8 & KNOWN)
    }

    /// Returns the flags as a number.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Returns true if all of `flags` are set.
    #[must_use]
    pub const fn has(self, flags: Self) -> bool {
        self.0 & flags.0 == flags.0
    }

    /// Returns true if no flag is set: keys are encoded the legacy way.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// The stack of flags of one screen, with the current flags last. Empty until flags are first set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Stack(Vec<u8>);

impl Stack {
    fn current(&self) -> KeyFlags {
        KeyFlags(self.0.last().copied().unwrap_or_default())
    }

    fn change(&mut self, flags: KeyFlags) {
        match self.0.last_mut() {
            Some(last) => *last = flags.0,
            None => self.0.push(flags.0),
        }
    }

    fn push(&mut self, flags: KeyFlags) {
        if self.0.is_empty() {
            self.0.push(0);
        }
        if self.0.len() > PUT_ASIDE {
            self.0.remove(0);
        }
        self.0.push(flags.0);
    }

    fn pop(&mut self, count: u16) {
        self.0.truncate(self.0.len().saturating_sub(usize::from(count)));
    }

    /// Appends the sequences that recreate this stack on a screen without flags.
    fn restore(&self, out: &mut String) {
        let mut flags = self.0.iter();
        // Writing to a string cannot fail.
        if let Some(first) = flags.next().filter(|first| **first != 0) {
            let _ = write!(out, "\x1b[={first}u");
        }
        for pushed in flags {
            let _ = write!(out, "\x1b[>{pushed}u");
        }
    }
}

/// The state of a terminal's keyboard. The main and the alternate screen each have their own flags.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keyboard {
    main: Stack,
    alternate: Stack,
    /// xterm's `modifyOtherKeys` level, 0 to 2.
    other_keys: u8,
}

impl Keyboard {
    /// Returns the current flags of the chosen screen.
    #[must_use]
    pub fn flags(&self, alternate: bool) -> KeyFlags {
        if alternate { self.alternate.current() } else { self.main.current() }
    }

    /// Returns xterm's `modifyOtherKeys` level: 0 for off, 1 for keys that have no other encoding,
    /// 2 for all keys.
    #[must_use]
    pub const fn other_keys(&self) -> u8 {
        self.other_keys
    }

    /// Handles `CSI > flags u`: pushes the current flags and sets new ones.
    pub fn push(&mut self, alternate: bool, flags: KeyFlags) {
        self.stack(alternate).push(flags);
    }

    /// Handles `CSI < count u`: pops flags that were pushed. After the last pop no flag is set.
    pub fn pop(&mut self, alternate: bool, count: u16) {
        self.stack(alternate).pop(count);
    }

    /// Handles `CSI = flags ; mode u`: mode 2 adds these flags, mode 3 removes them, and any other
    /// mode replaces the current flags with them.
    pub fn change(&mut self, alternate: bool, flags: KeyFlags, mode: u16) {
        let current = self.flags(alternate).0;
        let changed = match mode {
            2 => current | flags.0,
            3 => current & !flags.0,
            _ => flags.0,
        };
        self.stack(alternate).change(KeyFlags(changed));
    }

    /// Handles `CSI > 4 ; level m`. An unknown level changes nothing.
    pub const fn set_other_keys(&mut self, level: u16) {
        if level <= 2 {
            self.other_keys = level as u8;
        }
    }

    /// Returns the answer to `CSI ? u`.
    #[must_use]
    pub fn report(&self, alternate: bool) -> String {
        format!("\x1b[?{}u", self.flags(alternate).0)
    }

    /// Returns the answer to `CSI ? 4 m`.
    #[must_use]
    pub fn report_other_keys(&self) -> String {
        format!("\x1b[>4;{}m", self.other_keys)
    }

    /// Returns the sequences that recreate a screen's flags after a reset. They must be sent while
    /// that screen is shown.
    #[must_use]
    pub fn restore(&self, alternate: bool) -> String {
        let mut out = String::new();
        let stack = if alternate { &self.alternate } else { &self.main };
        stack.restore(&mut out);
        out
    }

    /// Returns the sequence that recreates the state that both screens share.
    #[must_use]
    pub fn restore_other_keys(&self) -> String {
        if self.other_keys == 0 { String::new() } else { self.report_other_keys() }
    }

    const fn stack(&mut self, alternate: bool) -> &mut Stack {
        if alternate { &mut self.alternate } else { &mut self.main }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: KeyFlags = KeyFlags(1);
    const B: KeyFlags = KeyFlags(0b11);

    #[test]
    fn flags_are_put_aside_and_taken_back() {
        let mut keyboard = Keyboard::default();
        assert_eq!(keyboard.report(false), "\x1b[?0u");
        keyboard.push(false, A);
        keyboard.push(false, B);
        assert_eq!(keyboard.flags(false), B);
        keyboard.pop(false, 1);
        assert_eq!(keyboard.flags(false), A);
        keyboard.pop(false, 1);
        assert_eq!(keyboard.flags(false), KeyFlags(0));
        keyboard.pop(false, 7);
        assert_eq!(keyboard, Keyboard::default());
    }

    #[test]
    fn flags_are_set_added_and_removed() {
        let mut keyboard = Keyboard::default();
        keyboard.change(false, KeyFlags(0b101), 1);
        keyboard.change(false, KeyFlags(0b010), 2);
        assert_eq!(keyboard.flags(false), KeyFlags(0b111));
        keyboard.change(false, KeyFlags(0b001), 3);
        assert_eq!(keyboard.flags(false), KeyFlags(0b110));
        keyboard.push(false, KeyFlags(1));
        keyboard.pop(false, 1);
        assert_eq!(keyboard.flags(false), KeyFlags(0b110), "what was set is what was put aside");
        assert_eq!(KeyFlags::from_bits(0xffff).bits(), KNOWN);
    }

    #[test]
    fn the_screens_have_flags_of_their_own_and_few() {
        let mut keyboard = Keyboard::default();
        keyboard.push(true, B);
        assert!(keyboard.flags(false).is_empty());
        for _ in 0..1000 {
            keyboard.push(false, A);
        }
        assert_eq!(keyboard.main.0.len(), PUT_ASIDE + 1);
        assert_eq!(keyboard.flags(true), B);
    }

    #[test]
    fn what_restores_a_screen_does() {
        let mut keyboard = Keyboard::default();
        keyboard.change(false, A, 1);
        keyboard.push(false, B);
        keyboard.push(true, B);
        keyboard.set_other_keys(2);
        assert_eq!(keyboard.restore(false), "\x1b[=1u\x1b[>3u");
        assert_eq!(keyboard.restore(true), "\x1b[>3u");
        keyboard.set_other_keys(3);
        assert_eq!(keyboard.restore_other_keys(), "\x1b[>4;2m");
    }
}
