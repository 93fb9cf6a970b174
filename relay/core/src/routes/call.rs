//! The requests that each relay handles in its own way.

/// Requests that each relay handles in its own way: sockets, streams, and those that need its database or another
/// process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// Reports that the relay works.
    Health,
    /// Returns the API's description.
    Description,
    /// Returns metrics for Prometheus.
    Metrics,
    /// Returns metrics as JSON.
    DebugMetrics,
    /// Sets the browser's cookie.
    LogIn,
    /// Removes the browser's cookie.
    LogOut,
    /// Creates a ticket.
    CreateTicket,
    /// Lists all tokens.
    ListTokens,
    /// Creates a token.
    CreateToken,
    /// Changes what a token allows.
    ChangeToken,
    /// Revokes a token.
    RevokeToken,
    /// Removes every cookie that stands for the caller's token.
    LogOutEverywhere,
    /// Returns what a browser needs to log in by a passkey.
    PasskeyLogin,
    /// Sets the browser's cookie for who has a passkey.
    LogInByPasskey,
    /// Lists the passkeys that the caller may see.
    ListPasskeys,
    /// Returns what a browser needs to make a passkey.
    PasskeyCreation,
    /// Adds a passkey for the caller's token.
    AddPasskey,
    /// Removes a passkey.
    RemovePasskey,
    /// Lists what was done by whom.
    Audit,
    /// Returns the key with which browsers subscribe to notices.
    PushKey,
    /// Keeps a browser's subscription to notices.
    SubscribePush,
    /// Forgets a subscription.
    UnsubscribePush,
    /// Opens the event stream of the lists.
    ListEvents,
    /// Lists the agents of a host, by asking it.
    HostAgents,
    /// Lists the tmux servers of a host, by asking it.
    HostTmux,
    /// Lists templates and pods of a host, by asking it.
    HostPods,
    /// Stores a template of pods with a host.
    SavePodTemplate,
    /// Removes a template of pods, or the volume of a session that is over.
    RemovePods,
    /// Starts a session on another one's log.
    Fork,
    /// Lists the files that a session works with, by asking its host.
    SessionContext,
    /// Opens a session's event stream.
    SessionEvents,
    /// Opens a client's WebSocket.
    Stream,
    /// Opens a WebSocket of plain text.
    Plain,
    /// Opens a WebSocket of the Agent Client Protocol.
    Acp,
    /// Opens the deprecated WebSocket of JSON.
    Chat,
    /// Opens a host's WebSocket for one session.
    Publish,
    /// Opens a host's own WebSocket.
    Control,
    /// Lists a host's rules about approvals, by asking it.
    HostRules,
    /// Revokes a rule of a host.
    RevokeRule,
    /// Opens a workspace's event stream.
    WorkspaceEvents,
}
