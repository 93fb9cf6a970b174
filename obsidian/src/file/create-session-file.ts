import { type App, normalizePath, type TFile } from "obsidian";
import { isAgent, type SessionSummary } from "../relay/types";
import { EXTENSION, fileNameOf, writeSessionFile } from "./session-file";

/** Creates a file for a session beside a note, and opens it. */
export async function createSessionFile(app: App, session: SessionSummary, note: TFile | null): Promise<TFile> {
  const folder = app.fileManager.getNewFileParent(note?.path ?? "").path;
  const name = fileNameOf(session.name);
  let path = "";
  for (let count = 1; path === "" || app.vault.getAbstractFileByPath(path) !== null; count += 1) {
    path = normalizePath(`${folder}/${name}${count === 1 ? "" : ` ${count}`}.${EXTENSION}`);
  }
  const kind = isAgent(session) ? "auto" : "terminal";
  const content = writeSessionFile({ session: session.sessionId, name: session.name, kind });
  const file = await app.vault.create(path, content);
  await app.workspace.getLeaf("tab").openFile(file);
  return file;
}
