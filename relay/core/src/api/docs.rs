//! `/docs/api`: the page that shows the API's description. Swagger UI, which renders OpenAPI and
//! sends requests, is among the files of the browser's client.

/// The page's own files: the path, the subtype of the content type after `text/`, and the content.
const FILES: [(&str, &str, &str); 3] = [
    ("/docs/api", "html", include_str!("docs/page.html")),
    ("/docs/api.js", "javascript", include_str!("docs/api.js")),
    ("/docs/api.css", "css", include_str!("docs/api.css")),
];

/// A file of the documentation page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct File {
    /// The path under which it is served.
    pub path: &'static str,
    /// The subtype of its `Content-Type`, after `text/`.
    pub kind: &'static str,
    /// The content of the file.
    pub content: &'static str,
}

/// Returns all files of the page.
pub fn files() -> impl Iterator<Item = File> {
    FILES.into_iter().map(|(path, kind, content)| File { path, kind, content })
}

/// Returns the page's policy. Swagger UI sets styles on its elements and has its icons in its style
/// sheet.
pub const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
    connect-src 'self'; img-src 'self' data:; font-src 'self'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'self'";
