// A stand-in for Obsidian, for tests only: the app with its vault, its workspace and its keychain.

import type { FileView, ItemView } from "./components";
import { Editor } from "./editor";

export interface StandInFile {
  path: string;
  name: string;
  extension: string;
  parent: { path: string };
}

export type ViewCreator = (leaf: StandInLeaf) => ItemView;

export class FileSystemAdapter {
  getBasePath(): string {
    return StandInApp.base;
  }
}

class Vault {
  readonly adapter = new FileSystemAdapter();
  readonly contents = new Map<string, string>();

  getName(): string {
    return "Garden";
  }

  file(path: string): StandInFile {
    const name = path.split("/").at(-1) ?? path;
    const folder = path.slice(0, Math.max(0, path.length - name.length - 1));
    return { path, name, extension: name.split(".").at(-1) ?? "", parent: { path: folder === "" ? "/" : folder } };
  }

  getAbstractFileByPath(path: string): StandInFile | null {
    return this.contents.has(path) ? this.file(path) : null;
  }

  async read(file: StandInFile): Promise<string> {
    return this.contents.get(file.path) ?? "";
  }

  async create(path: string, content: string): Promise<StandInFile> {
    if (this.contents.has(path)) throw new Error("The file exists.");
    this.contents.set(path, content);
    return this.file(path);
  }
}

/** A place for a view: in the main area or at the side. */
export class StandInLeaf {
  readonly element: HTMLElement;
  view: ItemView | null = null;

  constructor(
    readonly app: StandInApp,
    parent: HTMLElement,
  ) {
    this.element = parent.createDiv({ cls: "workspace-leaf" });
  }

  async loadIfDeferred(): Promise<void> {
    // Nothing is deferred here.
  }

  async setViewState({ type, state }: { type: string; state?: Record<string, unknown> }): Promise<void> {
    const create = this.app.workspace.creators.get(type);
    if (create === undefined) throw new Error(`There is no view ${type}.`);
    await this.view?.close();
    this.view = create(this);
    await this.view.open();
    await this.view.setState(state, {});
  }

  async openFile(file: StandInFile): Promise<void> {
    const type = this.app.workspace.extensions.get(file.extension);
    if (type === undefined) throw new Error(`No view opens ${file.path}.`);
    await this.setViewState({ type });
    await (this.view as FileView).loadFile(file);
  }

  async detach(): Promise<void> {
    await this.view?.close();
    this.element.remove();
  }
}

class Workspace {
  readonly creators = new Map<string, ViewCreator>();
  readonly extensions = new Map<string, string>();
  readonly leaves = new Set<StandInLeaf>();
  readonly editor = new Editor(() => document.querySelector<HTMLTextAreaElement>("#editor"));
  readonly activeEditor = { editor: this.editor };
  note: StandInFile | null = null;
  private readonly handlers = new Set<() => void>();
  private side: StandInLeaf | null = null;

  constructor(private readonly app: StandInApp) {}

  on(_event: string, handler: () => void): () => void {
    this.handlers.add(handler);
    return () => this.handlers.delete(handler);
  }

  trigger(_event: string): void {
    for (const handler of this.handlers) handler();
  }

  get watchers(): number {
    return this.handlers.size;
  }

  getActiveFile(): StandInFile | null {
    return this.note;
  }

  getLeaf(_where: string): StandInLeaf {
    document.body.addClass("has-tabs");
    return this.add("#tabs");
  }

  async ensureSideLeaf(type: string): Promise<StandInLeaf> {
    document.body.addClass("has-side");
    if (this.side?.view?.getViewType() !== type) {
      this.side = this.add("#side");
      await this.side.setViewState({ type });
    }
    return this.side as StandInLeaf;
  }

  async revealLeaf(): Promise<void> {
    document.body.addClass("has-tabs");
  }

  async closeAll(): Promise<void> {
    for (const leaf of this.leaves) await leaf.detach();
    this.leaves.clear();
    this.side = null;
    document.body.removeClass("has-side", "has-tabs");
  }

  private add(place: string): StandInLeaf {
    const leaf = new StandInLeaf(this.app, document.querySelector<HTMLElement>(place) as HTMLElement);
    this.leaves.add(leaf);
    return leaf;
  }
}

export class StandInApp {
  /** The vault's folder. */
  static base = "";
  readonly vault = new Vault();
  readonly workspace = new Workspace(this);
  readonly secrets = new Map<string, string>();
  readonly secretStorage = {
    getSecret: (id: string): string | null => this.secrets.get(id) ?? null,
    setSecret: (id: string, secret: string): void => void this.secrets.set(id, secret),
    listSecrets: (): string[] => [...this.secrets.keys()],
  };
  readonly fileManager = { getNewFileParent: (path: string) => this.vault.file(path).parent };
  readonly setting = {
    open: (): void => document.body.addClass("has-settings"),
    openTabById: (): void => undefined,
  };
}
