import { Component, setIcon } from "obsidian";
import type { Context } from "../context";
import { type LastScreen, screenOf } from "../screen/last-screen";
import { type FrameState, SessionFrame } from "./session-frame";

/** The time for a frame to draw after it has its size, in milliseconds: until then nothing better is known. */
const DRAWING_MS = 80;
/** The same if the last screen is shown meanwhile: then the frame is to say that it has drawn, unless it never does. */
const COVERED_MS = 2000;

export interface PanelOptions {
  session: string;
  isTerminal: boolean;
  isReadOnly: boolean;
  takesFocus: boolean;
  /** Called with the session's name as the frame tells it. */
  onTitle?: (name: string) => void;
}

/**
 * A session, live: a frame, and until it has drawn something the last screen as text, so that it never looks empty.
 *
 * It follows changes of the relay, the token and the look by itself.
 */
export class SessionPanel extends Component {
  private readonly element: HTMLElement;
  private readonly underlay: HTMLElement;
  private readonly notice: HTMLElement;
  private frame: SessionFrame | null = null;
  private takesFocus: boolean;
  private timer = 0;
  /** True while the last screen is shown. */
  private isCovered = false;

  constructor(
    private readonly context: Context,
    parent: HTMLElement,
    private readonly options: PanelOptions,
  ) {
    super();
    this.takesFocus = options.takesFocus;
    this.element = parent.createDiv({ cls: "moorline-panel" });
    this.underlay = this.element.createEl("pre", { cls: "moorline-screen" });
    this.notice = this.element.createDiv({ cls: "moorline-notice", attr: { role: "status" } });
    this.showScreen(lastScreen(context, options.session));
  }

  override onload(): void {
    this.register(this.context.onAccess(() => this.open()));
    this.register(this.context.onTheme((theme) => this.frame?.dress(theme)));
    this.open();
  }

  override onunload(): void {
    this.closeFrame();
    this.element.remove();
  }

  focus(): void {
    this.frame?.focus();
  }

  private open(): void {
    this.closeFrame();
    this.say(null);
    const access = this.context.frameAccess();
    if (access === null) {
      this.clearScreen();
      return this.say("Set the relay's address and a token in the settings.", "key-round");
    }
    const { session, isTerminal, isReadOnly } = this.options;
    const takesFocus = this.takesFocus;
    // A frame that only takes the place of another leaves the focus where it is.
    this.takesFocus = false;
    const frame = new SessionFrame(this.element, access, { session, isTerminal, isReadOnly, takesFocus }, {
      sized: () => this.revealSoon(),
      drawn: () => this.reveal(),
      state: (state) => this.follow(state),
      title: (name) => this.options.onTitle?.(name),
      refused: () => this.refused(),
      failed: (message) => this.say(message, "circle-alert"),
      leave: () => this.leave(),
    });
    this.frame = this.addChild(frame);
  }

  private closeFrame(): void {
    window.clearTimeout(this.timer);
    this.timer = 0;
    // Kept for the time until the next frame has drawn something.
    this.showScreen(lastScreen(this.context, this.options.session));
    this.element.removeClass("is-drawn");
    if (this.frame !== null) this.removeChild(this.frame);
    this.frame = null;
  }

  private revealSoon(): void {
    if (this.timer !== 0) return;
    this.timer = window.setTimeout(() => this.reveal(), this.isCovered ? COVERED_MS : DRAWING_MS);
  }

  private reveal(): void {
    window.clearTimeout(this.timer);
    this.element.addClass("is-drawn");
  }

  private follow({ connection, hostAway }: FrameState): void {
    // Ended or refused, the frame says so itself.
    if (connection === "live" || connection === "ended" || connection === "refused") this.revealSoon();
    if (connection === "waiting") this.say("Offline. Moorline reconnects by itself.", "wifi-off");
    else if (connection === "silent") this.say("The relay does not answer.", "wifi-off");
    else if (hostAway === true) this.say("The session's host is away.", "unplug");
    else this.say(null);
  }

  private refused(): void {
    this.context.forget(this.options.session);
    this.clearScreen();
    this.reveal();
    void this.context.checkAccess();
  }

  private leave(): void {
    const { workspace } = this.context.app;
    const editor = workspace.activeEditor?.editor;
    if (editor !== undefined) editor.focus();
    else this.element.closest<HTMLElement>("[tabindex]")?.focus();
  }

  private showScreen(screen: LastScreen | null): void {
    this.isCovered = screen !== null;
    if (screen !== null) this.underlay.setText(screen.screen.join("\n"));
    else if (this.underlay.textContent === "") this.underlay.setText("Connecting…");
  }

  private clearScreen(): void {
    this.underlay.setText("");
  }

  private say(text: string | null, icon = "info"): void {
    this.notice.empty();
    this.notice.toggleClass("is-shown", text !== null);
    if (text === null) return;
    setIcon(this.notice.createSpan(), icon);
    this.notice.createSpan({ text });
  }
}

/** Returns what is known of a session's screen without asking the relay. */
export function lastScreen(context: Context, session: string): LastScreen | null {
  const position = context.positions.get(session);
  const screen = position === undefined ? null : screenOf(position);
  if (screen !== null) context.screens.set(session, screen);
  return screen ?? context.screens.get(session) ?? null;
}
