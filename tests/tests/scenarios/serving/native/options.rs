//! What is wrong with an option is said at once, with how it should be.

use anyhow::{Result, ensure};
use moorline_tests::served::{moorline, refusal};
use tempfile::TempDir;

#[tokio::test]
async fn an_option_that_would_do_nothing_is_refused() -> Result<()> {
    let data = TempDir::new()?;
    let empty = data.path().to_string_lossy().into_owned();
    for (arguments, hint) in [
        (["--allow-host", "https://moor.example"], "moor.example.org"),
        (["--allow-host", "moor.example:443"], "moor.example.org"),
        (["--allow-host", "*.example"], "moor.example.org"),
        (["--dist", "/no/such/folder"], "trunk build"),
        (["--dist", &empty], "trunk build"),
        (["--listen", "3010"], "127.0.0.1:3010"),
        (["--listen", "http://localhost:3010"], "127.0.0.1:3010"),
        (["--listen", "no-such-name.invalid:3010"], "127.0.0.1:3010"),
        (["--log", "no=such=level"], "--log"),
    ] {
        let mut command = moorline()?;
        // An option takes the place of the one before.
        command.args(["serve", "--data-dir"]).arg(data.path()).args(arguments);
        let said = refusal(&mut command).await?;
        ensure!(said.contains(hint), "{arguments:?}: {said}");
    }
    Ok(())
}

#[tokio::test]
async fn an_address_that_is_taken_says_what_to_do() -> Result<()> {
    let taken = std::net::TcpListener::bind("127.0.0.1:0")?;
    let data = TempDir::new()?;
    let mut command = moorline()?;
    let address = format!("localhost:{}", taken.local_addr()?.port());
    command.args(["serve", "--listen", &address, "--data-dir"]).arg(data.path());
    let said = refusal(&mut command).await?;
    ensure!(said.contains("another address or port"), "{said}");
    Ok(())
}
