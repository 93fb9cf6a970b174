//! What outsiders send to a workspace: paths, messages of a sync, and archives. Nothing that is accepted leads out of a
//! folder, and a message reads as it was written.

#![no_main]

use bytes::Bytes;
use http::{HeaderMap, Method};
use libfuzzer_sys::fuzz_target;
use moorline_core::auth::Grant;
use moorline_core::routes::{Found, Handler, Request, find};
use moorline_shared::workspace::WorkspacePath;
use moorline_shared::workspace::wire::{WorkspaceAnswer, WorkspaceRequest};

fn upload(query: &str, body: &[u8]) {
    let Found::Route(found) = find(&Method::POST, "/api/workspaces/abcdefgh/archive") else {
        panic!("the route is there");
    };
    let Handler::Workspace(handler) = found.route.handler else { panic!("it is of workspaces") };
    let request = Request {
        id: found.id,
        item: String::new(),
        grant: Grant::unstored(),
        query: query.to_owned(),
        content_type: String::new(),
        body: Bytes::copy_from_slice(body),
        now_ms: 0,
        random: 0,
    };
    let _ = (handler.parse)(&request, &HeaderMap::new());
}

fuzz_target!(|input: (u8, &[u8])| {
    let (kind, bytes) = input;
    match kind % 4 {
        0 => {
            let Ok(path) = String::from_utf8_lossy(bytes).parse::<WorkspacePath>() else { return };
            let joined = std::path::Path::new("/top").join(path.as_str());
            assert!(joined.starts_with("/top") && path.names().all(|name| name != ".."));
            assert!(path.conflict("host", 1).as_str().parse::<WorkspacePath>().is_ok());
        }
        1 => {
            if let Ok(request) = WorkspaceRequest::decode(Bytes::copy_from_slice(bytes)) {
                let again = WorkspaceRequest::decode(request.encode());
                assert_eq!(again.ok(), Some(request));
            }
            let _ = WorkspaceAnswer::decode(Bytes::copy_from_slice(bytes));
        }
        2 => upload("format=tar", bytes),
        _ => upload("format=zip", bytes),
    }
});
