import { ItemView, type ViewStateResult, type WorkspaceLeaf } from "obsidian";
import type { Context } from "../context";
import { SessionPanel } from "../frame/session-panel";

export const SESSION_VIEW = "moorline-session";

/** A session in a tab of its own. */
export class SessionView extends ItemView {
  override icon = "square-terminal";
  private readonly context: Context;
  private session: string | null = null;
  private name = "Session";
  private panel: SessionPanel | null = null;

  constructor(leaf: WorkspaceLeaf, context: Context) {
    super(leaf);
    this.context = context;
    this.navigation = true;
  }

  override getViewType(): string {
    return SESSION_VIEW;
  }

  override getDisplayText(): string {
    return this.name;
  }

  override getState(): Record<string, unknown> {
    return { session: this.session, name: this.name };
  }

  override async setState(state: unknown, result: ViewStateResult): Promise<void> {
    const { session, name } = (state ?? {}) as { session?: unknown; name?: unknown };
    if (typeof name === "string") this.name = name;
    if (typeof session === "string" && session !== this.session) this.show(session);
    await super.setState(state, result);
  }

  protected override async onClose(): Promise<void> {
    this.clear();
  }

  private show(session: string): void {
    this.clear();
    this.session = session;
    this.contentEl.addClass("moorline-tab");
    this.panel = new SessionPanel(this.context, this.contentEl, {
      session,
      isTerminal: false,
      isReadOnly: false,
      takesFocus: true,
      onTitle: (name) => {
        this.name = name === "" ? this.name : name;
      },
    });
    this.addChild(this.panel);
  }

  private clear(): void {
    if (this.panel !== null) this.removeChild(this.panel);
    this.panel = null;
    this.contentEl.empty();
  }
}
