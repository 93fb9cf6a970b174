//! `cargo xtask edge`: from a checkout to a relay that runs as it does at Cloudflare.

use std::fs::{self, File, Permissions};
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;

use anyhow::{Context as _, Result};

use super::{folder, prepare, workerd};
use crate::progress;
use crate::workspace::Workspace;

/// Builds everything, says how to log in, and becomes workerd.
///
/// # Errors
/// If something can't be installed or built.
pub(crate) fn serve(workspace: &Workspace, port: u16, state: Option<&Path>) -> Result<()> {
    let program = prepare(workspace)?;
    let state = match state {
        Some(state) => std::path::absolute(state)?,
        None => folder(workspace).join("state"),
    };
    let storage = state.join("storage");
    fs::create_dir_all(&storage)?;
    fs::set_permissions(&state, Permissions::from_mode(0o700))?;
    let token_file = state.join("token");
    let token = token(&token_file)?;
    announce(port, &token, &program, &token_file);
    let mut serve = workerd(workspace, "workerd.capnp")?;
    serve
        .arg(format!("--directory-path=assets={}", folder(workspace).join("assets").display()))
        .arg(format!("--socket-addr=http=127.0.0.1:{port}"))
        .arg(format!("--directory-path=storage={}", storage.display()))
        .env("MOORLINE_TOKEN", token);
    // workerd replaces this process, so that signals reach it alone.
    Err(serve.exec()).context("can't start workerd")
}

fn announce(port: u16, token: &str, program: &Path, token_file: &Path) {
    let base = format!("http://127.0.0.1:{port}");
    let (program, token_file) = (program.display(), token_file.display());
    progress::line(&format!(
        "The relay runs at {base}. Open this address:\n\n    {base}/#token={token}\n\n\
         It has no sessions of its own. To run some on this machine, start a host beside it:\n\n    \
         {program} host --relay {base} --token-file {token_file}\n"
    ));
}

/// The admin token, which is created once, so that the address stays the same.
fn token(file: &Path) -> Result<String> {
    if let Ok(token) = fs::read_to_string(file) {
        return Ok(token.trim().to_owned());
    }
    let mut random = [0; 32];
    File::open("/dev/urandom")?.read_exact(&mut random)?;
    let token: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    fs::write(file, &token)?;
    fs::set_permissions(file, Permissions::from_mode(0o600))?;
    Ok(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_made_once_and_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        let made = token(&file).unwrap();
        assert_eq!(made.len(), 64);
        assert_eq!(token(&file).unwrap(), made);
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
}
