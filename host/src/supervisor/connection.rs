//! The program that a host executes in a pod.

use std::io;
use std::path::Path;

use tokio::io::{AsyncWriteExt as _, copy};
use tokio::net::UnixStream;

use crate::folder::SocketPath;

/// Connects the standard streams of this process to a supervisor until one of them ends. Blocks.
///
/// # Errors
/// The system's error if nobody listens at the socket.
pub fn connect(socket: &Path) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let copied = runtime.block_on(async {
        let short = SocketPath::new(socket)?;
        let (mut from, mut to) = UnixStream::connect(short.path()).await?.into_split();
        let (mut stdin, mut stdout) = (tokio::io::stdin(), tokio::io::stdout());
        let incoming = async {
            copy(&mut stdin, &mut to).await?;
            to.shutdown().await
        };
        let outgoing = async {
            let mut chunk = vec![0; 64 * 1024];
            loop {
                match tokio::io::AsyncReadExt::read(&mut from, &mut chunk).await? {
                    0 => return Ok(()),
                    count => {
                        stdout.write_all(&chunk[..count]).await?;
                        stdout.flush().await?;
                    }
                }
            }
        };
        tokio::select! {
            ended = incoming => ended,
            ended = outgoing => ended,
        }
    });
    // A thread may still wait for the standard input.
    runtime.shutdown_background();
    copied
}
