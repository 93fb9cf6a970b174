//! Requests about files.

use http::header::{CONTENT_RANGE, ETAG};
use moorline_shared::rest::WorkspaceDetails;

use super::*;
use crate::routes::workspaces;

type Parse = fn(&Request, &HeaderMap) -> std::result::Result<FileAction, ApiError>;

const PUT: Parse = workspaces::put_file;
const READ: Parse = workspaces::read_file;
const REMOVE: Parse = workspaces::delete_file;
const RENAME: Parse = workspaces::rename_file;
const DETAILS: Parse = workspaces::get;

fn status(result: &std::result::Result<WorkspaceReply, ApiError>) -> u16 {
    match result {
        Ok(reply) => reply.status.as_u16(),
        Err(error) => error.status().as_u16(),
    }
}

#[test]
fn a_file_is_put_and_read() {
    let fixture = Fixture::new();
    let put = fixture.ask(PUT, "a b/c.sh", &[("x-moorline-mode", "755")], b"#!/bin/sh").unwrap();
    assert_eq!((put.status.as_u16(), put.changed), (201, Some(2)));
    let files = changed(&put).files;
    assert_eq!(files.iter().map(|it| it.mode).collect::<Vec<_>>(), [0o755, 0o755]);
    let read = fixture.ask(READ, "a b/c.sh", &[], b"").unwrap();
    assert_eq!(&read.body[..], b"#!/bin/sh");
    let tag = read.headers[ETAG].to_str().unwrap().to_owned();
    assert_eq!(read.headers["x-moorline-mode"], "755");
    assert_eq!(put.headers[ETAG], tag);
    let part = fixture.ask(READ, "a b/c.sh", &[("range", "bytes=2-5")], b"").unwrap();
    assert_eq!((&part.body[..], part.status.as_u16()), (&b"/bin"[..], 206));
    assert_eq!(part.headers[CONTENT_RANGE], "bytes 2-5/9");
    // A range of another version would not fit.
    let whole = [("range", "bytes=2-5"), ("if-range", "\"other\"")];
    assert_eq!(fixture.ask(READ, "a b/c.sh", &whole, b"").unwrap().status.as_u16(), 200);
    assert_eq!(status(&fixture.ask(READ, "a b/c.sh", &[("if-none-match", &tag)], b"")), 304);
    assert_eq!(status(&fixture.ask(READ, "a b/c.sh", &[("range", "bytes=99-")], b"")), 416);
    assert_eq!(status(&fixture.ask(READ, "a b", &[], b"")), 409);
    assert_eq!(status(&fixture.ask(READ, "x", &[], b"")), 404);
    for path in ["../x", "/x", "a//b", "a/../../b"] {
        let refused = fixture.ask(PUT, path, &[], b"").unwrap_err();
        assert_eq!(refused.body().code, "path_invalid", "{path}");
    }
}

#[test]
fn a_put_that_has_not_seen_the_file_is_refused() {
    let fixture = Fixture::new();
    let first = fixture.ask(PUT, "a", &[("if-none-match", "*")], b"1").unwrap();
    let tag = first.headers[ETAG].to_str().unwrap().to_owned();
    let refused = fixture.ask(PUT, "a", &[("if-none-match", "*")], b"2").unwrap_err();
    let file = refused.body().file.as_ref().unwrap();
    assert_eq!(
        (refused.body().code.as_str(), file.hash.unwrap().to_string()),
        ("stale", tag.trim_matches('"').to_owned())
    );
    assert_eq!(status(&fixture.ask(PUT, "a", &[("if-match", &tag)], b"2")), 200);
    assert_eq!(status(&fixture.ask(PUT, "a", &[("if-match", &tag)], b"3")), 412);
    assert_eq!(status(&fixture.ask(REMOVE, "a", &[("if-match", &tag)], b"")), 412);
    // Without a condition, the last one wins; the mode stays.
    assert_eq!(status(&fixture.ask(PUT, "a", &[("x-moorline-mode", "600")], b"4")), 200);
    let last = changed(&fixture.ask(PUT, "a", &[], b"5").unwrap());
    assert_eq!(last.files[0].mode, 0o600);
    assert_eq!(status(&fixture.ask(PUT, "a", &[("x-moorline-mode", "rwx")], b"5")), 400);
    assert_eq!(status(&fixture.ask(REMOVE, "a", &[], b"")), 200);
    assert_eq!(status(&fixture.ask(REMOVE, "a", &[], b"")), 404);
    assert_eq!(status(&fixture.ask(PUT, "a", &[("if-match", "*")], b"6")), 412);
    fixture.check();
}

