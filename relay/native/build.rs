//! Embeds the browser's client, compressed, in release builds, so that `moorline` is one file to
//! copy.
//!
//! `dist/` holds trunk's build. Without it, the binary lacks only the page, and says so when the
//! page is requested. Debug builds read `dist/` at run time.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?);
    let mut table = String::from("&[\n");
    if env::var("PROFILE").is_ok_and(|profile| profile == "release") {
        let dist = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dist");
        println!("cargo::rerun-if-changed={}", dist.display());
        if dist.is_dir() {
            embed(&dist, "", &out, &mut table)?;
        }
    }
    table.push(']');
    fs::write(out.join("client.rs"), table)
}

/// Writes one line of the table for each file below `folder`.
fn embed(folder: &Path, prefix: &str, out: &Path, table: &mut String) -> io::Result<()> {
    let mut entries: Vec<_> = fs::read_dir(folder)?.collect::<Result<_, _>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            embed(&entry.path(), &format!("{name}/"), out, table)?;
            continue;
        }
        let plain = fs::read(entry.path())?;
        let stem = out.join(name.replace('/', "__"));
        let include = |ending: &str, bytes: &[u8]| -> io::Result<String> {
            let path = stem.with_added_extension(ending);
            fs::write(&path, bytes)?;
            Ok(format!("include_bytes!({path:?})"))
        };
        let smaller = |ending: &str, bytes: Vec<u8>| -> io::Result<String> {
            let worth_it = bytes.len() < plain.len() / 10 * 9;
            if worth_it {
                Ok(format!("Some({})", include(ending, &bytes)?))
            } else {
                Ok("None".into())
            }
        };
        let (brotli, gzip) = (smaller("br", brotli(&plain)?)?, smaller("gz", gzip(&plain)?)?);
        let plain = include("plain", &plain)?;
        writeln!(
            table,
            "Embedded {{ path: {name:?}, plain: {plain}, brotli: {brotli}, gzip: {gzip} }},"
        )
        .map_err(io::Error::other)?;
    }
    Ok(())
}

fn brotli(plain: &[u8]) -> io::Result<Vec<u8>> {
    let mut compressed = Vec::new();
    let parameters = brotli::enc::BrotliEncoderParams {
        quality: 11,
        lgwin: 22,
        size_hint: plain.len(),
        ..Default::default()
    };
    brotli::BrotliCompress(&mut &plain[..], &mut compressed, &parameters)?;
    Ok(compressed)
}

fn gzip(plain: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(plain)?;
    encoder.finish()
}
