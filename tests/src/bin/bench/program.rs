//! What runs on the terminals of the bench.

use std::io::{Read as _, Write as _};
use std::time::{Duration, SystemTime};

use anyhow::Result;

/// A line as builds print them, 80 bytes with what the terminal adds to its end.
const LINE: &[u8; 79] =
    b"[ 42%] Compiling some-crate v1.2.3 (path/to/a/file.rs): 17 warnings, 0.123 s  \n";

/// Waits for a byte, and puts out so many, as a terminal counts them.
///
/// # Errors
/// Where the terminal is gone.
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

/// Waits for a byte, and puts out so many lines, each with its number and the time.
///
/// # Errors
/// Where the terminal is gone.
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
    // It stays, so that the end of a session is no part of what is measured.
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink())?;
    Ok(())
}

/// Waits for a byte, and puts out so many lines at a time.
///
/// # Errors
/// Where the terminal is gone.
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

/// What a terminal gets of so many blocks.
pub(crate) const fn emitted(blocks: u64) -> u64 {
    blocks * 800 * (LINE.len() as u64 + 1)
}

/// Puts out what it gets, at once and as it is.
pub(crate) fn echo() -> Vec<String> {
    ["sh", "-c", "stty raw -echo; printf R; exec cat"].map(str::to_owned).to_vec()
}

/// A shell that marks its prompts.
pub(crate) fn shell() -> Vec<String> {
    vec!["bash".to_owned()]
}

/// Does nothing, and takes as little as a process can.
pub(crate) fn idle() -> Vec<String> {
    ["cat"].map(str::to_owned).to_vec()
}
