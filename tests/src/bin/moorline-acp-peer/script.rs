//! Scripts: one step a line.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::words::{json, number, object, required, text, two, word};

/// One thing that the peer does. `moorline-acp-peer --help` documents each by its word.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ScriptStep {
    Echo(String),
    Say(String),
    More(String),
    Think(String),
    Chunks(usize),
    Tool(Map<String, Value>),
    ToolUpdate(Map<String, Value>),
    Plan(Value),
    Commands(Value),
    Mode(String),
    Config { id: String, value: Value },
    ConfigList(Value),
    Usage(Map<String, Value>),
    Title(String),
    Ask { params: Map<String, Value>, waits: bool },
    Answers,
    Form(Map<String, Value>),
    Edit { path: String, content: String },
    Read(String),
    Write { path: String, content: String },
    Run(String),
    Request { method: String, params: Value },
    Notify { method: String, params: Value },
    Raw(String),
    UpdateUnknown(Map<String, Value>),
    Garbage(String),
    Half,
    Flood(usize),
    HugeLine(usize),
    Sleep(Duration),
    Wait(PathBuf),
    Touch(PathBuf),
    Hang,
    Deaf,
    Twice,
    Unanswered,
    Late(Duration),
    Reorder,
    Error { code: i64, message: String },
    Auth,
    Stop(String),
    Exit(i32),
    Kill,
    Stubborn,
    Child { holds_output: bool },
    Env(String),
    Cwd,
    Images,
    Resources,
    Stderr(String),
}

/// A moment outside of prompts at which a script can run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum ScriptMoment {
    /// Before `initialize` is answered. There is no session yet.
    Initialize,
    /// Before `session/new` or `session/fork` is answered.
    New,
    /// Before `session/load` is answered, after the replay.
    Load,
    /// Before `session/resume` is answered.
    Resume,
    /// After standard input was closed. There is no session.
    Exit,
}

/// The script of a file.
#[derive(Debug, Default)]
pub(crate) struct ScriptFile {
    /// The steps of every prompt. If there are none, a prompt's text is its script.
    pub(crate) prompt: Vec<ScriptStep>,
    moments: HashMap<ScriptMoment, Vec<ScriptStep>>,
}

impl ScriptFile {
    /// Reads the script of a file, in which a line `on` and a moment starts the steps of that moment.
    ///
    /// # Errors
    /// If a line has a known first word and wrong arguments, or an unknown first word.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut file = Self::default();
        let mut moment = None;
        for (at, line) in lines(text) {
            if let ("on", name) = word(line) {
                moment = moment_named(name).map_err(|error| format!("line {at}: {error}"))?;
                continue;
            }
            let step = step(line).map_err(|error| format!("line {at}: {error}"))?;
            let step = step.ok_or_else(|| format!("line {at}: {line:?} is no step"))?;
            match moment {
                Some(moment) => file.moments.entry(moment).or_default().push(step),
                None => file.prompt.push(step),
            }
        }
        Ok(file)
    }

    /// The steps of a moment.
    pub(crate) fn at(&self, moment: ScriptMoment) -> Vec<ScriptStep> {
        self.moments.get(&moment).cloned().unwrap_or_default()
    }
}

/// Reads the text of a prompt. If its first word is none of a step, the whole text is one echo.
///
/// # Errors
/// If a line has a known first word and wrong arguments.
pub(crate) fn parse_prompt(text: &str) -> Result<Vec<ScriptStep>, String> {
    let mut steps = Vec::new();
    for (at, line) in lines(text) {
        match step(line).map_err(|error| format!("line {at}: {error}"))? {
            Some(step) => steps.push(step),
            None if steps.is_empty() => return Ok(vec![ScriptStep::Echo(text.to_owned())]),
            None => steps.push(ScriptStep::Echo(line.to_owned())),
        }
    }
    Ok(steps)
}

/// The lines that are neither empty nor comments, with their numbers.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let numbered = text.lines().enumerate().map(|(at, line)| (at + 1, line.trim()));
    numbered.filter(|(_, line)| !line.is_empty() && !line.starts_with("# "))
}

