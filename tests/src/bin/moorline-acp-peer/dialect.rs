//! What the two sides have agreed on in `initialize`.

use clap::ValueEnum;
use serde_json::{Value, json};

/// Something that the peer can be started without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PeerFeature {
    /// `session/load`.
    Load,
    /// `session/resume`.
    Resume,
    /// `session/list`.
    List,
    /// `session/close`.
    Close,
    /// `session/delete`.
    Delete,
    /// `session/fork`.
    Fork,
    /// Images in prompts.
    Images,
    /// Embedded resources in prompts.
    EmbeddedContext,
    /// Session modes.
    Modes,
    /// Config options.
    Config,
    /// Authentication methods.
    Auth,
    /// Message ids, which version 1 does not require.
    MessageIds,
}

/// The protocol of a connection.
#[derive(Debug, Clone)]
pub(crate) struct PeerDialect {
    /// 1 or 2.
    pub(crate) version: u64,
    /// Whether the client shows boolean config options.
    pub(crate) boolean_options: bool,
    without: Vec<PeerFeature>,
}

impl PeerDialect {
    /// Chooses the protocol for the parameters of `initialize`: what the client asked for, at most
    /// `highest`.
    pub(crate) fn choose(params: &Value, highest: u64, without: &[PeerFeature]) -> Option<Self> {
        let asked = params["protocolVersion"].as_u64()?;
        let version = asked.clamp(1, highest);
        let options = &params["clientCapabilities"]["session"]["configOptions"];
        // Version 2 has no capability for them.
        let boolean_options = version > 1 || options["boolean"].is_object();
        Some(Self { version, boolean_options, without: without.to_vec() })
    }

    pub(crate) fn has(&self, feature: PeerFeature) -> bool {
        !self.without.contains(&feature)
    }

    /// The result of `initialize`.
    pub(crate) fn describe(&self) -> Value {
        let info = json!({
            "name": "moorline-acp-peer",
            "title": "Scripted peer",
            "version": env!("CARGO_PKG_VERSION"),
        });
        if self.version > 1 {
            return json!({
                "protocolVersion": self.version,
                "info": info,
                "capabilities": self.capabilities_of_version_2(),
                "authMethods": self.auth_methods(),
            });
        }
        json!({
            "protocolVersion": self.version,
            "agentInfo": info,
            "agentCapabilities": self.capabilities(),
            "authMethods": self.auth_methods(),
        })
    }

    fn capabilities(&self) -> Value {
        let mut session = json!({});
        for (feature, name) in [
            (PeerFeature::Resume, "resume"),
            (PeerFeature::List, "list"),
            (PeerFeature::Close, "close"),
            (PeerFeature::Delete, "delete"),
            (PeerFeature::Fork, "fork"),
        ] {
            if self.has(feature) {
                session[name] = json!({});
            }
        }
        let mut capabilities = json!({
            "loadSession": self.has(PeerFeature::Load),
            "promptCapabilities": {
                "image": self.has(PeerFeature::Images),
                "audio": false,
                "embeddedContext": self.has(PeerFeature::EmbeddedContext),
            },
            "mcpCapabilities": {"http": false, "sse": false},
            "sessionCapabilities": session,
        });
        if self.has(PeerFeature::Auth) {
            capabilities["auth"] = json!({"logout": {}});
        }
        capabilities
    }

    fn capabilities_of_version_2(&self) -> Value {
        let mut prompt = json!({});
        if self.has(PeerFeature::Images) {
            prompt["image"] = json!({});
        }
        if self.has(PeerFeature::EmbeddedContext) {
            prompt["embeddedContext"] = json!({});
        }
        let mut session = json!({"prompt": prompt, "mcp": {"stdio": {}}});
        if self.has(PeerFeature::Delete) {
            session["delete"] = json!({});
        }
        if self.has(PeerFeature::Fork) {
            session["fork"] = json!({});
        }
        json!({"session": session})
    }

    fn auth_methods(&self) -> Value {
        if !self.has(PeerFeature::Auth) {
            return json!([]);
        }
        if self.version > 1 {
            json!([{"type": "agent", "methodId": AUTH_METHOD, "name": "Peer login"}])
        } else {
            json!([{"id": AUTH_METHOD, "name": "Peer login"}])
        }
    }
}

/// The id of the only authentication method.
pub(crate) const AUTH_METHOD: &str = "peer-login";
