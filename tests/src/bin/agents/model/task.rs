//! What prompts ask of the stand-in, and its answers.

use serde_json::{Map, Value, json};

/// The content of all files that are written.
const CONTENT: &str = "by a stand-in";

/// A file that a prompt asks to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Task {
    path: String,
    /// True if a command needs more rights than usual: some agents only ask then.
    is_special: bool,
}

/// A request to a model, as far as the stand-in needs it.
#[derive(Debug, Default)]
pub(super) struct ModelQuestion {
    pub(super) said: Vec<ModelWord>,
    pub(super) tools: Vec<ModelTool>,
    /// True if the answer must be JSON.
    pub(super) wants_json: bool,
}

/// A part of a conversation.
#[derive(Debug)]
pub(super) enum ModelWord {
    /// Something that the user has said.
    User(String),
    /// The result of a tool.
    Result,
}

/// A tool that an agent offers.
#[derive(Debug)]
pub(super) struct ModelTool {
    pub(super) name: String,
    /// Its parameters, by name; `None` if it takes a text.
    pub(super) parameters: Option<Map<String, Value>>,
}

/// What the stand-in answers.
#[derive(Debug)]
pub(super) enum ModelAnswer {
    Text(String),
    Call {
        tool: String,
        /// An object, or a text for a tool that takes one.
        arguments: Value,
    },
}

impl Task {
    /// A task to write this file: an absolute path.
    pub(crate) fn new(path: &std::path::Path) -> Self {
        Self { path: path.to_string_lossy().into_owned(), is_special: false }
    }

    /// Returns the same task with a command that needs more rights than usual.
    pub(crate) fn special(self) -> Self {
        Self { is_special: true, ..self }
    }

    /// Returns the prompt.
    pub(crate) fn prompt(&self) -> String {
        let verb = if self.is_special { "specially write" } else { "write" };
        format!("Please write the file. [[{verb} {}]]", self.path)
    }

    /// The path of the file, which names the task.
    pub(crate) fn name(&self) -> &str {
        &self.path
    }

    /// Returns true if the file is there, and right.
    pub(crate) fn is_done(&self) -> bool {
        std::fs::read_to_string(&self.path).is_ok_and(|content| content.trim_end() == CONTENT)
    }

    /// Reads the last task of a text.
    fn read(text: &str) -> Option<Self> {
        let (_, rest) = text.rsplit_once("[[")?;
        let (words, _) = rest.split_once("]]")?;
        let (verb, path) = words.split_once("write ")?;
        Some(Self { path: path.to_owned(), is_special: !verb.is_empty() })
    }
}

impl ModelQuestion {
    /// Returns all tasks, oldest first.
    pub(super) fn tasks(&self) -> impl Iterator<Item = Task> {
        self.said.iter().filter_map(|word| match word {
            ModelWord::User(text) => Task::read(text),
            ModelWord::Result => None,
        })
    }

    /// Returns the task that is to be done now.
    pub(super) fn task(&self) -> Option<Task> {
        self.tasks().last()
    }

    /// Returns true if tools can be used.
    pub(super) const fn has_tools(&self) -> bool {
        !self.tools.is_empty()
    }

    /// Returns the answer.
    pub(super) fn answer(&self) -> ModelAnswer {
        if self.wants_json {
            return ModelAnswer::Text("{}".to_owned());
        }
        let is_task =
            |word: &ModelWord| matches!(word, ModelWord::User(text) if Task::read(text).is_some());
        let since = self.said.iter().rposition(is_task).unwrap_or(self.said.len());
        let is_done = self.said[since..].iter().any(|word| matches!(word, ModelWord::Result));
        match self.task() {
            Some(task) if !is_done => {
                self.call(&task).unwrap_or_else(|| ModelAnswer::Text("Write a file".to_owned()))
            }
            Some(_) => ModelAnswer::Text("The file is written.".to_owned()),
            None => ModelAnswer::Text("Yes.".to_owned()),
        }
    }

    /// Returns a call of the tool that can do a task: one that writes files, or else one that
    /// applies patches, or runs commands.
    fn call(&self, task: &Task) -> Option<ModelAnswer> {
        let calls = [written, patched, run];
        let mut calls = calls.iter().flat_map(|call| {
            self.tools.iter().filter_map(move |tool| {
                let arguments = call(tool, task)?;
                Some(ModelAnswer::Call { tool: tool.name.clone(), arguments })
            })
        });
        calls.next()
    }
}

fn written(tool: &ModelTool, Task { path, .. }: &Task) -> Option<Value> {
    let parameters = tool.parameters.as_ref().filter(|all| all.contains_key("content"))?;
    let names = ["file_path", "filePath", "path"];
    let name = names.into_iter().find(|name| parameters.contains_key(*name))?;
    Some(json!({ name: path, "content": format!("{CONTENT}\n") }))
}

fn patched(tool: &ModelTool, Task { path, .. }: &Task) -> Option<Value> {
    let is_patch = tool.name == "apply_patch" && tool.parameters.is_none();
    let patch = format!("*** Begin Patch\n*** Add File: {path}\n+{CONTENT}\n*** End Patch\n");
    is_patch.then(|| patch.into())
}

fn run(tool: &ModelTool, Task { path, is_special }: &Task) -> Option<Value> {
    let parameters = tool.parameters.as_ref()?;
    let name = ["cmd", "command"].into_iter().find(|name| parameters.contains_key(*name))?;
    let command = format!("echo '{CONTENT}' > '{path}'");
    let mut arguments = match &parameters[name]["type"] {
        kind if kind == "array" => json!({ name: ["sh", "-c", command] }),
        _ => json!({ name: command }),
    };
    // Codex runs commands in a sandbox, unless they ask not to be.
    if *is_special && parameters.contains_key("sandbox_permissions") {
        arguments["sandbox_permissions"] = "require_escalated".into();
        arguments["justification"] = "May the file be written?".into();
    }
    Some(arguments)
}
