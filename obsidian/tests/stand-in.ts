// A stand-in for Obsidian, for tests only: it implements the part of Obsidian's API that the plugin uses, in a plain page
// of a site that is not the relay's. It is not Obsidian, and shows only that the plugin keeps to that part.

import { FileSystemAdapter, StandInApp, type StandInFile, type ViewCreator } from "./app";
import { Component, FileView, ItemView, MarkdownRenderChild } from "./components";
import { FuzzySuggestModal, Menu, Modal, Notice, PluginSettingTab, SecretComponent, Setting } from "./controls";
import { addHelpers } from "./dom";
import { setIcon } from "./icons";
import { open, type Open, watchForLeaks } from "./leaks";

interface Command {
  id: string;
  callback?: () => unknown;
  editorCallback?: (editor: unknown, info: { file: StandInFile | null }) => unknown;
}

type Block = (source: string, element: HTMLElement, context: BlockContext) => unknown;

interface BlockContext {
  sourcePath: string;
  addChild(child: MarkdownRenderChild): void;
}

/** What is registered with the app by the plugin that is loaded. */
const registered = { commands: new Map<string, Command>(), blocks: new Map<string, Block>(), tabs: [] as PluginSettingTab[] };
let children: MarkdownRenderChild[] = [];
let dataJson = "null";
let plugin: Plugin | null = null;
const app = new StandInApp();

class Plugin extends Component {
  readonly app = app;
  readonly manifest = { id: "moorline" };

  async loadData(): Promise<unknown> {
    return JSON.parse(dataJson);
  }

  async saveData(data: unknown): Promise<void> {
    dataJson = JSON.stringify(data, null, 2);
  }

  addCommand(command: Command): void {
    registered.commands.set(command.id, command);
    this.register(() => registered.commands.delete(command.id));
  }

  addRibbonIcon(icon: string, _title: string, clicked: () => unknown): HTMLElement {
    const button = document.body.createEl("button", { cls: "ribbon" });
    setIcon(button, icon);
    button.addEventListener("click", () => void clicked());
    this.register(() => button.remove());
    return button;
  }

  addSettingTab(tab: PluginSettingTab): void {
    registered.tabs.push(tab);
    this.register(() => registered.tabs.splice(0));
  }

  registerView(type: string, creator: ViewCreator): void {
    app.workspace.creators.set(type, creator);
    this.register(() => app.workspace.creators.delete(type));
  }

  registerExtensions(extensions: string[], type: string): void {
    for (const extension of extensions) app.workspace.extensions.set(extension, type);
    this.register(() => extensions.forEach((extension) => app.workspace.extensions.delete(extension)));
  }

  registerMarkdownCodeBlockProcessor(language: string, block: Block): void {
    registered.blocks.set(language, block);
    this.register(() => registered.blocks.delete(language));
  }
}

/** Sends a request from outside of the page, as Obsidian does: the page's own rules do not apply to it. */
async function requestUrl(request: { url: string; method?: string; headers?: Record<string, string>; body?: string }) {
  const answer = await fetch("/request", { method: "POST", body: JSON.stringify(request) });
  if (!answer.ok) throw new Error("net::ERR_CONNECTION_REFUSED");
  const { status, text } = (await answer.json()) as { status: number; text: string };
  return { status, text };
}

const Platform = { isMobile: innerWidth < 600 };

const obsidian = {
  Component,
  FileSystemAdapter,
  FileView,
  FuzzySuggestModal,
  ItemView,
  MarkdownRenderChild,
  Menu,
  Modal,
  Notice,
  Platform,
  Plugin,
  PluginSettingTab,
  SecretComponent,
  Setting,
  normalizePath: (path: string) => path.replace(/\/+/g, "/").replace(/^\/|\/$/g, ""),
  requestUrl,
  setIcon,
};