fn moment_named(name: &str) -> Result<Option<ScriptMoment>, String> {
    Ok(Some(match name {
        "prompt" => return Ok(None),
        "initialize" => ScriptMoment::Initialize,
        "new" => ScriptMoment::New,
        "load" => ScriptMoment::Load,
        "resume" => ScriptMoment::Resume,
        "exit" => ScriptMoment::Exit,
        _ => return Err(format!("{name:?} is no moment")),
    }))
}

/// Reads a line; `None` if its first word is not that of a step.
fn step(line: &str) -> Result<Option<ScriptStep>, String> {
    use ScriptStep as Step;
    let (name, rest) = word(line);
    let step = match name {
        "say" => Step::Say(required(rest)?),
        "more" => Step::More(required(rest)?),
        "think" => Step::Think(required(rest)?),
        "chunks" => Step::Chunks(number::<usize>(rest)?.max(1)),
        "tool" => Step::Tool(object(rest)?),
        "update" => Step::ToolUpdate(object(rest)?),
        "plan" => Step::Plan(json(rest)?),
        "commands" => Step::Commands(json(rest)?),
        "mode" => Step::Mode(required(rest)?),
        "config" => config(rest)?,
        "usage" => Step::Usage(object(rest)?),
        "title" => Step::Title(required(rest)?),
        "ask" => Step::Ask { params: object(rest)?, waits: true },
        "ask!" => Step::Ask { params: object(rest)?, waits: false },
        "answers" => Step::Answers,
        "form" => Step::Form(object(rest)?),
        "edit" => two(rest).map(|(path, content)| Step::Edit { path, content })?,
        "read" => Step::Read(required(rest)?),
        "write" => two(rest).map(|(path, content)| Step::Write { path, content })?,
        "run" => Step::Run(required(rest)?),
        "request" => called(rest).map(|(method, params)| Step::Request { method, params })?,
        "notify" => called(rest).map(|(method, params)| Step::Notify { method, params })?,
        "raw" => Step::Raw(rest.to_owned()),
        "update-unknown" => Step::UpdateUnknown(object(rest)?),
        "garbage" => Step::Garbage(rest.to_owned()),
        "half" => Step::Half,
        "flood" => Step::Flood(number(rest)?),
        "hugeline" => Step::HugeLine(number(rest)?),
        "sleep" => Step::Sleep(Duration::from_millis(number(rest)?)),
        "wait" => Step::Wait(required(rest)?.into()),
        "touch" => Step::Touch(required(rest)?.into()),
        "hang" => Step::Hang,
        "deaf" => Step::Deaf,
        "twice" => Step::Twice,
        "unanswered" => Step::Unanswered,
        "late" => Step::Late(Duration::from_millis(number(rest)?)),
        "reorder" => Step::Reorder,
        "error" => two(rest).and_then(|(code, message)| error(&code, message))?,
        "auth" => Step::Auth,
        "stop" => Step::Stop(required(rest)?),
        "exit" => Step::Exit(number(rest)?),
        "kill" => Step::Kill,
        "stubborn" => Step::Stubborn,
        "child" => child(rest)?,
        "env" => Step::Env(required(rest)?),
        "cwd" => Step::Cwd,
        "images" => Step::Images,
        "resources" => Step::Resources,
        "stderr" => Step::Stderr(text(rest)),
        _ => return Ok(None),
    };
    Ok(Some(step))
}

fn config(rest: &str) -> Result<ScriptStep, String> {
    if rest.starts_with('[') {
        return Ok(ScriptStep::ConfigList(json(rest)?));
    }
    let (id, value) = word(rest);
    let value = serde_json::from_str(value).unwrap_or_else(|_| value.into());
    Ok(ScriptStep::Config { id: required(id)?, value })
}

fn called(rest: &str) -> Result<(String, Value), String> {
    let (method, params) = word(rest);
    Ok((required(method)?, object(params)?.into()))
}

fn error(code: &str, message: String) -> Result<ScriptStep, String> {
    Ok(ScriptStep::Error { code: number(code)?, message })
}

