//! Unix sockets in the data folder, which only its owner can reach.

use std::fs::Permissions;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context as _, bail};
use moorline_host::folder::SocketPath;
use tokio::net::{UnixListener, UnixStream};

/// Listens at `path`, which may be longer than a socket's address. Replaces a socket that nobody
/// answers on any more.
///
/// # Errors
/// Another relay answers on the socket, or the system refuses.
pub async fn listen(path: &Path) -> anyhow::Result<UnixListener> {
    let short = SocketPath::new(path).with_context(|| cannot(path))?;
    match UnixStream::connect(short.path()).await {
        Ok(_) => bail!(
            "a relay already serves from this folder ({} answers): see `--data-dir`",
            path.display()
        ),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
            std::fs::remove_file(path)
                .with_context(|| format!("cannot replace {}", path.display()))?;
        }
        Err(error) => return Err(error).with_context(|| cannot(path)),
    }
    let listener = UnixListener::bind(short.path()).with_context(|| cannot(path))?;
    // Nobody else can connect before this: the folder is closed to other users.
    std::fs::set_permissions(path, Permissions::from_mode(0o600)).with_context(|| cannot(path))?;
    Ok(listener)
}

fn cannot(path: &Path) -> String {
    let path = path.display();
    format!("cannot listen on {path}: use a data folder on another disk, or `--in-process`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_a_socket_that_nobody_answers_on_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("relay.sock");
        let first = listen(&path).await.unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let refused = listen(&path).await.unwrap_err().to_string();
        assert!(refused.contains("answers"), "{refused}");
        drop(first);
        listen(&path).await.unwrap();
        let deep = folder.path().join("x".repeat(120)).join("relay.sock");
        let refused = listen(&deep).await.unwrap_err().to_string();
        assert!(refused.contains("--in-process"), "{refused}");
        std::fs::create_dir(deep.parent().unwrap()).unwrap();
        let _deep = listen(&deep).await.unwrap();
        assert!(listen(&deep).await.unwrap_err().to_string().contains("answers"));
    }
}
