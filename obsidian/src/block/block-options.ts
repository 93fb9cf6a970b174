import { clampHeight } from "../settings/settings";

/** What a block in a note says. */
export interface BlockOptions {
  /** The id or name of a session. */
  session: string;
  height: number | null;
  isTerminal: boolean;
  isReadOnly: boolean;
}

const FIELDS = ["session", "height", "kind", "readonly"];

/**
 * Reads a block: lines of `field: value`.
 *
 * @throws Error with a sentence for the user.
 */
export function readBlock(source: string): BlockOptions {
  const fields = new Map<string, string>();
  for (const line of source.split("\n")) {
    if (line.trim() === "" || line.trim().startsWith("#")) continue;
    const colon = line.indexOf(":");
    const field = line.slice(0, colon).trim().toLowerCase();
    if (colon < 0 || !FIELDS.includes(field)) {
      throw new Error(`"${line.trim()}" is not understood. A block has the lines ${FIELDS.join(", ")}.`);
    }
    fields.set(field, unquoted(line.slice(colon + 1).trim()));
  }
  const session = fields.get("session") ?? "";
  if (session === "") throw new Error("The block needs a line such as `session: my-shell`, with an id or a name.");
  const height = fields.get("height");
  if (height !== undefined && !/^\d+(px)?$/.test(height)) throw new Error("The height is a number of pixels, such as 320.");
  const kind = fields.get("kind") ?? "auto";
  if (kind !== "auto" && kind !== "terminal") throw new Error("The kind is `auto` or `terminal`.");
  const readOnly = fields.get("readonly") ?? "false";
  if (readOnly !== "true" && readOnly !== "false") throw new Error("`readonly` is `true` or `false`.");
  return {
    session,
    height: height === undefined ? null : clampHeight(Number.parseInt(height, 10)),
    isTerminal: kind === "terminal",
    isReadOnly: readOnly === "true",
  };
}

/** Writes a block that shows a session. */
export function writeBlock(session: string): string {
  return `\`\`\`moorline\nsession: ${session}\n\`\`\`\n`;
}

function unquoted(value: string): string {
  return value.replace(/^(["'])(.*)\1$/, "$2");
}