#[test]
fn a_directory_is_renamed_and_deleted_with_everything_in_it() {
    let fixture = Fixture::new();
    for path in ["a/b/c", "a/d", "ab"] {
        fixture.ask(PUT, path, &[], path.as_bytes()).unwrap();
    }
    let rename = |from: &str, to: &str| {
        let body = serde_json::json!({ "path": from, "to": to }).to_string();
        fixture.ask(RENAME, "", &[], body.as_bytes())
    };
    assert_eq!(status(&rename("a", "x/A")), 200);
    assert_eq!(fixture.paths(), ["ab", "x", "x/A", "x/A/b", "x/A/b/c", "x/A/d"]);
    assert_eq!(&fixture.ask(READ, "x/A/b/c", &[], b"").unwrap().body[..], b"a/b/c");
    assert_eq!(status(&rename("x/A", "x/a")), 200);
    for (from, to, code) in [
        ("x/a", "x/a/b", 400),
        ("x/a", "ab", 412),
        ("no", "b", 404),
        ("ab", "X", 409),
        ("x/a", "ab/c", 409),
    ] {
        assert_eq!(status(&rename(from, to)), code, "{from} {to}");
    }
    fixture.check();
    assert_eq!(status(&fixture.ask(REMOVE, "x", &[], b"")), 200);
    assert_eq!(fixture.paths(), ["ab"]);
    fixture.check();
}

#[test]
fn a_workspace_says_how_full_it_is() {
    let fixture = Fixture::new();
    fixture.ask(PUT, "a/b", &[], b"12345").unwrap();
    let full = fixture.ask(PUT, "c", &[], &vec![0; LIMIT as usize]).unwrap();
    assert_eq!((full.status.as_u16(), full.changed), (507, None));
    let details = fixture.ask(DETAILS, "", &[], b"").unwrap();
    let details: WorkspaceDetails = serde_json::from_slice(&details.body).unwrap();
    assert_eq!((details.bytes, details.files, details.revision), (5, 2, 2));
    assert_eq!((details.limit_bytes, details.is_full), (LIMIT, true));
}

#[test]
fn events_say_what_changed_and_resume_by_revision() {
    let fixture = Fixture::new();
    fixture.ask(PUT, "a", &[], b"1").unwrap();
    let mut events = WorkspaceEvents::after(None);
    assert_eq!(events.look(fixture.workspace()).unwrap(), "");
    let conflict =
        PathChange { conflict_of: Some("a".parse().unwrap()), ..put("a.conflict-h-1", None, b"2") };
    fixture.apply(&[conflict]);
    let text = events.look(fixture.workspace()).unwrap();
    assert!(text.starts_with("event: files-conflict\ndata: {\"workspaceId\":\"workspace_1\""));
    assert!(text.contains("event: files-changed\nid: 2\ndata: "), "{text}");
    assert_eq!(events.look(fixture.workspace()).unwrap(), "");
    assert_eq!(WorkspaceEvents::after(Some(1)).look(fixture.workspace()).unwrap(), text);
    let lost = WorkspaceEvents::after(Some(9)).look(fixture.workspace()).unwrap();
    assert!(lost.contains("\"full\":true"), "{lost}");
}

const DOWNLOAD: Parse = workspaces::download;
const UPLOAD: Parse = workspaces::upload;

/// Packs names with contents; a name that ends with `/` is a directory.
fn tarball(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in members {
        let mut header = tar::Header::new_gnu();
        // Written as it is, however wrong.
        header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_mode(0o640);
        header.set_size(content.len() as u64);
        let is_directory = name.ends_with('/');
        header.set_entry_type(if is_directory {
            tar::EntryType::Directory
        } else {
            tar::EntryType::Regular
        });
        header.set_cksum();
        builder.append(&header, *content).unwrap();
    }
    builder.into_inner().unwrap()
}

