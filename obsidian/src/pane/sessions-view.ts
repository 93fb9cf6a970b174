import { ItemView, Menu, setIcon, type WorkspaceLeaf } from "obsidian";
import { startable, startSession } from "../commands/start";
import { confirm } from "../commands/confirm";
import type { Context } from "../context";
import { SessionPanel } from "../frame/session-panel";
import { advice } from "../relay/client";
import type { ListState } from "../relay/session-list";
import { isOver, type Project, type SessionSummary } from "../relay/types";
import { drawApproval } from "./approval-card";
import { drawRow, iconButton } from "./session-row";

export const SESSIONS_VIEW = "moorline-sessions";

/** The side pane: open questions, then the sessions of this vault or the one that was chosen. */
export class SessionsView extends ItemView {
  override icon = "square-terminal";
  private readonly context: Context;
  private project: Project | null = null;
  private panel: SessionPanel | null = null;
  private shown: string | null = null;
  /** True if the list has had the session that is shown: one that was just started comes later. */
  private wasListed = false;
  private parts: { banner: HTMLElement; approvals: HTMLElement; list: HTMLElement; stage: HTMLElement } | null = null;
  /** What the parts were drawn for last: buttons must not be replaced under a finger for nothing. */
  private readonly drawn = new Map<HTMLElement, string>();

  constructor(leaf: WorkspaceLeaf, context: Context) {
    super(leaf);
    this.context = context;
    this.navigation = false;
  }

  override getViewType(): string {
    return SESSIONS_VIEW;
  }

  override getDisplayText(): string {
    return "Moorline sessions";
  }

  protected override async onOpen(): Promise<void> {
    const root = this.contentEl;
    root.empty();
    root.addClass("moorline-pane");
    const banner = root.createDiv({ cls: "moorline-banner", attr: { role: "status" } });
    const approvals = root.createDiv({ cls: "moorline-approvals" });
    const list = root.createDiv({ cls: "moorline-list" });
    const stage = root.createDiv({ cls: "moorline-stage" });
    this.parts = { banner, approvals, list, stage };
    this.register(this.context.onAccess(() => void this.findProject()));
    this.register(this.context.list.watch(() => this.draw()));
    await this.findProject();
  }

  protected override async onClose(): Promise<void> {
    this.closePanel();
    this.parts = null;
    this.drawn.clear();
    this.contentEl.empty();
  }

  /** Shows a session in the pane, or the list with null. */
  show(session: SessionSummary | null): void {
    this.closePanel();
    this.shown = session?.sessionId ?? null;
    this.wasListed = false;
    if (session !== null && this.parts !== null) {
      const { sessionId } = session;
      this.panel = new SessionPanel(this.context, this.parts.stage, {
        session: sessionId,
        isTerminal: false,
        isReadOnly: false,
        takesFocus: true,
      });
      this.addChild(this.panel);
    }
    this.draw();
  }

  /** Brings the open questions into view. */
  showApprovals(): void {
    this.show(null);
    this.contentEl.scrollTop = 0;
    this.parts?.approvals.querySelector("button")?.focus();
  }

  private closePanel(): void {
    if (this.panel !== null) this.removeChild(this.panel);
    this.panel = null;
  }

  private async findProject(): Promise<void> {
    const access = this.context.access();
    this.project = null;
    if (access !== null) {
      try {
        this.project = await this.context.project.find(access.client);
      } catch {
        // The banner says why. The list shows whatever the token reaches.
      }
    }
    this.draw();
  }

  private own(): SessionSummary[] {
    return this.context.project.own(this.context.list.sessions, this.project);
  }

  private draw(): void {
    if (this.parts === null) return;
    const { banner, approvals, list, stage } = this.parts;
    const { list: all } = this.context;
    const shown = this.shown === null ? undefined : all.get(this.shown);
    if (shown !== undefined) this.wasListed = true;
    else if (this.shown !== null && this.wasListed && all.state === "live") this.closeShown();
    const own = this.own();
    this.redraw(banner, [all.state, this.context.access() === null], () => this.drawBanner(banner, all.state));
    const ids = new Set(own.map((session) => session.sessionId));
    const open = all.approvals.filter((approval) => ids.has(approval.sessionId));
    this.redraw(approvals, open, () => {
      for (const approval of open) {
        drawApproval(this.context, approvals, approval, () => this.show(all.get(approval.sessionId) ?? null));
      }
    });
    const isShowing = this.shown !== null;
    list.toggleClass("is-bar", isShowing);
    stage.toggleClass("is-shown", isShowing);
    const looks = own.map(({ lastActivity: _, ...look }) => look);
    this.redraw(list, [all.state, this.shown, this.project, isShowing ? shown?.name : looks], () => {
      if (isShowing) this.drawBar(list, shown);
      else this.drawList(list, own);
    });
  }

