//! What happens to a pod, and what its session does.

use moorline_shared::failure::HostFailure;
use moorline_shared::pod::PodStatus;
use moorline_shared::session::ExitStatus;

use crate::driver::kubernetes::error::ClusterError;
use crate::driver::kubernetes::view::{PodNews, PodView};
use crate::keeper::Vitals;

/// One thing that has happened to a pod, or to its session.
#[derive(Debug)]
pub(in crate::driver::kubernetes) enum PodInput {
    /// The answer to [`PodOutput::Create`].
    Created(Result<CreatedPod, ClusterError>),
    /// The pod's state has changed; `None` if it does not exist.
    Observed(Option<PodView>),
    /// The cluster has reported something about the pod.
    News(PodNews),
    /// The answer to [`PodOutput::Deliver`].
    Delivered(Result<(), DeliveryError>),
    /// The answer to [`PodOutput::Attach`], if it has succeeded.
    Attached,
    /// [`PodOutput::Attach`] has failed, or the connection was lost; with the reason.
    Lost(String),
    /// The same, because the pod's supervisor is of another version: with the reason.
    OtherVersion(String),
    /// The program has ended.
    Exited(ExitStatus),
    /// The pod has told the resources that it uses.
    Vitals(Vitals),
    /// A command has begun or ended, or has output something.
    Active { running: bool },
    /// The answer to [`PodOutput::Settle`]: both sides are equal, except for this reason.
    Settled(Option<HostFailure>),
    /// A user has typed.
    Typed,
    /// The session is to end.
    Close,
    /// The time of [`PodMachine::poll_timeout`](super::PodMachine::poll_timeout) has come.
    Timeout,
}

/// The result of a request for a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::driver::kubernetes) enum CreatedPod {
    /// The session has a pod.
    Exists,
    /// An earlier pod of the session is still being deleted.
    Deleting,
}

/// The reason why the supervisor did not get into the pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::driver::kubernetes) enum DeliveryError {
    /// It may work later.
    Lost(String),
    /// It cannot work in this pod.
    Impossible(String),
}

/// An action that the session must take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::driver::kubernetes) enum PodOutput {
    /// Create the pod and its volume.
    Create,
    /// Send the supervisor into the pod, unless it is there.
    Deliver,
    /// Connect to the pod's terminal, at the byte that was read last.
    Attach,
    /// Make the pod's folder and the workspace equal.
    Settle,
    /// Close the connection to the terminal, and forget where it was.
    Detach,
    /// Delete the pod; with its volume, if `claim` is true.
    Delete { claim: bool },
    /// Tell that the agent has ended with its pod, or will: for this reason. If `is_idle`, nobody has
    /// used it. Only of an agent. The next [`PodInput::Typed`] begins another life.
    Gone { reason: String, is_idle: bool },
    /// Tell the pod's state.
    Tell(Box<PodStatus>),
    /// Show this on the terminal.
    Say(String),
    /// Report an error with a stable code.
    Report { code: &'static str, message: String },
    /// The session is over. Comes last.
    End(ExitStatus),
}
