//! Encodes keys for programs that ask for it: by the kitty protocol, or by xterm's
//! `modifyOtherKeys`. All other keys are left to the terminal emulator.
//!
//! Source: <https://sw.kovidgoyal.net/kitty/keyboard-protocol/>, whose tables the tests follow.

use std::fmt::Write as _;

use moorline_shared::keyboard::KeyFlags;

use crate::bindings::keyboard::{KeyKind, Press, place};

const SHIFT: u16 = 1;
const ALT: u16 = 2;
const CONTROL: u16 = 4;
const SUPER: u16 = 8;
const CAPS_LOCK: u16 = 64;
const NUM_LOCK: u16 = 128;
const LOCKS: u16 = CAPS_LOCK | NUM_LOCK;

const ESCAPE: u32 = 27;
const ENTER: u32 = 13;
const TAB: u32 = 9;
const BACKSPACE: u32 = 127;

/// The keyboard modes that the program has asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KeyModes {
    /// The kitty protocol's flags of the active screen.
    pub flags: KeyFlags,
    /// The level of xterm's `modifyOtherKeys`.
    pub other_keys: u8,
}

/// Returns what to send for a key. Returns `None` if the emulator handles it, as text or in its old
/// form. The release of a key is sent by the protocol or not at all.
#[must_use]
pub fn encode(press: &Press, modes: KeyModes) -> Option<String> {
    // A key that composes text, by an input method or the third level of a layout, is text.
    if press.composing || press.alt_graph || matches!(&*press.key, "Dead" | "Process") {
        return None;
    }
    let flags = modes.flags;
    if press.kind == KeyKind::Release && !flags.has(KeyFlags::EVENT_TYPES) {
        return None;
    }
    let encoded = match functional(press) {
        Some(key) => functional_key(press, key, flags),
        None => text_key(press, flags),
    };
    if encoded.is_some() || press.kind == KeyKind::Release || !flags.is_empty() {
        return encoded.or_else(|| control_by_place(press));
    }
    other_key(press, modes.other_keys).or_else(|| control_by_place(press))
}

/// Returns the control character that Control makes of a character, as xterm does, whose table is
/// that of `XLookupString`. The kitty protocol has the same table and `?`.
#[must_use]
pub fn control(key: char) -> Option<char> {
    Some(match key.to_ascii_lowercase() {
        letter @ 'a'..='z' => char::from(letter as u8 & 0x1f),
        ' ' | '2' | '@' | '`' => '\0',
        '[' | '{' | '3' => '\x1b',
        '\\' | '|' | '4' => '\x1c',
        ']' | '}' | '5' => '\x1d',
        '^' | '~' | '6' => '\x1e',
        '/' | '_' | '7' => '\x1f',
        '?' | '8' => '\x7f',
        _ => return None,
    })
}

/// A key with a number of its own, and the final byte of its sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Functional {
    number: u32,
    end: char,
    is_modifier: bool,
}

fn functional(press: &Press) -> Option<Functional> {
    let key = |number, end| Some(Functional { number, end, is_modifier: false });
    if press.keypad
        && let Some(number) = keypad(press)
    {
        return key(number, 'u');
    }
    if let Some(number) = modifier(press) {
        return Some(Functional { number, end: 'u', is_modifier: true });
    }
    match &*press.key {
        "Escape" => key(ESCAPE, 'u'),
        "Enter" => key(ENTER, 'u'),
        "Tab" => key(TAB, 'u'),
        "Backspace" => key(BACKSPACE, 'u'),
        "Insert" => key(2, '~'),
        "Delete" => key(3, '~'),
        "PageUp" => key(5, '~'),
        "PageDown" => key(6, '~'),
        "ArrowUp" => key(1, 'A'),
        "ArrowDown" => key(1, 'B'),
        "ArrowRight" => key(1, 'C'),
        "ArrowLeft" => key(1, 'D'),
        "End" => key(1, 'F'),
        "Home" => key(1, 'H'),
        "F1" => key(1, 'P'),
        "F2" => key(1, 'Q'),
        "F3" => key(13, '~'),
        "F4" => key(1, 'S'),
        "ScrollLock" => key(57359, 'u'),
        "PrintScreen" => key(57361, 'u'),
        "Pause" => key(57362, 'u'),
        "ContextMenu" => key(57363, 'u'),
        "MediaPlay" => key(57428, 'u'),
        "MediaPause" => key(57429, 'u'),
        "MediaPlayPause" => key(57430, 'u'),
        "MediaStop" => key(57432, 'u'),
        "MediaFastForward" => key(57433, 'u'),
        "MediaRewind" => key(57434, 'u'),
        "MediaTrackNext" => key(57435, 'u'),
        "MediaTrackPrevious" => key(57436, 'u'),
        "MediaRecord" => key(57437, 'u'),
        "AudioVolumeDown" => key(57438, 'u'),
        "AudioVolumeUp" => key(57439, 'u'),
        "AudioVolumeMute" => key(57440, 'u'),
        other => function_key(other),
    }
}

