//! The browser client's files: in the binary of a release, from a folder in development.

use std::path::{Component, Path, PathBuf};

use axum::body::Bytes;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

/// A client file in this binary.
#[derive(Debug)]
struct Embedded {
    path: &'static str,
    plain: &'static [u8],
    brotli: Option<&'static [u8]>,
    gzip: Option<&'static [u8]>,
}

static EMBEDDED: &[Embedded] = include!(concat!(env!("OUT_DIR"), "/client.rs"));

/// The source of the client's files.
#[derive(Debug, Clone)]
pub struct ClientFiles {
    /// The folder to read; `None` for the files in the binary.
    folder: Option<PathBuf>,
}

/// One file, as it can be sent.
#[derive(Debug, Clone)]
pub struct Asset {
    /// The content without compression.
    pub plain: Bytes,
    /// The content as brotli, if that is smaller.
    pub brotli: Option<Bytes>,
    /// The content as gzip, if that is smaller.
    pub gzip: Option<Bytes>,
    /// A quoted tag that changes with the content.
    pub etag: String,
}

impl ClientFiles {
    /// Serves the files in `folder`. Without it, serves those in the binary, or, in a debug build,
    /// those that trunk has built into the workspace's `dist`.
    #[must_use]
    pub fn new(folder: Option<PathBuf>) -> Self {
        let of_workspace = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dist");
        Self { folder: folder.or_else(|| cfg!(debug_assertions).then(of_workspace)) }
    }

    /// Returns the file at a URL path without its leading slash.
    pub async fn find(&self, path: &str) -> Option<Asset> {
        match &self.folder {
            Some(folder) => read(folder, path).await,
            None => EMBEDDED.iter().find(|file| file.path == path).map(Embedded::asset),
        }
    }
}

impl Embedded {
    fn asset(&self) -> Asset {
        Asset {
            plain: Bytes::from_static(self.plain),
            brotli: self.brotli.map(Bytes::from_static),
            gzip: self.gzip.map(Bytes::from_static),
            etag: etag(self.plain),
        }
    }
}

async fn read(folder: &Path, path: &str) -> Option<Asset> {
    let path = Path::new(path);
    let is_plain = path.components().all(|part| matches!(part, Component::Normal(_)));
    if !is_plain {
        return None;
    }
    // Folders, missing files and unreadable files all count as absent.
    let plain = Bytes::from(tokio::fs::read(folder.join(path)).await.ok()?);
    let etag = etag(&plain);
    Some(Asset { plain, brotli: None, gzip: None, etag })
}

fn etag(content: &[u8]) -> String {
    format!("\"{}\"", URL_SAFE_NO_PAD.encode(&Sha256::digest(content)[..12]))
}
