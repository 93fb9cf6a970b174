//! `/docs/api`: the page that shows the API's description. Swagger UI itself, which knows OpenAPI and
//! tries requests out, is among the files of the browser's client.

/// The page's own files, by their paths: the second word of their content's type, and the content.
const FILES: [(&str, &str, &str); 3] = [
    ("/docs/api", "html", include_str!("docs/page.html")),
    ("/docs/api.js", "javascript", include_str!("docs/api.js")),
    ("/docs/api.css", "css", include_str!("docs/api.css")),
];

/// A file of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct File {
    /// Where it is.
    pub path: &'static str,
    /// As in `Content-Type`, behind `text/`.
    pub kind: &'static str,
    /// What is in it.
    pub content: &'static str,
}

/// All of them.
pub fn files() -> impl Iterator<Item = File> {
    FILES.into_iter().map(|(path, kind, content)| File { path, kind, content })
}

/// The page's policy. Swagger UI sets styles on its elements and has its icons in its style sheet.
#[must_use]
pub fn policy(frame_ancestors: &[String]) -> String {
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
         connect-src 'self'; img-src 'self' data:; font-src 'self'; base-uri 'none'; \
         form-action 'none'; frame-ancestors {}",
        frame_ancestors.join(" ")
    )
}
