import { Component } from "obsidian";
import type { FrameCursor, PositionStore } from "./position-store";
import type { FrameTheme } from "./theme";

const VERSION = 1;
/** Without top navigation and forms: a session cannot take this window away. */
const SANDBOX = "allow-scripts allow-same-origin allow-popups allow-popups-to-escape-sandbox allow-downloads";

export interface FrameState {
  kind?: string;
  connection?: string;
  hostAway?: boolean;
  readOnly?: boolean;
  agent?: string;
  approvals?: number;
}

/** What a frame needs of the plugin. */
export interface FrameAccess {
  /** The relay's origin. */
  origin: string;
  token: string;
  positions: PositionStore;
  theme(): FrameTheme;
}

export interface FrameOptions {
  session: string;
  /** True to show a terminal if the relay does not tell. */
  isTerminal: boolean;
  isReadOnly: boolean;
  takesFocus: boolean;
}

export interface FrameListener {
  /** The frame has its size, and begins to draw. */
  sized(): void;
  /** What the frame shows is what was handed on: it is on the screen. */
  drawn(): void;
  state(state: FrameState): void;
  title(name: string, title: string | null): void;
  /** The relay does not accept the token for this session any more: the frame shows nothing of it. */
  refused(): void;
  failed(message: string): void;
  /** The keyboard focus is to leave the frame. */
  leave(): void;
}

/**
 * A frame that shows a session: the window's half of docs/EMBED.md. The frame exists from `load` to `unload`.
 *
 * Messages are taken from this frame's window and the relay's origin only, and go to that origin only.
 */
export class SessionFrame extends Component {
  private frame: HTMLIFrameElement | null = null;
  private window: Window | null = null;
  private isGreeted = false;
  private readonly receive = (event: MessageEvent): void => this.received(event);

  constructor(
    private readonly parent: HTMLElement,
    private readonly access: FrameAccess,
    private readonly options: FrameOptions,
    private readonly listener: FrameListener,
  ) {
    super();
  }

  override onload(): void {
    const { session, isTerminal } = this.options;
    const frame = this.parent.createEl("iframe", { cls: "moorline-frame" });
    frame.setAttribute("sandbox", SANDBOX);
    frame.allow = "clipboard-read; clipboard-write";
    frame.referrerPolicy = "no-referrer";
    frame.title = `Session ${session}`;
    // Notes may be in windows of their own: messages arrive in the one that the frame is in.
    this.window = frame.ownerDocument.defaultView ?? window;
    this.window.addEventListener("message", this.receive);
    const path = `/embed/${isTerminal ? "terminal" : "session"}/${encodeURIComponent(session)}`;
    frame.src = new URL(path, this.access.origin).href;
    this.frame = frame;
  }

  override onunload(): void {
    this.window?.removeEventListener("message", this.receive);
    this.frame?.remove();
    this.frame = this.window = null;
    this.isGreeted = false;
  }

  dress(theme: FrameTheme): void {
    if (this.isGreeted) this.post({ type: "moorline.theme", theme });
  }

  focus(): void {
    this.frame?.focus();
    if (this.isGreeted) this.post({ type: "moorline.focus" });
  }

  insert(text: string): void {
    if (this.isGreeted) this.post({ type: "moorline.insert", text });
  }

  private received({ source, origin, data }: MessageEvent): void {
    if (this.frame === null || source !== this.frame.contentWindow || origin !== this.access.origin) return;
    const message = data as Record<string, unknown> | null;
    if (typeof message !== "object" || message === null) return;
    switch (message["type"]) {
      case "moorline.ready":
        return this.greet();
      case "moorline.cursor":
        return this.keep(message["cursor"], message["snapshot"]);
      case "moorline.draft":
        return this.keepDraft(message["draft"]);
      case "moorline.size":
        return this.listener.sized();
      case "moorline.state":
        return this.listener.state(message);
      case "moorline.title": {
        const { name, title } = message;
        return this.listener.title(typeof name === "string" ? name : "", typeof title === "string" ? title : null);
      }
      case "moorline.focus":
        if (message["leave"] === true) this.listener.leave();
        return;
      case "moorline.error":
        return this.refused(message["code"], message["message"]);
    }
  }

  private greet(): void {
    const { token, positions } = this.access;
    const hello: Record<string, unknown> = { type: "moorline.hello", version: VERSION, token, theme: this.access.theme() };
    const kept = positions.get(this.options.session);
    if (kept !== undefined) Object.assign(hello, kept);
    const draft = positions.draft(this.options.session);
    if (draft !== undefined) hello["draft"] = draft;
    if (this.options.isReadOnly) hello["readOnly"] = true;
    if (this.options.takesFocus && !this.isGreeted) hello["focus"] = true;
    this.isGreeted = true;
    this.post(hello);
  }

  private keep(cursor: unknown, snapshot: unknown): void {
    // Not `instanceof`: a window of its own has types of its own.
    if (typeof cursor !== "object" || cursor === null || !ArrayBuffer.isView(snapshot)) return;
    const position = { cursor: cursor as FrameCursor, snapshot: snapshot as Uint8Array };
    this.access.positions.set(this.options.session, position);
    this.listener.drawn();
  }

  private keepDraft(draft: unknown): void {
    if (typeof draft !== "object" || draft === null) return;
    const { text, files } = draft as Record<string, unknown>;
    if (typeof text !== "string") return;
    const paths = Array.isArray(files) ? files.filter((path) => typeof path === "string") : [];
    this.access.positions.keepDraft(this.options.session, { text, files: paths });
  }

  private refused(code: unknown, message: unknown): void {
    if (code === "refused") {
      this.access.positions.delete(this.options.session);
      this.listener.refused();
    } else if (typeof message === "string") {
      this.listener.failed(message);
    }
  }

  private post(message: Record<string, unknown>): void {
    this.frame?.contentWindow?.postMessage(message, this.access.origin);
  }
}
