// A stand-in for Obsidian, for tests only: components and views.

import type { StandInApp, StandInFile, StandInLeaf } from "./app";

type Callback = () => unknown;

export class Component {
  isLoaded = false;
  private readonly children = new Set<Component>();
  private callbacks: Callback[] = [];

  load(): unknown {
    if (this.isLoaded) return;
    this.isLoaded = true;
    const loading = this.onload();
    for (const child of this.children) child.load();
    return loading;
  }

  onload(): unknown {
    return undefined;
  }

  unload(): void {
    if (!this.isLoaded) return;
    this.isLoaded = false;
    for (const child of [...this.children]) this.removeChild(child);
    for (const callback of this.callbacks.splice(0).reverse()) callback();
    this.onunload();
  }

  onunload(): void {
    // For plugins.
  }

  addChild<T extends Component>(child: T): T {
    this.children.add(child);
    if (this.isLoaded) child.load();
    return child;
  }

  removeChild<T extends Component>(child: T): T {
    this.children.delete(child);
    child.unload();
    return child;
  }

  register(callback: Callback): void {
    this.callbacks.push(callback);
  }

  registerEvent(stop: Callback): void {
    this.register(stop);
  }
}

export class MarkdownRenderChild extends Component {
  constructor(readonly containerEl: HTMLElement) {
    super();
  }
}

export class ItemView extends Component {
  readonly containerEl: HTMLElement;
  readonly contentEl: HTMLElement;
  readonly app: StandInApp;
  icon = "";
  navigation = false;

  constructor(readonly leaf: StandInLeaf) {
    super();
    this.app = leaf.app;
    this.containerEl = leaf.element;
    this.contentEl = leaf.element.createDiv({ cls: "view-content" });
  }

  getViewType(): string {
    return "";
  }

  getDisplayText(): string {
    return "";
  }

  protected async onOpen(): Promise<void> {
    // For plugins.
  }

  protected async onClose(): Promise<void> {
    // For plugins.
  }

  getState(): Record<string, unknown> {
    return {};
  }

  async setState(_state: unknown, _result: unknown): Promise<void> {
    // For plugins.
  }

  async open(): Promise<void> {
    this.load();
    await this.onOpen();
  }

  async close(): Promise<void> {
    await this.onClose();
    this.unload();
    this.containerEl.remove();
  }
}

export class FileView extends ItemView {
  file: StandInFile | null = null;

  async loadFile(file: StandInFile): Promise<void> {
    this.file = file;
    await this.onLoadFile(file);
  }

  async onLoadFile(_file: StandInFile): Promise<void> {
    // For plugins.
  }

  async onUnloadFile(_file: StandInFile): Promise<void> {
    // For plugins.
  }

  protected override async onClose(): Promise<void> {
    if (this.file !== null) await this.onUnloadFile(this.file);
    this.file = null;
  }
}