#[test]
fn an_archive_is_unpacked_and_packed_as_it_was() {
    let fixture = Fixture::new();
    let long = format!("deep/{}", "x".repeat(200));
    fixture.ask(PUT, &long, &[("x-moorline-mode", "755")], b"long").unwrap();
    let archive = tarball(&[("./", b""), ("./a/", b""), ("./a/b.bin", b"\0\xff"), ("c", b"3")]);
    assert_eq!(status(&fixture.ask(UPLOAD, "", &[], &archive)), 200);
    assert_eq!(fixture.paths(), ["a", "a/b.bin", "c", "deep", &long]);
    let packed = fixture.ask(DOWNLOAD, "", &[], b"").unwrap();
    let name = "attachment; filename=\"workspace_1.tar\"";
    assert_eq!(packed.headers["content-disposition"], name);
    let other = Fixture::new();
    other.ask(UPLOAD, "", &[], &packed.body).unwrap();
    let entries = |fixture: &Fixture| -> Vec<_> {
        fixture.tree(None).files.iter().map(|file| (file.path.clone(), file.entry())).collect()
    };
    assert_eq!(entries(&other), entries(&fixture));
}

#[test]
fn an_archive_that_leads_out_or_is_too_large_puts_nothing() {
    let fixture = Fixture::new();
    for name in ["../x", "/etc/x", "a/../../x", "a\\b"] {
        let archive = tarball(&[("good", b"1"), (name, b"2")]);
        let refused = fixture.ask(UPLOAD, "", &[], &archive).unwrap_err();
        assert_eq!(refused.body().code, "path_invalid", "{name}");
    }
    let collision = tarball(&[("good", b"1"), ("GOOD", b"2")]);
    assert_eq!(status(&fixture.ask(UPLOAD, "", &[], &collision)), 409);
    let cut = &tarball(&[("good", b"1")])[..700];
    for broken in [cut, &[7; 600][..]] {
        let refused = fixture.ask(UPLOAD, "", &[], broken).unwrap_err();
        assert_eq!(refused.body().code, "bad_archive");
    }
    let large = vec![0; 16 * 1024 * 1024 + 1];
    assert_eq!(status(&fixture.ask(UPLOAD, "", &[], &tarball(&[("a", &large)]))), 413);
    assert_eq!(fixture.paths(), Vec::<String>::new());
}

#[cfg(feature = "zip")]
#[test]
fn a_zip_is_unpacked_and_packed_and_its_bombs_are_refused() {
    use std::io::{Cursor, Write as _};
    let zip: fn(&Request, &HeaderMap) -> _ = |request, headers| {
        let query = "format=zip".to_owned();
        workspaces::upload(&Request { query, ..request.clone() }, headers)
    };
    let pack = |members: &[(&str, &[u8])]| {
        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (name, content) in members {
            let options = zip::write::SimpleFileOptions::default();
            writer.start_file(*name, options.unix_permissions(0o600)).unwrap();
            writer.write_all(content).unwrap();
        }
        writer.finish().unwrap().into_inner()
    };
    let fixture = Fixture::new();
    fixture.ask(zip, "", &[], &pack(&[("a/b", b"1")])).unwrap();
    assert_eq!(fixture.tree(None).files[1].mode, 0o600);
    for (members, code) in [
        (vec![("../x", &b"1"[..])], "path_invalid"),
        (vec![("bomb", &vec![0; 17 * 1024 * 1024][..])], "file_too_large"),
    ] {
        let refused = fixture.ask(zip, "", &[], &pack(&members)).unwrap_err();
        assert_eq!(refused.body().code, code);
    }
    let many = vec![0; 12 * 1024 * 1024];
    let bomb = pack(&[("a", &many), ("b", &many), ("c", &many)]);
    assert!(bomb.len() < 100_000);
    assert_eq!(fixture.ask(zip, "", &[], &bomb).unwrap_err().body().code, "too_large");
    let download: fn(&Request, &HeaderMap) -> _ = |request, headers| {
        let query = "format=zip".to_owned();
        workspaces::download(&Request { query, ..request.clone() }, headers)
    };
    let packed = fixture.ask(download, "", &[], b"").unwrap();
    let other = Fixture::new();
    other.ask(zip, "", &[], &packed.body).unwrap();
    assert_eq!(other.paths(), ["a", "a/b"]);
}
