//! Programs that run on the bench's terminals.

use std::io::{Read as _, Write as _};
use std::time::{Duration, SystemTime};

use anyhow::{Result, bail};

/// A line as builds print it: 80 bytes on a terminal, which adds one to its end.
const LINE: &[u8; 79] =
    b"[ 42%] Compiling some-crate v1.2.3 (path/to/a/file.rs): 17 warnings, 0.123 s  \n";

/// Waits for a byte, then puts out this many bytes, as a terminal counts them.
///
/// # Errors
/// If the terminal is gone.
pub(crate) fn emit(bytes: u64) -> Result<()> {
    let block: Vec<u8> = LINE.iter().copied().cycle().take(LINE.len() * 800).collect();
    std::io::stdin().read_exact(&mut [0])?;
    let mut output = std::io::stdout().lock();
    for _ in 0..bytes / emitted(1) {
        output.write_all(&block)?;
    }
    output.flush()?;
    Ok(())
}

/// Puts out lines until it is interrupted.
///
/// # Errors
/// If the terminal is gone.
pub(crate) fn pour() -> Result<()> {
    let block = LINE.repeat(800);
    let mut output = std::io::stdout().lock();
    loop {
        output.write_all(&block)?;
    }
}

/// Waits for a byte, then puts out this many lines, each with its number and the time.
///
/// # Errors
/// If the terminal is gone.
pub(crate) fn tick(rounds: u64, pause_ms: u64) -> Result<()> {
    let mut output = std::io::stdout().lock();
    output.write_all(b"ready")?;
    output.flush()?;
    std::io::stdin().read_exact(&mut [0])?;
    for round in 1..=rounds {
        std::thread::sleep(Duration::from_millis(pause_ms));
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_nanos();
        writeln!(output, "tick {round} {now}")?;
        output.flush()?;
    }
    // It stays, so that the end of a session is not part of the figures.
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink())?;
    Ok(())
}

/// Waits for a byte, then puts out `lines` lines in each round, after a pause.
///
/// # Errors
/// If the terminal is gone.
pub(crate) fn pace(rounds: u64, pause_ms: u64, lines: usize) -> Result<()> {
    let block = LINE.repeat(lines);
    std::io::stdin().read_exact(&mut [0])?;
    let mut output = std::io::stdout().lock();
    for _ in 0..rounds {
        std::thread::sleep(Duration::from_millis(pause_ms));
        output.write_all(&block)?;
        output.flush()?;
    }
    Ok(())
}

/// Waits for a byte, draws a screen that is too large for a snapshot, and puts out `bytes` in all
/// while changing only one line of it. Then it stays.
///
/// # Errors
/// If the terminal is gone, or there is no drawing of this kind.
pub(crate) fn heavy(kind: &str, bytes: u64) -> Result<()> {
    let drawing = match kind {
        "links" => links(1500),
        "colours" => colours(640 * 180),
        _ => bail!("{kind:?} is not understood"),
    };
    let block = [b"\r", &LINE[..LINE.len() - 1]].concat().repeat(800);
    std::io::stdin().read_exact(&mut [0])?;
    let mut output = std::io::stdout().lock();
    output.write_all(drawing.as_bytes())?;
    let rest = bytes.saturating_sub(drawing.len() as u64);
    for _ in 0..rest.div_ceil(block.len() as u64) {
        output.write_all(&block)?;
    }
    output.flush()?;
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink())?;
    Ok(())
}

/// Lines with one link each, to long addresses that all differ.
fn links(count: usize) -> String {
    let rest = "x".repeat(2500);
    let link =
        |at: usize| format!("\x1b]8;;http://{at}.example/{rest}\x1b\\{at:>5}\x1b]8;;\x1b\\\r\n");
    (0..count).map(link).collect()
}

/// Adjacent cells that all differ in colour.
fn colours(cells: usize) -> String {
    let cell = |at: usize| {
        let [_, r, g, b] = (at as u32).wrapping_mul(2_654_435_761).to_be_bytes();
        format!("\x1b[38;2;{r};{g};{b};48;2;{b};{r};{g}m▀")
    };
    (0..cells).map(cell).collect()
}

/// Bytes that a terminal puts out for this many blocks.
pub(crate) const fn emitted(blocks: u64) -> u64 {
    blocks * 800 * (LINE.len() as u64 + 1)
}

/// A command that echoes its input at once and unchanged.
pub(crate) fn echo() -> Vec<String> {
    ["sh", "-c", "stty raw -echo; printf R; exec cat"].map(str::to_owned).to_vec()
}

/// A shell that marks its prompts.
pub(crate) fn shell() -> Vec<String> {
    vec!["bash".to_owned()]
}

/// A command that does nothing, with as little memory as possible.
pub(crate) fn idle() -> Vec<String> {
    ["cat"].map(str::to_owned).to_vec()
}
