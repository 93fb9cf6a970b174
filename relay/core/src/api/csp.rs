//! The Content-Security-Policy of the client's page.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

/// The default origins that may show the client in a frame.
pub const DEFAULT_FRAME_ANCESTORS: [&str; 3] =
    ["'self'", "app://obsidian.md", "capacitor://localhost"];

/// Returns the policy for a page. It allows only the page's own files and its current inline
/// scripts, which trunk writes to start the client.
#[must_use]
pub fn policy(page: &str, frame_ancestors: &[String]) -> String {
    let hashes: String = inline_scripts(page)
        .map(|script| format!(" 'sha256-{}'", STANDARD.encode(Sha256::digest(script))))
        .collect();
    let ancestors = frame_ancestors.join(" ");
    format!(
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'{hashes}; \
         style-src 'self' 'unsafe-inline'; connect-src 'self'; img-src 'self' data:; \
         font-src 'self'; manifest-src 'self'; base-uri 'self'; form-action 'none'; \
         frame-ancestors {ancestors}"
    )
}

/// The text between `<script …>` and `</script>` of each script without `src`.
fn inline_scripts(page: &str) -> impl Iterator<Item = &str> {
    page.split("<script").skip(1).filter_map(|rest| {
        let (attributes, rest) = rest.split_once('>')?;
        let (script, _) = rest.split_once("</script>")?;
        let external = attributes.split_whitespace().any(|attribute| attribute.starts_with("src="));
        (!external).then_some(script)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_inline_script_is_named_by_its_hash() {
        let page = "<html><script src=\"/a.js\"></script>\
            <script type=\"module\">alert(1)</script></html>";
        let policy = policy(page, &["'self'".into(), "app://obsidian.md".into()]);
        // printf 'alert(1)' | openssl dgst -sha256 -binary | base64
        let hash = "'sha256-bhHHL3z2vDgxUt0W3dWQOrprscmda2Y5pLsLg4GF+pI='";
        assert!(policy.contains(&format!("'wasm-unsafe-eval' {hash};")), "{policy}");
        assert!(policy.ends_with("frame-ancestors 'self' app://obsidian.md"), "{policy}");
        assert_eq!(policy.matches("sha256-").count(), 1);
    }
}
