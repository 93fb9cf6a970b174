//! This program as the process that tmux starts for a pane's pipe.

use std::ffi::OsString;

use moorline_host::driver::tmux::hand_over;

/// Returns the command that starts this program again for [`the_pane_pipe`].
pub(super) fn pane_pipe() -> Vec<OsString> {
    let mut words = vec![std::env::current_exe().unwrap().into_os_string()];
    let test = "processes::the_pane_pipe";
    words.extend(["--exact", test, "--ignored", "--nocapture", "--"].map(OsString::from));
    words
}

#[test]
#[ignore = "tmux starts it for the other tests"]
fn the_pane_pipe() {
    let words: Vec<_> = std::env::args_os().skip_while(|word| word != "--").skip(1).collect();
    let [option, socket] = &words[..] else { panic!("{words:?}") };
    assert_eq!(option, "--socket");
    hand_over(std::io::stdin(), socket.as_ref()).unwrap();
}