  private closeShown(): void {
    this.closePanel();
    this.shown = null;
  }

  private redraw(part: HTMLElement, reason: unknown, draw: () => void): void {
    const now = JSON.stringify(reason);
    if (this.drawn.get(part) === now) return;
    this.drawn.set(part, now);
    part.empty();
    draw();
  }

  private drawBanner(banner: HTMLElement, state: ListState): void {
    const isSet = this.context.access() !== null;
    banner.dataset["state"] = isSet ? state : "unset";
    const texts: Partial<Record<ListState, string>> = {
      connecting: "Connecting…",
      offline: "Offline. Moorline reconnects by itself; what is below may be old.",
      refused: "The relay does not accept the token.",
    };
    const text = isSet ? texts[state] : "Set the relay's address and a token to see your sessions.";
    banner.toggleClass("is-shown", text !== undefined);
    if (text === undefined) return;
    setIcon(banner.createSpan(), state === "offline" ? "wifi-off" : "info");
    banner.createSpan({ text });
    if (!isSet || state === "refused") {
      banner.createEl("button", { text: "Settings" }).addEventListener("click", () => this.context.openSettings());
    }
  }

  private drawList(list: HTMLElement, own: SessionSummary[]): void {
    const bar = list.createDiv({ cls: "moorline-bar" });
    bar.createDiv({ cls: "moorline-bar-title", text: this.project?.name ?? "All sessions" });
    const create = bar.createEl("button", { cls: "mod-cta moorline-create", text: "New" });
    create.addEventListener("click", () => void this.create(create));
    iconButton(bar, "chevron-down", "Choose what to start", () => void this.chooseKind(create));
    for (const session of own) {
      drawRow(list, session, {
        show: () => this.show(session),
        openTab: () => void this.context.openSession(session),
        end: () => void this.end(session),
      });
    }
    const { state } = this.context.list;
    if (own.length === 0 && (state === "live" || state === "polling")) list.createDiv({ cls: "moorline-empty", text: "No sessions yet. Start a shell or an agent with New." });
  }

  private drawBar(list: HTMLElement, session: SessionSummary | undefined): void {
    const bar = list.createDiv({ cls: "moorline-bar" });
    iconButton(bar, "arrow-left", "Back to the list", () => this.show(null));
    bar.createDiv({ cls: "moorline-bar-title", text: session?.name ?? "Session" });
    if (session === undefined) return;
    iconButton(bar, "external-link", "Open in a tab", () => void this.context.openSession(session));
    iconButton(bar, "x", "End", () => void this.end(session));
  }

  private async create(button: HTMLElement): Promise<void> {
    button.setAttribute("disabled", "");
    try {
      this.show(await startSession(this.context, this.context.settings.defaultKind, null));
    } catch (error) {
      this.context.report(error);
    }
    button.removeAttribute("disabled");
  }

  private async chooseKind(anchor: HTMLElement): Promise<void> {
    const kinds = await startable(this.context);
    const menu = new Menu();
    for (const kind of kinds) {
      menu.addItem((item) => {
        const name = kind.problem === null ? kind.name : `${kind.name} (not installed)`;
        item.setTitle(name).setIcon(kind.icon).setDisabled(kind.problem !== null);
        item.onClick(() => {
          startSession(this.context, kind.id, null).then(
            (session) => this.show(session),
            (error: unknown) => this.context.report(error),
          );
        });
      });
    }
    const place = anchor.getBoundingClientRect();
    menu.showAtPosition({ x: place.left, y: place.bottom });
  }

  private async end(session: SessionSummary): Promise<void> {
    const access = this.context.access();
    if (access === null) return;
    if (!isOver(session)) {
      const text = `"${session.name}" ends, and its output is deleted.`;
      if (!(await confirm(this.context.app, "End this session?", text, "End"))) return;
    }
    try {
      await access.client.end(session.sessionId);
      this.context.forget(session.sessionId);
      if (this.shown === session.sessionId) this.show(null);
    } catch (error) {
      this.context.report(new Error(advice(error)));
    }
  }
}