/// Returns the number and the final byte of F5 to F35.
fn function_key(key: &str) -> Option<Functional> {
    const OLD: [u32; 8] = [15, 17, 18, 19, 20, 21, 23, 24];
    let number: u32 = key.strip_prefix('F')?.parse().ok()?;
    let (number, end) = match number {
        5..=12 => (OLD[number as usize - 5], '~'),
        13..=35 => (57376 + number - 13, 'u'),
        _ => return None,
    };
    Some(Functional { number, end, is_modifier: false })
}

/// Returns the number of a key on the number pad.
fn keypad(press: &Press) -> Option<u32> {
    const KEYS: [(&str, u32); 12] = [
        ("Enter", 57414),
        ("ArrowLeft", 57417),
        ("ArrowRight", 57418),
        ("ArrowUp", 57419),
        ("ArrowDown", 57420),
        ("PageUp", 57421),
        ("PageDown", 57422),
        ("Home", 57423),
        ("End", 57424),
        ("Insert", 57425),
        ("Delete", 57426),
        ("Clear", 57427),
    ];
    const TEXT: [(&str, u32); 7] = [
        (".", 57409),
        ("/", 57410),
        ("*", 57411),
        ("-", 57412),
        ("+", 57413),
        ("=", 57415),
        (",", 57416),
    ];
    let find = |keys: &[(&str, u32)]| {
        keys.iter().find(|(name, _)| *name == press.key).map(|(_, number)| *number)
    };
    let digit = || press.key.parse().ok().filter(|digit: &u32| *digit < 10);
    find(&KEYS).or_else(|| find(&TEXT)).or_else(|| digit().map(|digit| 57399 + digit))
}

fn modifier(press: &Press) -> Option<u32> {
    let right = u32::from(press.code.ends_with("Right"));
    Some(match &*press.key {
        "Shift" => 57441 + 6 * right,
        "Control" => 57442 + 6 * right,
        "Alt" => 57443 + 6 * right,
        "Meta" => 57444 + 6 * right,
        "CapsLock" => 57358,
        "NumLock" => 57360,
        _ => return None,
    })
}

fn modifiers(press: &Press) -> u16 {
    let held = [
        (press.shift, SHIFT),
        (press.alt, ALT),
        (press.ctrl, CONTROL),
        (press.meta, SUPER),
        (press.caps_lock, CAPS_LOCK),
        (press.num_lock, NUM_LOCK),
    ];
    held.iter().filter(|(held, _)| *held).map(|(_, bit)| bit).sum()
}

/// Returns the character that a key produces, if it is a single one.
fn character(press: &Press) -> Option<char> {
    let mut characters = press.key.chars();
    let character = characters.next().filter(|character| !character.is_control())?;
    characters.next().is_none().then_some(character)
}

fn functional_key(press: &Press, key: Functional, flags: KeyFlags) -> Option<String> {
    if flags.is_empty() {
        return None;
    }
    let all = flags.has(KeyFlags::ALL_KEYS);
    let mut held = modifiers(press);
    if key.is_modifier {
        return all.then(|| sequence(press, &key.number.to_string(), key.end, held, flags, None));
    }
    // These keys keep their old codes, so that a shell is usable after a program that crashed.
    let is_plain = matches!(key.number, ENTER | TAB | BACKSPACE) && key.end == 'u';
    if is_plain && !all && (press.kind == KeyKind::Release || held & !LOCKS == 0) {
        return None;
    }
    let text = character(press);
    if text.is_some() {
        let bare = held & !(SHIFT | LOCKS) == 0;
        if bare && !all && press.kind != KeyKind::Release {
            return None;
        }
        if !all {
            held &= !LOCKS;
        }
    }
    let told = flags.has(KeyFlags::DISAMBIGUATE) || flags.has(KeyFlags::EVENT_TYPES) || all;
    told.then(|| sequence(press, &key.number.to_string(), key.end, held, flags, text))
}

