//! Both streams, at the exact byte.

use std::ffi::OsStr;
use std::process::Stdio;

use moorline_host::keeper::{AttachError, Kept, KeptEvent, NotTaken, OUTPUT_BYTES, RefusalCode};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;
use tokio::time::timeout;

use super::processes::again;
use super::pump::{PIECE, Pump, TOTAL};
use super::{PATIENCE, Place, code, finish, keeper_of, line, lost, next, pattern, signal, stat};

#[tokio::test]
async fn a_program_outlives_hosts_that_are_killed_and_no_byte_is_lost_or_repeated() {
    let place = Place::new();
    let mut read = 0;
    for kill_at in [1, TOTAL / 3, TOTAL / 2] {
        let words = again("the_host");
        let mut host = Command::new(&words[0])
            .args(&words[1..])
            .args([place.socket().as_os_str(), OsStr::new(&read.to_string())])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(host.stderr.take().unwrap()).lines();
        let mut is_killed = false;
        while let Some(line) = timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap() {
            let told = line.strip_prefix("read ").unwrap_or_else(|| panic!("{line}"));
            read = told.parse().unwrap();
            if read >= kill_at && !is_killed {
                is_killed = true;
                host.start_kill().unwrap();
            }
        }
        assert!(is_killed && read < TOTAL);
        host.wait().await.unwrap();
    }
    let mut kept = place.attach(read).await;
    Pump::new(&kept, read).run(&mut kept, |_| ()).await;
    kept.control().forget();
    assert_eq!(lost(&mut kept).await, KeptEvent::Lost(None));
}

#[tokio::test]
async fn a_program_whose_output_is_not_acknowledged_waits() {
    let place = Place::new();
    let mut kept = place.sh("head -c 50000000 /dev/zero; echo done >&2").await;
    let mut read = 0;
    while read < OUTPUT_BYTES as u64 {
        if let KeptEvent::Output { data, .. } = next(&mut kept).await {
            read += data.len() as u64;
        }
    }
    // Another host finds just as much.
    drop(kept);
    let mut kept = place.attach(0).await;
    assert_eq!((kept.status().start, kept.status().end), (0, OUTPUT_BYTES as u64));
    let pages: u64 = stat(keeper_of(&kept), 21).unwrap().parse().unwrap();
    assert!(pages * 4096 < 96 * 1024 * 1024, "{pages} pages");
    let finished = finish(&mut kept).await;
    assert_eq!((finished.output.len(), finished.errors.as_str()), (50_000_000, "done\n"));
    kept.control().forget();
    lost(&mut kept).await;
}

#[tokio::test]
async fn input_that_nobody_takes_is_bounded_and_does_not_keep_a_program_alive() {
    let place = Place::new();
    let mut kept = place.start(&["sleep", "1000"]).await;
    let control = kept.control();
    let mut written = 0;
    // What the pipe takes makes room for more.
    let mut pipe = 0;
    loop {
        match control.write(written, &pattern(written, PIECE)) {
            Ok(()) => written += PIECE,
            Err(NotTaken::Full) if pipe >= 65536 => break,
            Err(NotTaken::Full) => {
                if let KeptEvent::Written(offset) = next(&mut kept).await {
                    pipe = offset;
                }
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert!(written < 1024 * 1024 + 65536 + PIECE);
    assert_eq!(
        control.write(written + 1, &pattern(0, 1)),
        Err(NotTaken::Gap { expected: written })
    );
    control.kill(true);
    assert_eq!(finish(&mut kept).await.exit, signal("SIGKILL"));
    control.forget();
    lost(&mut kept).await;
}

#[tokio::test]
async fn a_newer_host_replaces_an_older_one() {
    let place = Place::new();
    let mut older = place.start(&["cat"]).await;
    older.control().write(0, b"one\n").unwrap();
    assert_eq!(line(&mut older).await, "one");
    let mut newer = place.attach(0).await;
    assert_eq!(newer.status().taken, 4);
    assert_eq!(lost(&mut older).await, KeptEvent::Lost(Some(RefusalCode::Replaced)));
    assert_eq!(older.control().write(4, b"no"), Err(NotTaken::Closed));
    newer.control().write(2, b"e\ntwo\n").unwrap();
    newer.control().close_input();
    assert_eq!(finish(&mut newer).await.output, "one\ntwo\n");
    newer.control().forget();
    lost(&mut newer).await;
}

#[tokio::test]
async fn the_end_is_told_to_each_host_after_all_output() {
    let place = Place::new();
    let mut kept = place.sh("echo out; echo err >&2; exit 7").await;
    let finished = finish(&mut kept).await;
    assert_eq!(
        (&*finished.output, &*finished.errors, &finished.exit),
        ("out\n", "err\n", &code(7))
    );
    drop(kept);
    let mut kept = place.attach(4).await;
    let finished = finish(&mut kept).await;
    assert_eq!((&*finished.output, &*finished.errors, &finished.exit), ("", "err\n", &code(7)));
    // A refusal leaves the keeper as it was.
    let refused = Kept::attach(&place.socket(), 5).await.unwrap_err();
    assert!(matches!(refused, AttachError::Refused { code: RefusalCode::Range, .. }), "{refused}");
    place.attach(4).await.control().forget();
    lost(&mut kept).await;
}