/** What tests do with the stand-in. */
const standIn = {
  app,

  /** Installs the plugin with these settings, as if a user had made them. */
  async load(settings: unknown, secrets: Record<string, string>, base: string): Promise<boolean> {
    StandInApp.base = base;
    for (const [id, secret] of Object.entries(secrets)) app.secretStorage.setSecret(id, secret);
    dataJson = JSON.stringify(settings);
    const source = await (await fetch("/main.js")).text();
    const module = { exports: {} as { default?: new () => Plugin } };
    const require = (name: string): unknown => {
      if (name !== "obsidian") throw new Error(`There is no module ${name}.`);
      return obsidian;
    };
    new Function("module", "exports", "require", source)(module, module.exports, require);
    if (module.exports.default === undefined) throw new Error("The plugin has no class.");
    plugin = new module.exports.default();
    await plugin.load();
    return true;
  },

  async unload(): Promise<boolean> {
    plugin?.unload();
    plugin = null;
    // Obsidian closes the views of a type that is gone, and draws notes anew.
    await app.workspace.closeAll();
    standIn.drop();
    document.querySelector("#note")?.empty();
    return true;
  },

  open: (): Open => open(),
  registrations: (): number =>
    registered.commands.size + registered.blocks.size + registered.tabs.length + app.workspace.creators.size + app.workspace.watchers,
  data: (): string => dataJson,
  secret: (id: string, value: string): void => app.secretStorage.setSecret(id, value),

  /** Draws a note. Paragraphs stay text, and code blocks are given to the plugin. */
  draw(path: string, markdown: string): boolean {
    app.workspace.note = app.vault.file(path);
    const note = document.querySelector<HTMLElement>("#note") as HTMLElement;
    // As in Obsidian, the new elements take the place of the old ones, which are unloaded after that.
    const old = children;
    children = [];
    const made = document.createDocumentFragment();
    for (const [index, part] of markdown.split("```").entries()) {
      if (index % 2 === 0) {
        for (const line of part.split("\n").filter((line) => line.trim() !== "")) {
          made.append(Object.assign(document.createElement(line.startsWith("# ") ? "h1" : "p"), { textContent: line.replace(/^# /, "") }));
        }
        continue;
      }
      const [language = "", ...source] = part.split("\n");
      const element = made.appendChild(document.createElement("div"));
      element.className = `block-language-${language}`;
      const context = { sourcePath: path, addChild: (child: MarkdownRenderChild) => void children.push(child) };
      registered.blocks.get(language)?.(source.join("\n"), element, context);
    }
    note.replaceChildren(made);
    for (const child of children) child.load();
    for (const child of old) child.unload();
    return true;
  },

  drop(): boolean {
    for (const child of children.splice(0)) child.unload();
    return true;
  },

  run(id: string): boolean {
    const command = registered.commands.get(id);
    if (command === undefined) throw new Error(`There is no command ${id}.`);
    if (command.editorCallback) command.editorCallback(app.workspace.editor, { file: app.workspace.note });
    else command.callback?.();
    return true;
  },

  /** Opens the settings of the plugin. */
  settings(): boolean {
    const [tab] = registered.tabs;
    if (tab === undefined) throw new Error("The plugin has no settings.");
    document.querySelector(".settings")?.remove();
    tab.display();
    document.body.append(tab.containerEl);
    document.body.addClass("has-settings");
    return true;
  },

  closeSettings(): boolean {
    document.querySelector(".settings")?.remove();
    document.body.removeClass("has-settings");
    return true;
  },

  openFile(path: string): boolean {
    document.body.addClass("has-tabs");
    void app.workspace.getLeaf("tab").openFile(app.vault.file(path));
    return true;
  },

  scheme(scheme: "dark" | "light"): boolean {
    document.body.removeClass("theme-dark", "theme-light");
    document.body.addClass(`theme-${scheme}`);
    app.workspace.trigger("css-change");
    return true;
  },
};

addHelpers();
watchForLeaks();
document.body.addClass("theme-light");
if (Platform.isMobile) document.body.addClass("is-mobile");
Object.assign(window, { standIn });
