// The editor of a workspace's files, and the view that merges two versions of one: CodeMirror, which
// `build.rs` bundles with this into a module that is loaded when a text is first opened.

import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { cpp } from "@codemirror/lang-cpp";
import { css } from "@codemirror/lang-css";
import { go } from "@codemirror/lang-go";
import { html } from "@codemirror/lang-html";
import { javascript } from "@codemirror/lang-javascript";
import { json } from "@codemirror/lang-json";
import { markdown } from "@codemirror/lang-markdown";
import { python } from "@codemirror/lang-python";
import { rust } from "@codemirror/lang-rust";
import { sql } from "@codemirror/lang-sql";
import { xml } from "@codemirror/lang-xml";
import { yaml } from "@codemirror/lang-yaml";
import {
  HighlightStyle,
  StreamLanguage,
  bracketMatching,
  indentOnInput,
  indentUnit,
  syntaxHighlighting,
} from "@codemirror/language";
import { dockerFile } from "@codemirror/legacy-modes/mode/dockerfile";
import { lua } from "@codemirror/legacy-modes/mode/lua";
import { properties } from "@codemirror/legacy-modes/mode/properties";
import { ruby } from "@codemirror/legacy-modes/mode/ruby";
import { shell } from "@codemirror/legacy-modes/mode/shell";
import { toml } from "@codemirror/legacy-modes/mode/toml";
import { MergeView, unifiedMergeView } from "@codemirror/merge";
import { highlightSelectionMatches, search, searchKeymap } from "@codemirror/search";
import { Annotation, Compartment, EditorState } from "@codemirror/state";
import {
  EditorView,
  drawSelection,
  highlightActiveLine,
  highlightActiveLineGutter,
  highlightSpecialChars,
  keymap,
  lineNumbers,
} from "@codemirror/view";
import { tags } from "@lezer/highlight";

const old = (mode) => () => StreamLanguage.define(mode);
const typescript = (jsx) => () => javascript({ typescript: true, jsx });

// The languages, by the endings of names or by whole names.
const LANGUAGES = [
  [/\.(js|mjs|cjs|jsx)$/, () => javascript({ jsx: true })],
  [/\.(ts|mts|cts)$/, typescript(false)],
  [/\.tsx$/, typescript(true)],
  [/\.(json|jsonc|webmanifest|ipynb)$/, json],
  [/\.(html?|vue|svelte)$/, html],
  [/\.(css|scss|less)$/, css],
  [/\.(md|markdown|mdx)$/, markdown],
  [/\.(py|pyi)$/, python],
  [/\.rs$/, rust],
  [/\.(ya?ml)$/, yaml],
  [/\.(c|h|cc|cpp|cxx|hpp|hh|java|kt|cs)$/, cpp],
  [/\.go$/, go],
  [/\.sql$/, () => sql()],
  [/\.(xml|svg|plist|xsl)$/, xml],
  [/\.(sh|bash|zsh|ksh|env|profile|bashrc|zshrc)$|(^|\/)(\.?(bashrc|zshrc|profile)|PKGBUILD)$/, old(shell)],
  [/\.toml$|(^|\/)Cargo\.lock$/, old(toml)],
  [/(^|\/)(Dockerfile|Containerfile)[^/]*$/, old(dockerFile)],
  [/\.lua$/, old(lua)],
  [/\.(rb|rake|gemspec)$|(^|\/)(Gemfile|Rakefile)$/, old(ruby)],
  [/\.(ini|cfg|conf|properties|editorconfig)$/, old(properties)],
];

// Text up to this length is parsed for its colours.
const COLOURED = 512 * 1024;
// Texts up to this length together are compared exactly.
const SCANNED = 5000;

// The colours follow the page's theme by themselves.
const colours = HighlightStyle.define([
  { tag: [tags.comment, tags.meta], color: "var(--text-faint)", fontStyle: "italic" },
  { tag: [tags.keyword, tags.operatorKeyword, tags.modifier, tags.tagName], color: "var(--accent)" },
  { tag: [tags.string, tags.regexp, tags.special(tags.string), tags.inserted], color: "var(--good)" },
  { tag: [tags.number, tags.bool, tags.null, tags.atom, tags.attributeName], color: "var(--away)" },
  {
    tag: [tags.typeName, tags.className, tags.definition(tags.variableName), tags.propertyName, tags.function(tags.variableName)],
    color: "var(--code-name)",
  },
  { tag: tags.heading, color: "var(--code-name)", fontWeight: "600" },
  { tag: [tags.invalid, tags.deleted], color: "var(--bad)" },
  { tag: tags.link, textDecoration: "underline" },
  { tag: tags.strong, fontWeight: "700" },
  { tag: tags.emphasis, fontStyle: "italic" },
]);

// A text that the page sets, which nobody has typed.
const given = Annotation.define();

// Writes a hidden character out, as all other pages do.
function written(code) {
  const mark = document.createElement("span");
  mark.className = "files-hidden";
  mark.textContent = `⟨U+${code.toString(16).toUpperCase().padStart(4, "0")}⟩`;
  return mark;
}

