//! The browser's client: in the binary of a release, from a folder in development.

use std::path::{Component, Path, PathBuf};

use axum::body::Bytes;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

/// One file of the client, in this binary.
#[derive(Debug)]
struct Embedded {
    path: &'static str,
    plain: &'static [u8],
    brotli: Option<&'static [u8]>,
    gzip: Option<&'static [u8]>,
}

static EMBEDDED: &[Embedded] = include!(concat!(env!("OUT_DIR"), "/client.rs"));

/// Where the client's files are.
#[derive(Debug, Clone)]
pub struct Client {
    /// Without one, those in the binary.
    folder: Option<PathBuf>,
}

/// One file, as it can be sent.
#[derive(Debug, Clone)]
pub struct Asset {
    /// As it is.
    pub plain: Bytes,
    /// By brotli, where that is smaller.
    pub brotli: Option<Bytes>,
    /// By gzip, where that is smaller.
    pub gzip: Option<Bytes>,
    /// Changes with the content.
    pub etag: String,
}

impl Client {
    /// The files in `folder`; without one those that were built in, or, in a debug build, the ones
    /// that trunk has put into the workspace's `dist`.
    #[must_use]
    pub fn new(folder: Option<PathBuf>) -> Self {
        let of_workspace = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dist");
        Self { folder: folder.or_else(|| cfg!(debug_assertions).then(of_workspace)) }
    }

    /// The file at a path as it is in an address, without the first slash.
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
    // A folder, a file that is gone and one that may not be read are all no file of the client.
    let plain = Bytes::from(tokio::fs::read(folder.join(path)).await.ok()?);
    let etag = etag(&plain);
    Some(Asset { plain, brotli: None, gzip: None, etag })
}

fn etag(content: &[u8]) -> String {
    format!("\"{}\"", URL_SAFE_NO_PAD.encode(&Sha256::digest(content)[..12]))
}
