//! This program as another process: a keeper, or a host that will be killed.

use std::ffi::OsString;
use std::io::{Write as _, stderr};
use std::path::PathBuf;

use moorline_host::keeper::{self, KeeperConfig, Kept};

use super::pump::{Pump, TOTAL};
use super::spec;

/// Returns the command that starts this program again for one of its ignored tests.
pub(super) fn again(test: &str) -> Vec<OsString> {
    let test = format!("processes::{test}");
    let mut words = vec![std::env::current_exe().unwrap().into_os_string()];
    words.extend(["--exact", &test, "--ignored", "--nocapture", "--"].map(OsString::from));
    words
}

fn arguments() -> Vec<OsString> {
    std::env::args_os().skip_while(|word| word != "--").skip(1).collect()
}

#[test]
#[ignore = "the other tests start it as their keeper"]
fn the_keeper() {
    let mut words = arguments().into_iter();
    let mut config = KeeperConfig {
        socket: PathBuf::new(),
        folder: PathBuf::new(),
        program: OsString::new(),
        arguments: Vec::new(),
        open_files: None,
    };
    while let Some(word) = words.next() {
        let value = words.next().unwrap();
        match word.to_str().unwrap() {
            "--socket" => config.socket = value.into(),
            "--folder" => config.folder = value.into(),
            "--open-files" => config.open_files = Some(value.to_str().unwrap().parse().unwrap()),
            _ => {
                config.program = value;
                break;
            }
        }
    }
    config.arguments = words.collect();
    keeper::run(&config).unwrap();
}

/// Goes on with the streams of `cat` until it is killed, and tells on its standard error how much
/// it has read before it acknowledges that: a line a write, so that the kill cannot cut one.
#[tokio::test]
#[ignore = "another test starts it to kill it"]
async fn the_host() {
    let words = arguments();
    let [socket, read_from] = words.as_slice() else { panic!("{words:?}") };
    let read_from = read_from.to_str().unwrap().parse().unwrap();
    let mut kept = match read_from {
        0 => Kept::start(&spec(socket.as_ref(), &["cat"])).await.unwrap(),
        _ => Kept::attach(socket.as_ref(), read_from).await.unwrap(),
    };
    let told = |read| stderr().write_all(format!("read {read}\n").as_bytes()).unwrap();
    Pump::new(&kept, read_from).run(&mut kept, told).await;
    panic!("it was not killed before all {TOTAL} bytes");
}
