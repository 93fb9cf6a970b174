import { FileView, type TFile, type WorkspaceLeaf } from "obsidian";
import type { Context } from "../context";
import { SessionPanel } from "../frame/session-panel";
import { EXTENSION, readSessionFile } from "./session-file";

export const SESSION_FILE_VIEW = "moorline-session-file";

/** Shows the session of a `.session` file. */
export class SessionFileView extends FileView {
  override icon = "square-terminal";
  private readonly context: Context;
  private panel: SessionPanel | null = null;

  constructor(leaf: WorkspaceLeaf, context: Context) {
    super(leaf);
    this.context = context;
  }

  override getViewType(): string {
    return SESSION_FILE_VIEW;
  }

  override canAcceptExtension(extension: string): boolean {
    return extension === EXTENSION;
  }

  override async onLoadFile(file: TFile): Promise<void> {
    const content = readSessionFile(await this.app.vault.read(file));
    // Another file may have been opened meanwhile.
    if (this.file !== file) return;
    this.clear();
    this.contentEl.addClass("moorline-tab");
    if (content === null) {
      const text = "This file does not name a session. It should contain JSON such as {\"session\": \"abcdefgh\"}.";
      this.contentEl.createDiv({ cls: "moorline-failure", text, attr: { role: "alert" } });
      return;
    }
    this.panel = new SessionPanel(this.context, this.contentEl, {
      session: content.session,
      isTerminal: content.kind === "terminal",
      isReadOnly: false,
      takesFocus: true,
    });
    this.addChild(this.panel);
  }

  override async onUnloadFile(_: TFile): Promise<void> {
    this.clear();
  }

  protected override async onClose(): Promise<void> {
    await super.onClose();
    this.clear();
  }

  private clear(): void {
    if (this.panel !== null) this.removeChild(this.panel);
    this.panel = null;
    this.contentEl.empty();
  }
}