fn text_key(press: &Press, flags: KeyFlags) -> Option<String> {
    let produced = character(press)?;
    let all = flags.has(KeyFlags::ALL_KEYS);
    let held = modifiers(press) & if all { u16::MAX } else { !LOCKS };
    // Reserved for commands of the system and of the browser.
    if held & SUPER != 0 {
        return None;
    }
    let is_bare = held & (ALT | CONTROL) == 0;
    let is_told = match press.kind {
        KeyKind::Release => true,
        _ => all || (flags.has(KeyFlags::DISAMBIGUATE) && !is_bare),
    };
    if !is_told {
        return None;
    }
    let base = unshifted(press, produced);
    let mut code = u32::from(base).to_string();
    if flags.has(KeyFlags::ALTERNATE_KEYS) {
        let shifted = (press.shift && produced != base).then_some(produced);
        let latin = place(&press.code).map(|(plain, _)| plain).filter(|latin| *latin != base);
        // Writing to a string cannot fail.
        let _ = match (shifted, latin) {
            (None, None) => Ok(()),
            (Some(shifted), None) => write!(code, ":{}", u32::from(shifted)),
            (None, Some(latin)) => write!(code, "::{}", u32::from(latin)),
            (Some(shifted), Some(latin)) => {
                write!(code, ":{}:{}", u32::from(shifted), u32::from(latin))
            }
        };
    }
    Some(sequence(press, &code, 'u', held, flags, is_bare.then_some(produced)))
}

/// Returns `CSI number ; modifiers : event ; text end`, without parts that have their defaults.
fn sequence(
    press: &Press,
    number: &str,
    end: char,
    held: u16,
    flags: KeyFlags,
    text: Option<char>,
) -> String {
    let event = match press.kind {
        _ if !flags.has(KeyFlags::EVENT_TYPES) => "",
        KeyKind::Press => "",
        KeyKind::Repeat => ":2",
        KeyKind::Release => ":3",
    };
    let is_texted = flags.has(KeyFlags::TEXT)
        && flags.has(KeyFlags::ALL_KEYS)
        && press.kind != KeyKind::Release;
    let text = text.filter(|_| is_texted);
    let is_modified = held != 0 || !event.is_empty();
    let mut out = String::from("\x1b[");
    if number != "1" || is_modified || text.is_some() {
        out += number;
    }
    // Writing to a string cannot fail.
    if is_modified {
        let _ = write!(out, ";{}{event}", held + 1);
    }
    if let Some(text) = text {
        let _ = write!(out, "{};{}", if is_modified { "" } else { ";" }, u32::from(text));
    }
    out.push(end);
    out
}

/// Encodes a key for `CSI > 4 ; level m` as `CSI 27 ; modifiers ; code ~`.
fn other_key(press: &Press, level: u8) -> Option<String> {
    let held = modifiers(press) & !LOCKS;
    if level == 0 || held == 0 || held & SUPER != 0 {
        return None;
    }
    let (code, is_text) = match (functional(press), character(press)) {
        (Some(key), None) if key.end == 'u' && key.number <= BACKSPACE => (key.number, false),
        (_, Some(character)) => (u32::from(character), true),
        _ => return None,
    };
    // Shift alone is part of the character already, and Control has its old form for many keys.
    let has_old_form = is_text && (held == SHIFT || (level == 1 && is_control(press)));
    let is_alt_alone = level == 1 && held & !SHIFT == ALT;
    if has_old_form || is_alt_alone {
        return None;
    }
    Some(format!("\x1b[27;{};{code}~", held + 1))
}

/// Returns true if Control with this key has a control character of its own.
fn is_control(press: &Press) -> bool {
    press.ctrl && !press.shift && press.latin().chars().all(|key| control(key).is_some())
}

/// Returns the control character of a digit or a symbol, or of a letter of another script by its
/// position on a US layout. Latin letters are left to the emulator, and with Shift to the browser.
fn control_by_place(press: &Press) -> Option<String> {
    if !press.ctrl || press.meta || press.kind == KeyKind::Release {
        return None;
    }
    let produced = character(press)?;
    if produced.is_ascii_alphabetic() {
        return None;
    }
    let control = press.latin().chars().next().and_then(control)?;
    let escape = if press.alt { "\x1b" } else { "" };
    Some(format!("{escape}{control}"))
}

/// Returns the character of a key without Shift.
fn unshifted(press: &Press, produced: char) -> char {
    let mut lower = produced.to_lowercase();
    if let (Some(lower), None) = (lower.next(), lower.next())
        && lower != produced
    {
        return lower;
    }
    // Other layouts shift other characters. If the shifted character is that of a US layout, so is
    // the key.
    match place(&press.code) {
        Some((plain, shifted)) if press.shift && shifted == produced => plain,
        _ => produced,
    }
}

#[cfg(test)]
mod tests;
