//! Pages in frames of other sites.

use anyhow::{Context as _, Result, ensure};
use moorline_tests::relay::Relay;
use reqwest::header::{ACCEPT, CONTENT_TYPE};

#[tokio::test]
async fn every_page_says_who_may_frame_it() -> Result<()> {
    let relay = Relay::start().await?;
    let client = reqwest::Client::new();
    let mut pages = 0;
    for path in [
        "/",
        "/index.html",
        "/sessions",
        "/sessions?project=abcdefgh",
        "/approvals",
        "/terminal/abcdefgh",
        "/session/abcdefgh",
        "/terminal/user_1_ws_0123456789abcdef0123456789abcdef",
        "/embed/terminal/abcdefgh",
        "/embed/session/abcdefgh",
        "/docs/api",
        "/docs",
        "/nonsense",
        "/embed/nonsense",
        "/api/nonsense",
        "/metrics",
        "/healthz",
        "/push.js",
    ] {
        let request = client.get(format!("{}{path}", relay.url()));
        let answer = request.header(ACCEPT, "text/html,*/*").send().await?;
        let header = |name| answer.headers().get(name).and_then(|value| value.to_str().ok());
        ensure!(header("x-content-type-options") == Some("nosniff"), "{path} may be sniffed");
        let kind = answer.headers().get(CONTENT_TYPE).context(path)?.to_str()?;
        if !kind.starts_with("text/html") {
            continue;
        }
        pages += 1;
        let policy =
            header("content-security-policy").with_context(|| format!("{path}: no CSP"))?;
        let (_, ancestors) = policy.split_once("frame-ancestors ").context(path)?;
        let is_embed = path.starts_with("/embed/terminal") || path.starts_with("/embed/session");
        let expected = ["'self'", "'none'"];
        ensure!(is_embed || expected.contains(&ancestors), "{path}: {policy}");
        ensure!(!ancestors.contains('*') && !ancestors.contains("http:"), "{path}: {policy}");
    }
    ensure!(pages >= 10, "{pages} pages");
    Ok(())
}
