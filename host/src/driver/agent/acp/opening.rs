//! The beginning of a connection: what both sides can do, logging in, and the session.

use std::path::Path;

use moorline_shared::agent::content::LoginMethod;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::content::id;
use super::options::{OfferedOption, offered};
use super::{AcpVersion, AgentCall, has, line, list, text};

/// The part of an agent's abilities that matters here.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in super::super) struct AgentAbilities {
    /// Its history can be loaded, which repeats it.
    pub(in super::super) load: bool,
    /// A session can be continued without repeating its history.
    pub(in super::super) resume: bool,
    /// A session can be closed.
    pub(in super::super) close: bool,
    /// Prompts may have images.
    pub(in super::super) images: bool,
    /// A session may have more folders than one.
    pub(in super::super) directories: bool,
}

/// An agent's answer to [`initialize`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in super::super) struct AgentHello {
    /// The version that it speaks; `None` if the host does not.
    pub(in super::super) dialect: Option<AcpVersion>,
    /// The number of that version.
    pub(in super::super) version: u64,
    /// Its name, for people.
    pub(in super::super) name: Option<String>,
    /// The version of its program.
    pub(in super::super) program_version: Option<String>,
    /// What it can do.
    pub(in super::super) abilities: AgentAbilities,
    /// The ways to log in through the protocol.
    pub(in super::super) login: Vec<LoginMethod>,
}

/// An agent's answer to a request that opens a session.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in super::super) struct OpenedSession {
    /// The session's id, if the answer names one.
    pub(in super::super) session_id: Option<String>,
    /// Its settings; `None` if the answer has none.
    pub(in super::super) options: Option<Vec<OfferedOption>>,
}

/// Returns the request that opens a connection in a version of the protocol. It can be read by
/// agents of each version.
///
/// Files are not offered, although requests for them are served: an agent that works on files by
/// itself does not wait for a host that is away. Gemini (0.61) even takes every error of a client
/// for more than a missing file, and then does not write new ones. `has_terminals` is false if the
/// host cannot run commands where the agent is.
pub(in super::super) fn initialize(version: u64, has_terminals: bool) -> AgentCall {
    let info = json!({
        "name": "moorline", "title": "Moorline", "version": env!("CARGO_PKG_VERSION"),
    });
    let params = json!({
        "protocolVersion": version,
        "clientInfo": info,
        "clientCapabilities": {
            "terminal": has_terminals,
            "session": { "configOptions": { "boolean": {} } },
            "elicitation": { "form": {}, "url": {} },
            // Users are told the command to log in with, in either way that agents name one.
            "auth": { "terminal": true },
            "_meta": { "terminal-auth": true },
        },
        // The same for version 2, which has neither files nor terminals.
        "info": info,
        "capabilities": {
            "elicitation": { "form": {}, "url": {} }, "auth": { "terminal": {} },
        },
    });
    ("initialize", params)
}

/// Reads the answer to [`initialize`] of an agent that was started by this command.
pub(in super::super) fn hello(answer: &Value, command: &[String]) -> AgentHello {
    let version = answer.get("protocolVersion").and_then(Value::as_u64).unwrap_or(1);
    let dialect = match version {
        1 => Some(AcpVersion::V1),
        2 => Some(AcpVersion::V2),
        _ => None,
    };
    let info = answer.get("agentInfo").or_else(|| answer.get("info")).unwrap_or(&Value::Null);
    let methods = list(answer, "authMethods").unwrap_or_default();
    AgentHello {
        dialect,
        version,
        name: line(info, "title").or_else(|| line(info, "name")),
        program_version: line(info, "version"),
        abilities: abilities(dialect.unwrap_or_default(), answer),
        login: methods.iter().filter_map(|method| login_method(method, command)).collect(),
    }
}

fn abilities(dialect: AcpVersion, answer: &Value) -> AgentAbilities {
    match dialect {
        AcpVersion::V1 => {
            let has = |path: &[&str]| has(&answer["agentCapabilities"], path);
            AgentAbilities {
                load: has(&["loadSession"]),
                resume: has(&["sessionCapabilities", "resume"]),
                close: has(&["sessionCapabilities", "close"]),
                images: has(&["promptCapabilities", "image"]),
                directories: has(&["sessionCapabilities", "additionalDirectories"]),
            }
        }
        AcpVersion::V2 => {
            let session = &answer["capabilities"]["session"];
            AgentAbilities {
                load: false,
                resume: true,
                close: true,
                images: has(session, &["prompt", "image"]),
                directories: has(session, &["additionalDirectories"]),
            }
        }
    }
}

fn login_method(method: &Value, agent: &[String]) -> Option<LoginMethod> {
    let is_terminal = method.get("type").is_some_and(|kind| kind == "terminal");
    let command = match method.pointer("/_meta/terminal-auth") {
        Some(named) => command_line(named, &[text(named, "command")?]),
        // The agent's own program, with other arguments.
        None if is_terminal => command_line(method, agent),
        None => None,
    };
    if is_terminal && command.is_none() {
        return None;
    }
    let id = id(method, "id").or_else(|| id(method, "methodId"))?;
    let name = line(method, "name").unwrap_or_else(|| id.clone());
    Some(LoginMethod { id, name, description: line(method, "description"), command })
}

