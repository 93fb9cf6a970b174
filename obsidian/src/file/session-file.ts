/** A file of the vault that stands for a session. */
export interface SessionFile {
  session: string;
  name: string;
  kind: "auto" | "terminal";
}

export const EXTENSION = "session";
const ID = /^[A-Za-z0-9_-]{8,32}$/;

/** Returns null if the text is no session file. */
export function readSessionFile(text: string): SessionFile | null {
  try {
    const { session, name, kind } = JSON.parse(text) as { session?: unknown; name?: unknown; kind?: unknown };
    if (typeof session !== "string" || !ID.test(session)) return null;
    return { session, name: typeof name === "string" ? name : session, kind: kind === "terminal" ? kind : "auto" };
  } catch {
    return null;
  }
}

export function writeSessionFile(file: SessionFile): string {
  return `${JSON.stringify(file, null, 2)}\n`;
}

/** Makes a file's name of a session's: what file systems or links do not take becomes a space. */
export function fileNameOf(name: string): string {
  const plain = name.replace(/[\\/:*?"<>|#^[\]]/g, " ").replace(/\s+/g, " ").trim().replace(/^\.+/, "");
  return plain.slice(0, 80).trim() || "Session";
}
