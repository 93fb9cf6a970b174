import { setIcon } from "obsidian";
import { isAgent, isOver, type SessionSummary } from "../relay/types";

export interface RowActions {
  show(): void;
  openTab(): void;
  end(): void;
}

/** Draws a session of the list. */
export function drawRow(parent: HTMLElement, session: SessionSummary, actions: RowActions): void {
  const row = parent.createDiv({ cls: "moorline-row", attr: { "data-session": session.sessionId } });
  const main = row.createEl("button", { cls: "moorline-row-main" });
  main.addEventListener("click", () => actions.show());
  setIcon(main.createSpan({ cls: "moorline-row-icon" }), isAgent(session) ? "bot" : "square-terminal");
  const text = main.createDiv({ cls: "moorline-row-text" });
  text.createDiv({ cls: "moorline-row-name", text: session.name });
  text.createDiv({ cls: "moorline-dim", text: stateOf(session) });
  const waiting = session.agent?.approvals ?? 0;
  if (waiting > 0) main.createSpan({ cls: "moorline-count", text: String(waiting), attr: { "aria-label": "Open questions" } });
  iconButton(row, "external-link", "Open in a tab", () => actions.openTab());
  const isEnded = isOver(session);
  iconButton(row, isEnded ? "trash-2" : "x", isEnded ? "Delete" : "End", () => actions.end());
}

export function iconButton(parent: HTMLElement, icon: string, label: string, action: () => void): HTMLElement {
  const button = parent.createEl("button", { cls: "moorline-icon clickable-icon", attr: { "aria-label": label } });
  setIcon(button, icon);
  button.addEventListener("click", action);
  return button;
}

/** Returns what a session does, in a few words. */
export function stateOf(session: SessionSummary): string {
  const { lifecycle, status, agent, running, exitCode, cwd } = session;
  if (lifecycle === "exited") return exitCode === null ? "Ended" : `Ended with exit code ${exitCode}`;
  if (lifecycle === "lost") return "Lost with its host";
  if (lifecycle === "detached") return "Host away";
  const state = agent?.state;
  if (state === "waiting") return "Waiting for you";
  if (state === "working") return agent?.tool === undefined ? "Working" : `Working: ${agent.tool}`;
  if (agent?.phase === "needs-login") return "Needs a login";
  if (running !== null && status === "running") return running;
  const folder = cwd?.split("/").at(-1) ?? "";
  return folder === "" ? "Idle" : `Idle in ${folder}`;
}
