import { type App, Notice, Platform, Plugin } from "obsidian";
import { SessionBlock } from "./block/session-block";
import { Commands } from "./commands/commands";
import type { Context } from "./context";
import { EXTENSION } from "./file/session-file";
import { SESSION_FILE_VIEW, SessionFileView } from "./file/session-file-view";
import { PositionStore } from "./frame/position-store";
import type { FrameAccess } from "./frame/session-frame";
import { type FrameTheme, readTheme } from "./frame/theme";
import { SESSION_VIEW, SessionView } from "./pane/session-view";
import { SESSIONS_VIEW, SessionsView } from "./pane/sessions-view";
import { advice, RelayClient, RelayError } from "./relay/client";
import { type Access, SessionList } from "./relay/session-list";
import type { SessionSummary } from "./relay/types";
import type { LastScreen } from "./screen/last-screen";
import { originOf, readSettings, type Settings } from "./settings/settings";
import { MoorlineSettingTab } from "./settings/settings-tab";
import { VaultProject } from "./vault-project";

/** Obsidian's window of settings, which its types leave out. */
interface AppWithSettings {
  setting?: { open(): void; openTabById(id: string): void };
}

export default class MoorlinePlugin extends Plugin implements Context {
  override settings: Settings = readSettings(null);
  readonly list = new SessionList(() => this.access());
  readonly project = new VaultProject(this.app, () => this.settings);
  readonly positions = new PositionStore();
  readonly screens = new Map<string, LastScreen>();
  readonly names = new Map<string, string>();
  readonly liveBlocks = new Set<string>();
  private readonly themeWatchers = new Set<(theme: FrameTheme) => void>();
  private readonly accessWatchers = new Set<() => void>();
  private refused = false;

  override async onload(): Promise<void> {
    this.settings = readSettings(await this.loadData());
    this.registerView(SESSIONS_VIEW, (leaf) => new SessionsView(leaf, this));
    this.registerView(SESSION_VIEW, (leaf) => new SessionView(leaf, this));
    this.registerView(SESSION_FILE_VIEW, (leaf) => new SessionFileView(leaf, this));
    this.registerExtensions([EXTENSION], SESSION_FILE_VIEW);
    this.registerMarkdownCodeBlockProcessor("moorline", (source, element, context) => {
      context.addChild(new SessionBlock(this, element, source, context.sourcePath));
    });
    this.registerEvent(this.app.workspace.on("css-change", () => this.dress()));
    this.addRibbonIcon("square-terminal", "Show sessions", () => void this.showPane(false));
    this.addSettingTab(new MoorlineSettingTab(this.app, this, this, (change) => this.change(change)));
    new Commands(this, (approvals) => this.showPane(approvals)).register(this);
  }

  override onunload(): void {
    this.positions.clear();
    this.screens.clear();
    this.liveBlocks.clear();
  }

  override async onExternalSettingsChange(): Promise<void> {
    this.settings = readSettings(await this.loadData());
    this.accessChanged();
  }

  access(): Access | null {
    const { address, tokenSecret } = this.settings;
    const origin = originOf(address);
    const token = tokenSecret === "" ? null : this.app.secretStorage.getSecret(tokenSecret)?.trim();
    return origin === null || !token ? null : { client: new RelayClient(origin, token), token };
  }

  frameAccess(): FrameAccess | null {
    const access = this.access();
    if (access === null) return null;
    const { client, token } = access;
    return { origin: client.origin, token, positions: this.positions, theme: () => readTheme(activeDocument) };
  }

  onTheme(dress: (theme: FrameTheme) => void): () => void {
    this.themeWatchers.add(dress);
    return () => this.themeWatchers.delete(dress);
  }

  onAccess(changed: () => void): () => void {
    this.accessWatchers.add(changed);
    return () => this.accessWatchers.delete(changed);
  }

  forget(session: string): void {
    this.positions.delete(session);
    this.screens.delete(session);
    for (const [name, id] of this.names) if (id === session) this.names.delete(name);
  }

  async checkAccess(): Promise<void> {
    try {
      await this.access()?.client.projects();
    } catch (error) {
      if (!(error instanceof RelayError) || error.status !== 401) return;
      this.refused = true;
      this.list.restart();
    }
  }

  isRefused(): boolean {
    return this.refused || this.list.state === "refused";
  }

  report(error: unknown): void {
    const isPlain = error instanceof Error && !(error instanceof RelayError);
    new Notice(isPlain ? error.message : advice(error), 8000);
  }

  async openSession(session: SessionSummary): Promise<void> {
    const { workspace } = this.app;
    const leaf = Platform.isMobile ? workspace.getLeaf("tab") : workspace.getLeaf("split", "horizontal");
    const state = { session: session.sessionId, name: session.name };
    await leaf.setViewState({ type: SESSION_VIEW, active: true, state });
    await workspace.revealLeaf(leaf);
  }

  openSettings(): void {
    const { setting } = this.app as App & AppWithSettings;
    setting?.open();
    setting?.openTabById(this.manifest.id);
  }

  private async showPane(approvals: boolean): Promise<void> {
    const { workspace } = this.app;
    const leaf = await workspace.ensureSideLeaf(SESSIONS_VIEW, "right", { active: true, reveal: true });
    await leaf.loadIfDeferred();
    if (approvals && leaf.view instanceof SessionsView) leaf.view.showApprovals();
  }

  private async change(change: Partial<Settings>): Promise<void> {
    this.settings = { ...this.settings, ...change };
    await this.saveData(this.settings);
    if (change.address !== undefined || change.tokenSecret !== undefined) this.accessChanged();
  }

  /** Forgets what was seen with the relay and token of before. */
  private accessChanged(): void {
    this.refused = false;
    this.positions.clear();
    this.screens.clear();
    this.names.clear();
    this.project.forget();
    this.list.restart();
    for (const watcher of [...this.accessWatchers]) watcher();
  }

  private dress(): void {
    const theme = readTheme(document);
    for (const watcher of [...this.themeWatchers]) watcher(theme);
  }
}
