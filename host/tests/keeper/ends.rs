//! How programs and keepers end.

use moorline_host::keeper::{AttachError, Kept, KeptEvent};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{Place, finish, is_gone, keeper_of, line, lost, signal, wait_until};

fn send(pid: u32, signal: Signal) {
    kill(Pid::from_raw(pid as i32), signal).unwrap();
}

async fn forget(mut kept: Kept) {
    kept.control().forget();
    assert_eq!(lost(&mut kept).await, KeptEvent::Lost(None));
}

#[tokio::test]
async fn killing_ends_the_children_too() {
    let place = Place::new();
    // The child survives SIGTERM, and the program does not.
    let mut kept = place.sh("(trap '' TERM; echo; exec sleep 1000) & read x; wait").await;
    line(&mut kept).await;
    let group = kept.status().pid;
    kept.control().kill(false);
    assert_eq!(finish(&mut kept).await.exit, signal("SIGTERM"));
    wait_until("no process of the group", || {
        kill(Pid::from_raw(-(group as i32)), None).is_err() || group_is_gone(group)
    })
    .await;
    forget(kept).await;
}

/// Returns true if nothing of the group runs, even if nobody has waited for it.
fn group_is_gone(group: u32) -> bool {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let mut pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    !pids.any(|pid| super::stat(pid, 2) == Some(group.to_string()) && !is_gone(pid))
}

#[tokio::test]
async fn a_program_that_ignores_sigterm_is_killed_after_a_while() {
    let place = Place::new();
    let mut kept = place.sh("trap '' TERM; echo; while :; do read x; done").await;
    line(&mut kept).await;
    kept.control().kill(false);
    assert_eq!(finish(&mut kept).await.exit, signal("SIGKILL"));
    forget(kept).await;
}

#[tokio::test]
async fn children_neither_outlive_their_program_nor_delay_its_end() {
    let place = Place::new();
    let mut kept = place.sh("sleep 1000 & echo $!").await;
    let child = line(&mut kept).await.parse().unwrap();
    assert_eq!(finish(&mut kept).await.exit, super::code(0));
    wait_until("the child's end", || is_gone(child)).await;
    forget(kept).await;
}

#[tokio::test]
async fn a_child_that_has_left_the_group_does_not_delay_the_end() {
    let place = Place::new();
    let mut kept = place.sh("setsid sh -c 'echo $$; exec sleep 1000' & read x; echo bye").await;
    let child: u32 = line(&mut kept).await.parse().unwrap();
    kept.control().close_input();
    let finished = finish(&mut kept).await;
    assert_eq!((&*finished.output, finished.exit), ("bye\n", super::code(0)));
    assert!(!is_gone(child), "it still holds the pipe");
    send(child, Signal::SIGKILL);
    forget(kept).await;
}

#[tokio::test]
async fn a_keeper_that_is_killed_is_lost_with_its_program() {
    let place = Place::new();
    let mut kept = place.start(&["cat"]).await;
    let program = kept.status().pid;
    send(keeper_of(&kept), Signal::SIGKILL);
    assert_eq!(lost(&mut kept).await, KeptEvent::Lost(None));
    wait_until("the program's end", || is_gone(program)).await;
    assert!(place.socket().exists());
    assert!(matches!(Kept::attach(&place.socket(), 0).await, Err(AttachError::Gone)));
    assert!(!place.socket().exists());
    assert!(matches!(Kept::attach(&place.socket(), 0).await, Err(AttachError::Gone)));
}

#[tokio::test]
async fn a_keeper_that_is_asked_to_ends_with_its_program() {
    let place = Place::new();
    let mut kept = place.start(&["sleep", "1000"]).await;
    let (keeper, program) = (keeper_of(&kept), kept.status().pid);
    send(keeper, Signal::SIGHUP);
    send(keeper, Signal::SIGTERM);
    lost(&mut kept).await;
    assert!(is_gone(program) && !place.socket().exists());
    wait_until("the keeper's end", || is_gone(keeper)).await;
}

#[tokio::test]
async fn a_keeper_that_refuses_its_host_can_be_ended() {
    let place = Place::new();
    let kept = place.sh("trap '' HUP; sleep 1000").await;
    let (program, keeper) = (kept.status().pid, keeper_of(&kept));
    drop(kept);
    let refused = Kept::attach(&place.socket(), 5).await;
    assert!(matches!(refused, Err(AttachError::Refused { .. })), "{refused:?}");
    Kept::end(&place.socket()).await.unwrap();
    wait_until("program and keeper are gone", || is_gone(program) && is_gone(keeper)).await;
    // Nobody listens there any more.
    Kept::end(&place.socket()).await.unwrap();
}

#[tokio::test]
async fn a_request_right_before_the_connection_is_dropped_is_sent() {
    let place = Place::new();
    let kept = place.start(&["sleep", "1000"]).await;
    let (keeper, program) = (keeper_of(&kept), kept.status().pid);
    kept.control().forget();
    drop(kept);
    wait_until("their end", || is_gone(keeper) && is_gone(program)).await;
    assert!(!place.socket().exists());
}