/// Returns a command with the arguments and variables of a way to log in, as a shell needs it.
fn command_line(named: &Value, program: &[String]) -> Option<String> {
    if program.is_empty() {
        return None;
    }
    let env = named.get("env").unwrap_or(&Value::Null);
    let pair = |(name, value): (&String, &Value)| Some((name.clone(), value.as_str()?.to_owned()));
    let entry = |entry: &Value| Some((text(entry, "name")?, text(entry, "value")?));
    let pairs: Vec<_> = match env {
        Value::Object(fields) => fields.iter().map(pair).collect::<Option<_>>()?,
        Value::Array(entries) => entries.iter().map(entry).collect::<Option<_>>()?,
        _ => Vec::new(),
    };
    let variables = pairs.iter().map(|(name, value)| format!("{name}={}", quoted(value)));
    let program = program.iter().map(|word| quoted(word));
    let arguments = list(named, "args").unwrap_or_default().iter();
    let arguments: Vec<_> =
        arguments.map(|word| word.as_str().map(quoted)).collect::<Option<_>>()?;
    let words: Vec<_> = variables.chain(program).chain(arguments).collect();
    Some(words.join(" "))
        .filter(|line| line.len() <= super::LINE_BYTES && !line.contains(char::is_control))
}

/// Returns a word of a command as a shell needs it.
pub(in super::super) fn quoted(word: &str) -> String {
    let is_plain = |letter: char| letter.is_alphanumeric() || "-_./=:@%+,".contains(letter);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Returns the request that logs in.
pub(in super::super) fn log_in(dialect: AcpVersion, method: &str) -> AgentCall {
    let name = match dialect {
        AcpVersion::V1 => "authenticate",
        AcpVersion::V2 => "auth/login",
    };
    (name, json!({ "methodId": method }))
}

impl OpenedSession {
    /// Returns the parameters of a request that opens a session in these folders.
    fn params(cwd: &Path, directories: &[String]) -> Value {
        let mut params = json!({ "cwd": cwd, "mcpServers": [] });
        if !directories.is_empty() {
            params["additionalDirectories"] = directories.into();
        }
        params
    }

    /// Returns the request for a new session.
    pub(in super::super) fn new_request(cwd: &Path, directories: &[String]) -> AgentCall {
        ("session/new", Self::params(cwd, directories))
    }

    /// Returns the request that continues a session without repeating its history.
    pub(in super::super) fn resume_request(
        session_id: &str,
        cwd: &Path,
        directories: &[String],
    ) -> AgentCall {
        let mut params = Self::params(cwd, directories);
        params["sessionId"] = session_id.into();
        ("session/resume", params)
    }

    /// Returns the request that continues a session and repeats its history.
    pub(in super::super) fn load_request(
        session_id: &str,
        cwd: &Path,
        directories: &[String],
    ) -> AgentCall {
        let (_, params) = Self::resume_request(session_id, cwd, directories);
        ("session/load", params)
    }

    /// Reads the answer to one of these requests. Some agents answer null.
    pub(in super::super) fn read(answer: &Value) -> Self {
        Self { session_id: id(answer, "sessionId"), options: offered(answer) }
    }
}

/// Returns the request that closes a session.
pub(in super::super) fn close(session_id: &str) -> AgentCall {
    ("session/close", json!({ "sessionId": session_id }))
}

/// Returns the notification that stops what a session does.
pub(in super::super) fn cancel(session_id: &str) -> AgentCall {
    ("session/cancel", json!({ "sessionId": session_id }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_introduce_themselves() {
        let first = hello(
            &json!({
                "protocolVersion": 1,
                "agentCapabilities": {
                    "loadSession": true,
                    "promptCapabilities": { "image": true },
                    "sessionCapabilities": { "resume": {}, "close": null },
                },
                "agentInfo": { "name": "claude", "title": "Claude", "version": "3" },
                "authMethods": [
                    { "id": "key", "name": "Key", "description": "Set it." },
                    { "type": "terminal", "id": "tty", "name": "Terminal" },
                    { "name": "no id" },
                ],
            }),
            &[],
        );
        assert_eq!((first.dialect, first.name.as_deref()), (Some(AcpVersion::V1), Some("Claude")));
        let AgentAbilities { load, resume, close, images, directories } = first.abilities;
        assert_eq!((load, resume, close, images, directories), (true, true, false, true, false));
        let ids: Vec<_> = first.login.iter().map(|method| &*method.id).collect();
        assert_eq!(ids, ["key"]);

        let second = hello(
            &json!({
                "protocolVersion": 2, "info": { "name": "x", "version": "1" },
                "capabilities": { "session": { "prompt": { "image": {} } } },
                "authMethods": [{ "type": "agent", "methodId": "key", "name": "Key" }],
            }),
            &[],
        );
        assert_eq!(second.dialect, Some(AcpVersion::V2));
        assert!(second.abilities.images && second.abilities.resume && !second.abilities.load);
        assert_eq!(second.login[0].id, "key");
        assert_eq!(hello(&json!({ "protocolVersion": 9 }), &[]).dialect, None);
        assert_eq!(hello(&json!({}), &[]).dialect, Some(AcpVersion::V1));
    }
}
