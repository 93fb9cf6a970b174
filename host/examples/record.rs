//! Records what a program writes to its terminal, for the tests in `tests/recordings`.
//!
//! `record FILE COLUMNSxROWS KEYS COMMAND...` types each part of KEYS, which are separated by
//! `|`, whenever the program has been quiet for a while, and writes all output to FILE. The
//! program sees neither the user's name nor home.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context as _;
use moorline_host::driver::pty::{Pty, Spawn};
use moorline_shared::frame::Frame;
use moorline_shared::session::Size;

const QUIET: Duration = Duration::from_millis(400);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, size, keys, command @ ..] = &arguments[..] else {
        anyhow::bail!("record FILE COLUMNSxROWS KEYS COMMAND...");
    };
    let (cols, rows) = size.split_once('x').context("a size is COLUMNSxROWS")?;
    let home = "/tmp/x";
    std::fs::create_dir_all(home)?;
    let variables = [("HOME", home), ("PS1", "$ "), ("USER", "user"), ("LOGNAME", "user")];
    let mut pty = Pty::spawn(&Spawn {
        command: Some(command.to_vec()),
        cwd: Some(home.into()),
        env: BTreeMap::from(variables.map(|(name, value)| (name.to_owned(), value.to_owned()))),
        size: Size { cols: cols.parse()?, rows: rows.parse()? },
        integration: None,
    })?;
    let mut output = Vec::new();
    let mut keys = keys.split('|').map(|keys| keys.replace("\\e", "\x1b").replace("\\r", "\r"));
    loop {
        match tokio::time::timeout(QUIET, pty.reader.read()).await {
            Ok(Ok(Some(piece))) => output.extend_from_slice(&piece[Frame::DATA_START..]),
            Ok(Ok(None)) => break,
            Ok(Err(error)) => return Err(error.into()),
            Err(_quiet) => match keys.next() {
                Some(keys) => _ = pty.writer.try_write(keys.as_bytes())?,
                None => pty.writer.kill(QUIET).await,
            },
        }
    }
    Ok(std::fs::write(file, output)?)
}
