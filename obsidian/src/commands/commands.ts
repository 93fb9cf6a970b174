import { type Editor, type MarkdownFileInfo, type MarkdownView, Notice, type Plugin, type TFile } from "obsidian";
import { writeBlock } from "../block/block-options";
import type { Context } from "../context";
import { createSessionFile } from "../file/create-session-file";
import { lastScreen } from "../frame/session-panel";
import type { Access } from "../relay/session-list";
import { isAgent, isOver, type SessionSummary } from "../relay/types";
import { fetchConversation } from "../screen/conversation-text";
import { fetchScreen } from "../screen/last-screen";
import { type Choice, choose } from "./choose";
import { startable, startSession, SHELL } from "./start";

/** The most bytes of a prompt. */
const PROMPT_BYTES = 64 * 1024;

/** Adds the plugin's commands. */
export class Commands {
  /** The agent that got the last prompt. */
  private lastAgent: string | null = null;

  constructor(
    private readonly context: Context,
    private readonly showPane: (approvals: boolean) => Promise<void>,
  ) {}

  register(plugin: Plugin): void {
    const safely = (work: () => Promise<void>) => (): void => {
      work().catch((error: unknown) => this.context.report(error));
    };
    const note = (): TFile | null => this.context.app.workspace.getActiveFile();
    plugin.addCommand({ id: "show-sessions", name: "Show sessions", callback: safely(() => this.showPane(false)) });
    plugin.addCommand({ id: "show-approvals", name: "Show approvals", callback: safely(() => this.showPane(true)) });
    plugin.addCommand({ id: "open-shell", name: "Open shell here", callback: safely(() => this.openShell(note())) });
    plugin.addCommand({
      id: "create-session-file",
      name: "Create session file",
      callback: safely(() => this.createFile(note())),
    });
    const editing = (id: string, name: string, work: (editor: Editor, note: TFile | null) => Promise<void>): void => {
      plugin.addCommand({
        id,
        name,
        editorCallback: (editor: Editor, { file }: MarkdownView | MarkdownFileInfo) => safely(() => work(editor, file))(),
      });
    };
    editing("send-selection", "Send selection as prompt", (editor, file) => this.send(editor, file, false));
    editing("send-selection-to", "Send selection as prompt to…", (editor, file) => this.send(editor, file, true));
    editing("insert-output", "Insert output of a session", (editor) => this.insertOutput(editor));
    editing("insert-session", "Insert session", (editor) => this.insertBlock(editor));
  }

  private async openShell(note: TFile | null): Promise<void> {
    await this.context.openSession(await startSession(this.context, SHELL, note));
  }

  private async createFile(note: TFile | null): Promise<void> {
    const session = await this.chooseSession("Session to link to", () => true);
    if (session !== null) await createSessionFile(this.context.app, session, note);
  }

  private async send(editor: Editor, note: TFile | null, asks: boolean): Promise<void> {
    const text = editor.getSelection() || editor.getLine(editor.getCursor().line);
    if (text.trim() === "") throw new Error("Select the text to send first.");
    if (new TextEncoder().encode(text).byteLength > PROMPT_BYTES) throw new Error("The selection is longer than 64 KiB.");
    const { client } = this.access();
    const session = await this.chooseAgent(asks, note);
    if (session === null) return;
    await client.prompt(session.sessionId, text, this.contextOf(session, note));
    this.lastAgent = session.sessionId;
    new Notice(`Sent to ${session.name}.`);
  }

  /** Returns the note's path on the host, if the agent may read it: it must be in the session's folder. */
  private contextOf({ cwd }: SessionSummary, note: TFile | null): string[] {
    const path = note === null ? null : this.context.project.pathOf(note.path);
    const isInside = path !== null && cwd !== null && path.startsWith(`${cwd.replace(/\/+$/, "")}/`);
    return isInside ? [path] : [];
  }

  /** Returns the agent that was used last, or lets the user choose one or start one. */
  private async chooseAgent(asks: boolean, note: TFile | null): Promise<SessionSummary | null> {
    const agents = (await this.own()).filter((session) => isAgent(session) && !isOver(session));
    const last = agents.find((session) => session.sessionId === this.lastAgent);
    if (last !== undefined && !asks) return last;
    const kinds = (await startable(this.context)).filter(({ id, problem }) => id !== SHELL && problem === null);
    const choices: Choice<SessionSummary | string>[] = [
      ...agents.map((session) => ({ text: session.name, value: session })),
      ...kinds.map(({ id, name }) => ({ text: `New session: ${name}`, value: id })),
    ];
    if (choices.length === 0) throw new Error("There is no agent: start one, or install one on the relay's host.");
    const chosen = await choose(this.context.app, "Agent to send to", choices);
    return typeof chosen === "string" ? startSession(this.context, chosen, note) : chosen;
  }

  private async insertOutput(editor: Editor): Promise<void> {
    const session = await this.chooseSession("Session whose output to insert", () => true);
    if (session === null) return;
    const lines = await this.outputOf(session);
    if (lines.length === 0) throw new Error("The session has no output yet.");
    editor.replaceSelection(fenced(lines.join("\n")));
  }

  private async outputOf(session: SessionSummary): Promise<string[]> {
    const access = this.access();
    if (isAgent(session)) {
      const said = await fetchConversation(access, session.sessionId);
      return said.length > 0 ? said : (lastScreen(this.context, session.sessionId)?.everything ?? []);
    }
    return (await fetchScreen(access.client, session.sessionId))?.screen ?? [];
  }

  private async insertBlock(editor: Editor): Promise<void> {
    const session = await this.chooseSession("Session to show here", () => true);
    if (session !== null) editor.replaceSelection(writeBlock(session.sessionId));
  }

  private async chooseSession(
    placeholder: string,
    fits: (session: SessionSummary) => boolean,
  ): Promise<SessionSummary | null> {
    const sessions = (await this.own()).filter(fits);
    if (sessions.length === 0) throw new Error("This vault has no sessions yet.");
    const choices = sessions.map((session) => ({ text: session.name, value: session }));
    return choose(this.context.app, placeholder, choices);
  }

  private async own(): Promise<SessionSummary[]> {
    const { client } = this.access();
    const [sessions, project] = await Promise.all([client.sessions(), this.context.project.find(client)]);
    return this.context.project.own(sessions, project);
  }

  private access(): Access {
    const access = this.context.access();
    if (access === null) throw new Error("Set the relay's address and a token in the settings.");
    return access;
  }
}

/** Puts text into a code block that it cannot end. */
function fenced(text: string): string {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([ticks]) => ticks.length));
  const fence = "`".repeat(longest + 1);
  return `${fence}text\n${text}\n${fence}\n`;
}