fn child(rest: &str) -> Result<ScriptStep, String> {
    match rest {
        "" => Ok(ScriptStep::Child { holds_output: false }),
        "holding" => Ok(ScriptStep::Child { holds_output: true }),
        _ => Err(format!("{rest:?} is not understood")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn only(line: &str) -> ScriptStep {
        let steps = parse_prompt(line).unwrap();
        assert_eq!(steps.len(), 1, "{line}");
        steps.into_iter().next().unwrap()
    }

    #[test]
    fn a_prompt_is_one_step_a_line() {
        let steps =
            parse_prompt("chunks 3\n\n  say  hello you \n# a comment\nstop refusal").unwrap();
        let expected = [
            ScriptStep::Chunks(3),
            ScriptStep::Say("hello you".to_owned()),
            ScriptStep::Stop("refusal".to_owned()),
        ];
        assert_eq!(steps, expected);
    }

    #[test]
    fn a_text_can_be_a_json_string() {
        assert_eq!(only(r#"say "a\nb""#), ScriptStep::Say("a\nb".to_owned()));
        assert_eq!(only(r#"say "a" b"#), ScriptStep::Say(r#""a" b"#.to_owned()));
        let edit = |path: &str, content: &str| ScriptStep::Edit {
            path: path.to_owned(),
            content: content.to_owned(),
        };
        assert_eq!(only(r#"edit "a b" "c\n""#), edit("a b", "c\n"));
        assert_eq!(only("edit a b c"), edit("a", "b c"));
        assert_eq!(only("edit a"), edit("a", ""));
    }

    #[test]
    fn a_plain_prompt_is_echoed_whole_and_a_later_line_alone() {
        assert_eq!(only("Hello\nsay a"), ScriptStep::Echo("Hello\nsay a".to_owned()));
        let steps = parse_prompt("say a\nHello").unwrap();
        assert_eq!(steps[1], ScriptStep::Echo("Hello".to_owned()));
        assert!(parse_prompt(" \n").unwrap().is_empty());
    }

    #[test]
    fn json_arguments_are_read_or_refused() {
        let Value::Object(params) = json!({"title": "x"}) else { unreachable!() };
        assert_eq!(
            only(r#"ask! {"title":"x"}"#),
            ScriptStep::Ask { params: params.clone(), waits: false }
        );
        assert_eq!(only("ask"), ScriptStep::Ask { params: Map::new(), waits: true });
        let value = json!(true);
        assert_eq!(only("config brave true"), ScriptStep::Config { id: "brave".to_owned(), value });
        let value = json!("small");
        assert_eq!(
            only("config model small"),
            ScriptStep::Config { id: "model".to_owned(), value }
        );
        assert_eq!(only("config []"), ScriptStep::ConfigList(json!([])));
        let request =
            ScriptStep::Request { method: "_x/y".to_owned(), params: Value::Object(params) };
        assert_eq!(only(r#"request _x/y {"title":"x"}"#), request);
        for line in [
            "tool {",
            "tool []",
            "say",
            "sleep soon",
            "exit 99999999999",
            "error x y",
            "child now",
            "config",
            r#"edit "a"#,
        ] {
            let refused = parse_prompt(&format!("say a\n{line}")).unwrap_err();
            assert!(refused.starts_with("line 2: "), "{line}: {refused}");
        }
    }

    #[test]
    fn a_file_has_steps_for_moments() {
        let text = "say a\non new\ngarbage hello\non exit\nexit 3\non prompt\nsay b";
        let file = ScriptFile::parse(text).unwrap();
        assert_eq!(file.prompt.len(), 2);
        assert_eq!(file.at(ScriptMoment::New), [ScriptStep::Garbage("hello".to_owned())]);
        assert_eq!(file.at(ScriptMoment::Exit), [ScriptStep::Exit(3)]);
        assert!(file.at(ScriptMoment::Load).is_empty());
        assert!(ScriptFile::parse("on monday").is_err());
        assert!(ScriptFile::parse("hello").is_err());
    }
}
