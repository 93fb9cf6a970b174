//! How a program is started, and why it is not.

use std::os::unix::fs::PermissionsExt as _;

use moorline_host::keeper::{AttachError, KeepError, Kept};

use super::{Place, code, finish, keeper_of, lost, stat};

async fn failure(place: &Place, program: &str) -> KeepError {
    let failure = Kept::start(&place.spec(&[program])).await.unwrap_err();
    assert!(!place.socket().exists(), "nothing is left");
    failure
}

#[tokio::test]
async fn a_program_that_cannot_run_is_told() {
    let place = Place::new();
    let error = failure(&place, "no-such-program").await;
    assert!(matches!(error, KeepError::Program { .. }), "{error:?}");
    assert_eq!(error.to_string(), "program not found: no-such-program");
    let file = place.folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = failure(&place, file.to_str().unwrap()).await;
    assert!(error.to_string().ends_with("is not executable"), "{error}");

    let mut spec = place.spec(&["true"]);
    spec.config.folder = place.folder.path().join("missing");
    let error = Kept::start(&spec).await.unwrap_err();
    assert!(matches!(error, KeepError::Folder { .. }), "{error:?}");
    assert!(error.to_string().contains("/missing: No such file"), "{error}");

    let mut spec = place.spec(&["true"]);
    spec.keeper = vec!["/no/such/keeper".into()];
    assert!(matches!(Kept::start(&spec).await, Err(KeepError::System(_))));
    // A keeper that ends at once.
    spec.keeper = vec!["true".into()];
    let error = Kept::start(&spec).await.unwrap_err().to_string();
    assert!(error.contains("without a reason"), "{error}");
}

#[tokio::test]
async fn a_socket_has_one_keeper() {
    let place = Place::new();
    let mut kept = place.start(&["cat"]).await;
    let error = Kept::start(&place.spec(&["cat"])).await.unwrap_err().to_string();
    assert!(error.contains("another keeper listens there"), "{error}");
    // The look has replaced this host, and the keeper runs on.
    lost(&mut kept).await;
    let mut kept = place.attach(0).await;
    kept.control().forget();
    lost(&mut kept).await;
    let gone = Kept::attach(&place.socket(), 0).await;
    assert!(matches!(gone, Err(AttachError::Gone)), "{gone:?}");
}

#[tokio::test]
async fn a_program_gets_its_folder_variables_and_limits() {
    let place = Place::new();
    let folder = place.folder.path().canonicalize().unwrap();
    let mut spec =
        place.spec(&["sh", "-c", "pwd; echo $KEPT; ulimit -n; echo \"$1\"", "sh", "a b"]);
    spec.config.folder = folder.clone();
    spec.config.open_files = Some(123);
    // Longer than the address of a socket.
    spec.config.socket = folder.join("x".repeat(150)).join("agent.sock");
    spec.variables.insert("KEPT".into(), "yes".into());
    let mut kept = Kept::start(&spec).await.unwrap();
    let finished = finish(&mut kept).await;
    assert_eq!(finished.output, format!("{}\nyes\n123\na b\n", folder.display()));
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode(&spec.config.socket) & 0o777, 0o600);
    assert_eq!(mode(spec.config.socket.parent().unwrap()) & 0o777, 0o700);
    kept.control().forget();
    lost(&mut kept).await;
}

#[tokio::test]
async fn keeper_and_program_have_groups_of_their_own_and_default_signals() {
    let place = Place::new();
    let mut kept = place.sh("grep -h Sig /proc/self/status; read line").await;
    let (keeper, program) = (keeper_of(&kept), kept.status().pid);
    let group_and_session = |pid| (stat(pid, 2).unwrap(), stat(pid, 3).unwrap());
    assert_eq!(group_and_session(keeper), (keeper.to_string(), keeper.to_string()));
    assert_eq!(group_and_session(program), (program.to_string(), keeper.to_string()));
    kept.control().close_input();
    let finished = finish(&mut kept).await;
    assert!(finished.output.contains("SigBlk:\t0000000000000000"), "{}", finished.output);
    let ignored = finished.output.split("SigIgn:").nth(1).unwrap().split_whitespace().next();
    let ignored = u64::from_str_radix(ignored.unwrap(), 16).unwrap();
    // Interrupt, hang-up, quit, pipe, terminate.
    let endings = [1, 2, 3, 13, 15].map(|number: u32| 1_u64 << (number - 1)).iter().sum::<u64>();
    assert_eq!(ignored & endings, 0);
    assert_eq!(finished.exit, code(1));
    kept.control().forget();
    lost(&mut kept).await;
}