// Lines end as they do in the text. If there are both kinds, a return is a character of its line, so
// that a text is saved as it was read.
function separator(text) {
  const all = text.split("\n").length - 1;
  return all > 0 && text.split("\r\n").length - 1 === all && !/\r(?!\n)/.test(text) ? "\r\n" : "\n";
}

function language(path, text) {
  const found = text.length <= COLOURED && LANGUAGES.find(([name]) => name.test(path));
  return found ? [found[1](), syntaxHighlighting(colours)] : [];
}

function basics(text, { label }) {
  const attributes = { "aria-label": label, spellcheck: "false", autocapitalize: "off", translate: "no" };
  return [
    EditorState.lineSeparator.of(separator(text)),
    EditorView.contentAttributes.of(attributes),
    lineNumbers(),
    highlightSpecialChars({ render: written, addSpecialChars: /[\u115f\u1160\u3164\uffa0\u2061-\u2064\u180e]|[\u{e0000}-\u{e0fff}]/gu }),
    drawSelection(),
    bracketMatching(),
    indentUnit.of(/^\t/m.test(text) ? "\t" : "  "),
  ];
}

function writing({ changed, save }) {
  return [
    history(),
    indentOnInput(),
    highlightActiveLine(),
    highlightActiveLineGutter(),
    highlightSelectionMatches(),
    search({ top: true }),
    keymap.of([
      { key: "Mod-s", run: () => (save(), true), preventDefault: true },
      ...defaultKeymap,
      ...searchKeymap,
      ...historyKeymap,
      indentWithTab,
    ]),
    EditorView.updateListener.of((update) => {
      const typed = update.transactions.some((it) => it.docChanged && !it.annotation(given));
      if (typed) changed();
    }),
  ];
}

const locked = (readOnly) =>
  readOnly ? [EditorState.readOnly.of(true), EditorView.editable.of(false), focusable] : [];
// What cannot be changed can be scrolled by the keyboard.
const focusable = EditorView.contentAttributes.of({ tabindex: "0", role: "textbox", "aria-readonly": "true" });

function handle(view, destroy) {
  return {
    text: () => view.state.sliceDoc(),
    // Sets the text by the least change, so that the cursor and the view stay where they are.
    setText(text) {
      const now = view.state.doc;
      const next = view.state.toText(text);
      const [a, b] = [now.toString(), next.toString()];
      let start = 0;
      while (start < a.length && start < b.length && a[start] === b[start]) start++;
      let end = 0;
      const most = Math.min(a.length, b.length) - start;
      while (end < most && a[a.length - 1 - end] === b[b.length - 1 - end]) end++;
      if (a === b) return;
      const insert = next.slice(start, next.length - end);
      view.dispatch({ changes: { from: start, to: now.length - end, insert }, annotations: given.of(true) });
    },
    destroy,
  };
}

/** Opens an editor in `parent`. */
export function open(parent, options) {
  const lock = new Compartment();
  const view = new EditorView({
    parent,
    state: EditorState.create({
      doc: split(options.text),
      extensions: [
        basics(options.text, options),
        language(options.path, options.text),
        writing(options),
        lock.of(locked(options.readOnly)),
      ],
    }),
  });
  return {
    ...handle(view, () => view.destroy()),
    setReadOnly: (readOnly) => view.dispatch({ effects: lock.reconfigure(locked(readOnly)) }),
  };
}

function split(text) {
  return EditorState.create({ extensions: EditorState.lineSeparator.of(separator(text)) }).toText(text);
}

// Without colours of code, which could not be read on those of the changes.
/** Shows the text `theirs` against `text`, which can be edited, side by side or in one column. */
export function merge(parent, options) {
  const { theirs, text, beside } = options;
  const diffConfig = { scanLimit: SCANNED };
  const collapseUnchanged = { margin: 3, minSize: 6 };
  const phrases = EditorState.phrases.of({
    "$ unchanged lines": "$ lines are the same",
    Accept: "Keep mine",
    Reject: "Take theirs",
    "Revert this chunk": "Take this from the other version",
  });
  if (!beside) {
    const own = [basics(text, options), writing(options), phrases];
    const both = unifiedMergeView({ original: split(theirs), mergeControls: true, diffConfig, collapseUnchanged });
    const view = new EditorView({
      parent,
      state: EditorState.create({ doc: split(text), extensions: [own, both, EditorView.lineWrapping] }),
    });
    return { ...handle(view, () => view.destroy()), setReadOnly() {} };
  }
  const wrap = EditorView.lineWrapping;
  const view = new MergeView({
    parent,
    a: {
      doc: split(theirs),
      extensions: [basics(theirs, { ...options, label: options.theirLabel }), locked(true), phrases, wrap],
    },
    b: { doc: split(text), extensions: [basics(text, options), writing(options), phrases, wrap] },
    revertControls: "a-to-b",
    renderRevertControl() {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = "→";
      button.title = "Take this from the other version";
      button.setAttribute("aria-label", button.title);
      return button;
    },
    collapseUnchanged,
    diffConfig,
    gutter: true,
  });
  return { ...handle(view.b, () => view.destroy()), setReadOnly() {} };
}
