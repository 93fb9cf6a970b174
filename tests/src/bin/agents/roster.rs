//! The agents that are tried, and what each needs to reach the stand-in for its model.

use serde_json::json;

use super::model::MODEL;

/// An agent, and its configuration.
pub(crate) struct RealAgent {
    /// Its id in the host's catalogue, which is the name of the folder of its packages too.
    pub(crate) id: &'static str,
    /// The name of its program.
    pub(crate) program: &'static str,
    /// The npm packages whose versions matter.
    pub(crate) packages: &'static [&'static str],
    /// Folders of programs beside that of npm, within the packages.
    pub(crate) folders: &'static [&'static str],
    /// The files in its home, with their content for a model at this URL.
    pub(crate) files: fn(&str) -> Vec<(&'static str, String)>,
    /// Its variables.
    pub(crate) variables: fn(&str) -> Vec<(&'static str, String)>,
    /// The way in which it is made to ask before it acts.
    pub(crate) asking: Asking,
    /// True if it overwrites a conversation that it resumes in the minute in which it began.
    pub(crate) keeps_by_minute: bool,
}

/// The way in which an agent is made to ask before it acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asking {
    /// It asks by itself.
    ByDefault,
    /// It asks with another value of a setting.
    Option { option: &'static str, value: &'static str },
    /// It asks with other variables: the value is added to the usual ones of the session.
    Variable { name: &'static str, value: &'static str },
    /// It never asks.
    Never,
}

/// All agents, in the order in which they are tried.
pub(crate) const ROSTER: &[RealAgent] = &[
    RealAgent {
        id: "claude-code",
        program: "claude-agent-acp",
        packages: &["@agentclientprotocol/claude-agent-acp", "@anthropic-ai/claude-agent-sdk"],
        folders: &[],
        files: |_| Vec::new(),
        variables: |url| {
            vec![
                ("ANTHROPIC_BASE_URL", url.to_owned()),
                ("ANTHROPIC_API_KEY", MODEL.to_owned()),
                ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1".to_owned()),
            ]
        },
        asking: Asking::Option { option: "mode", value: "default" },
        keeps_by_minute: false,
    },
    RealAgent {
        id: "opencode",
        program: "opencode",
        packages: &["opencode-ai"],
        // npm's own link leads to a script that must have run at the installation.
        folders: &["opencode-linux-x64/bin", "opencode-linux-arm64/bin"],
        files: |url| {
            let provider = json!({
                "npm": "@ai-sdk/openai-compatible", "name": "Stand-in",
                "options": { "baseURL": format!("{url}/v1"), "apiKey": MODEL },
                "models": { MODEL: { "name": "Stand-in" } },
            });
            let config = json!({
                "model": format!("{MODEL}/{MODEL}"), "autoupdate": false, "share": "disabled",
                "provider": { MODEL: provider },
            });
            vec![(".config/opencode/opencode.json", config.to_string())]
        },
        variables: |_| vec![("OPENCODE_DISABLE_MODELS_FETCH", "1".to_owned())],
        asking: Asking::Variable {
            name: "OPENCODE_PERMISSION",
            value: r#"{"edit":"ask","bash":"ask"}"#,
        },
        keeps_by_minute: false,
    },
    RealAgent {
        id: "gemini",
        program: "gemini",
        packages: &["@google/gemini-cli"],
        folders: &[],
        files: |_| {
            let auth = json!({ "selectedType": "gemini-api-key" });
            let settings = json!({
                "security": { "auth": auth, "folderTrust": { "enabled": false } },
                "privacy": { "usageStatisticsEnabled": false },
                "general": { "enableAutoUpdate": false, "disableAutoUpdate": true },
            });
            vec![(".gemini/settings.json", settings.to_string())]
        },
        variables: |url| {
            vec![
                ("GEMINI_API_KEY", MODEL.to_owned()),
                ("GEMINI_MODEL", "gemini-2.5-flash".to_owned()),
                ("GOOGLE_GEMINI_BASE_URL", url.to_owned()),
            ]
        },
        asking: Asking::ByDefault,
        keeps_by_minute: true,
    },
    RealAgent {
        id: "codex",
        program: "codex-acp",
        packages: &["@agentclientprotocol/codex-acp", "@openai/codex"],
        folders: &[],
        files: |url| {
            let config = format!(
                "model = \"gpt-5.1-codex\"\nmodel_provider = \"{MODEL}\"\n\
                 [model_providers.{MODEL}]\nname = \"Stand-in\"\nbase_url = \"{url}/v1\"\n\
                 wire_api = \"responses\"\nenv_key = \"STAND_IN_KEY\"\n\
                 [analytics]\nenabled = false\n"
            );
            vec![(".codex/config.toml", config)]
        },
        variables: |_| {
            vec![
                ("STAND_IN_KEY", MODEL.to_owned()),
                ("MODEL_PROVIDER", MODEL.to_owned()),
                ("NO_BROWSER", "1".to_owned()),
            ]
        },
        asking: Asking::Option { option: "mode", value: "read-only" },
        keeps_by_minute: false,
    },
    RealAgent {
        id: "pi",
        program: "pi-acp",
        packages: &["pi-acp", "@earendil-works/pi-coding-agent"],
        folders: &[],
        files: |url| {
            let provider = json!({
                "baseUrl": format!("{url}/v1"), "api": "openai-completions", "apiKey": MODEL,
                "models": [{ "id": MODEL }],
            });
            let models = json!({ "providers": { MODEL: provider } });
            let settings = json!({
                "defaultProvider": MODEL, "defaultModel": MODEL, "quietStartup": true,
                "enableInstallTelemetry": false,
            });
            vec![
                (".pi/agent/models.json", models.to_string()),
                (".pi/agent/settings.json", settings.to_string()),
            ]
        },
        variables: |_| {
            vec![("PI_OFFLINE", "1".to_owned()), ("PI_SKIP_VERSION_CHECK", "1".to_owned())]
        },
        asking: Asking::Never,
        keeps_by_minute: false,
    },
];

impl RealAgent {
    /// Returns the agent with this id.
    pub(crate) fn find(id: &str) -> Option<&'static Self> {
        ROSTER.iter().find(|agent| agent.id == id)
    }
}
