//! The Content-Security-Policy of the client's page.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use super::paths::is_embed;

/// The default origins that may show `/embed/…` in a frame: the relay's own, and those of Obsidian
/// on desktops and iOS.
pub const DEFAULT_FRAME_ANCESTORS: [&str; 3] =
    ["'self'", "app://obsidian.md", "capacitor://localhost"];

/// The origin of Obsidian on Android. Any page that is served on port 80 of the viewer's own device
/// has it as well, so it is not among the defaults.
const ANDROID: &str = "http://localhost";

/// The pages that may show this relay's pages in a frame, as CSP sources.
#[derive(Debug, Clone)]
pub struct FrameAncestors {
    /// The sources that may show `/embed/…`.
    embed: String,
}

impl FrameAncestors {
    /// Lets these sources show `/embed/…`, or the [defaults](DEFAULT_FRAME_ANCESTORS) if there are
    /// none. `android` adds Obsidian on Android.
    #[must_use]
    pub fn new(sources: &[String], android: bool) -> Self {
        let mut embed = match sources {
            [] => DEFAULT_FRAME_ANCESTORS.join(" "),
            sources => sources.join(" "),
        };
        if android {
            embed = format!("{embed} {ANDROID}");
        }
        Self { embed }
    }

    /// Returns the sources that may show the page at `path`, which has no leading slash. Pages
    /// other than `/embed/…` have the user's token and buttons for everything, so only the relay's
    /// own pages may show them.
    fn of(&self, path: &str) -> &str {
        if is_embed(path) { &self.embed } else { "'self'" }
    }
}

/// Returns the policy for the client's page at `path`, which has no leading slash. It allows only
/// the page's own files and its current inline scripts, which trunk writes to start the client.
#[must_use]
pub fn policy(page: &str, path: &str, frame_ancestors: &FrameAncestors) -> String {
    let hashes: String = inline_scripts(page)
        .map(|script| format!(" 'sha256-{}'", STANDARD.encode(Sha256::digest(script))))
        .collect();
    let ancestors = frame_ancestors.of(path);
    format!(
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'{hashes}; \
         style-src 'self' 'unsafe-inline'; connect-src 'self'; img-src 'self' data: blob:; \
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
        let policy = policy(page, "embed/terminal/abcdefgh", &FrameAncestors::new(&[], false));
        // printf 'alert(1)' | openssl dgst -sha256 -binary | base64
        let hash = "'sha256-bhHHL3z2vDgxUt0W3dWQOrprscmda2Y5pLsLg4GF+pI='";
        assert!(policy.contains(&format!("'wasm-unsafe-eval' {hash};")), "{policy}");
        let obsidian = "frame-ancestors 'self' app://obsidian.md capacitor://localhost";
        assert!(policy.ends_with(obsidian), "{policy}");
        assert_eq!(policy.matches("sha256-").count(), 1);
    }

    #[test]
    fn only_embedded_pages_can_be_framed_by_others() {
        let notes = FrameAncestors::new(&["https://notes.example".to_owned()], true);
        let of = |path: &str| {
            let policy = policy("", path, &notes);
            policy.rsplit_once("frame-ancestors ").unwrap().1.to_owned()
        };
        for path in ["embed/terminal/abcdefgh", "embed/session/abcdefgh/"] {
            assert_eq!(of(path), "https://notes.example http://localhost", "{path}");
        }
        for path in ["sessions", "terminal/abcdefgh", "embed", "embed/x/abcdefgh", "embed/a/b/c"] {
            assert_eq!(of(path), "'self'", "{path}");
        }
    }
}
