import { MarkdownRenderChild, setIcon } from "obsidian";
import type { Context } from "../context";
import { lastScreen, SessionPanel } from "../frame/session-panel";
import { advice, RelayError } from "../relay/client";
import { fetchScreen } from "../screen/last-screen";
import { type BlockOptions, readBlock } from "./block-options";

const ID = /^[A-Za-z0-9_-]{8,32}$/;

/**
 * A session in a note. It shows the last screen at once, and is live after a click, or when it is visible if the
 * settings say so. Obsidian builds blocks anew on each edit: one that was live is live again.
 */
export class SessionBlock extends MarkdownRenderChild {
  private panel: SessionPanel | null = null;
  private preview: HTMLElement | null = null;
  private sight: IntersectionObserver | null = null;
  private isLoaded = false;

  constructor(
    private readonly context: Context,
    containerEl: HTMLElement,
    private readonly source: string,
    private readonly note: string,
  ) {
    super(containerEl);
  }

  override onload(): void {
    this.isLoaded = true;
    this.containerEl.addClass("moorline-block");
    let options: BlockOptions;
    try {
      options = readBlock(this.source);
    } catch (error) {
      return this.fail(error instanceof Error ? error.message : String(error));
    }
    const { settings } = this.context;
    this.containerEl.setCssProps({ "--moorline-height": `${options.height ?? settings.blockHeight}px` });
    if (this.context.liveBlocks.has(this.key(options))) return this.goLive(options, false);
    this.showPreview(options);
    if (settings.liveAtOnce) this.goLiveInSight(options);
  }

  override onunload(): void {
    this.isLoaded = false;
    this.sight?.disconnect();
    this.panel = this.sight = null;
    this.containerEl.empty();
  }

  private key({ session }: BlockOptions): string {
    return `${this.note}\n${session}`;
  }

  private showPreview(options: BlockOptions): void {
    const { session } = options;
    const preview = this.containerEl.createEl("button", { cls: "moorline-preview" });
    preview.setAttribute("aria-label", `Show the session ${session} live`);
    const screen = preview.createEl("pre", { cls: "moorline-screen" });
    const foot = preview.createDiv({ cls: "moorline-preview-foot" });
    setIcon(foot.createSpan(), "play");
    foot.createSpan({ text: "Click to connect" });
    preview.addEventListener("click", () => this.goLive(options, true));
    this.preview = preview;
    const known = lastScreen(this.context, this.idOf(session) ?? session);
    if (known !== null) return screen.setText(known.screen.join("\n"));
    screen.setText(session);
    void this.fetchPreview(session, screen);
  }

  /** Fills a preview whose session was not shown before. */
  private async fetchPreview(name: string, screen: HTMLElement): Promise<void> {
    const client = this.context.access()?.client;
    if (client === undefined) return screen.setText("Set the relay's address and a token in the settings.");
    try {
      const id = await this.find(name);
      const fetched = id === null ? null : await fetchScreen(client, id);
      if (id !== null && fetched !== null) this.context.screens.set(id, fetched);
      if (!this.isLoaded) return;
      if (id === null) screen.setText(missing(name));
      else if (fetched !== null) screen.setText(fetched.screen.join("\n"));
    } catch (error) {
      if (this.isLoaded) screen.setText(`${name}\n\n${advice(error)}`);
    }
  }

  private goLiveInSight(options: BlockOptions): void {
    this.sight = new IntersectionObserver((entries) => {
      if (entries.some((entry) => entry.isIntersecting)) this.goLive(options, false);
    });
    this.sight.observe(this.containerEl);
  }

  private goLive(options: BlockOptions, takesFocus: boolean): void {
    this.sight?.disconnect();
    if (this.panel !== null) return;
    this.context.liveBlocks.add(this.key(options));
    const known = this.idOf(options.session);
    if (known !== null) return this.show(known, options, takesFocus);
    void this.find(options.session).then(
      (id) => {
        if (!this.isLoaded) return;
        if (id === null) this.fail(missing(options.session));
        else this.show(id, options, takesFocus);
      },
      (error: unknown) => this.isLoaded && this.fail(advice(error)),
    );
  }

  private show(session: string, options: BlockOptions, takesFocus: boolean): void {
    if (this.panel !== null) return;
    const { isTerminal, isReadOnly } = options;
    const panel = new SessionPanel(this.context, this.containerEl, { session, isTerminal, isReadOnly, takesFocus });
    this.panel = this.addChild(panel);
    this.preview?.remove();
    this.preview = null;
  }

  /** Returns the id of a session that was shown before, without asking. */
  private idOf(name: string): string | null {
    if (this.context.positions.get(name) !== undefined || this.context.screens.has(name)) return name;
    if (this.context.list.get(name) !== undefined) return name;
    return this.context.names.get(name) ?? null;
  }

  /** Finds a session by its id, or else the last active one of this vault with this name. */
  private async find(name: string): Promise<string | null> {
    const client = this.context.access()?.client;
    if (client === undefined) throw new Error("The relay is not set.");
    if (ID.test(name)) {
      try {
        return this.remember(name, (await client.status(name)).sessionId);
      } catch (error) {
        if (!(error instanceof RelayError) || error.status !== 404) throw error;
      }
    }
    const [sessions, project] = await Promise.all([client.sessions(), this.context.project.find(client)]);
    const named = sessions.filter((session) => session.name === name);
    const own = this.context.project.own(named, project);
    const found = own[0] ?? named[0];
    return found === undefined ? null : this.remember(name, found.sessionId);
  }

  private remember(name: string, id: string): string {
    this.context.names.set(name, id);
    return id;
  }

  private fail(message: string): void {
    this.containerEl.empty();
    this.preview = null;
    const box = this.containerEl.createDiv({ cls: "moorline-failure", attr: { role: "alert" } });
    setIcon(box.createSpan(), "circle-alert");
    box.createSpan({ text: message });
  }
}

function missing(name: string): string {
  return `The relay has no session with the id or name "${name}".`;
}
