import type { Position } from "../frame/position-store";
import type { RelayClient } from "../relay/client";
import { isAgent } from "../relay/types";
import { type ConversationItem, linesOf } from "./conversation-text";
import { ScreenText } from "./screen-text";

/** Entries of a log that are read for its last screen. */
const ENTRIES = 2000;
/** Requests for them. */
const PAGES = 8;
const AGENT_LINES = 200;

/** The text on a session's screen. */
export interface LastScreen {
  /** The screen's lines. */
  screen: string[];
  /** These, and the lines above as far as they are known. */
  everything: string[];
}

/** Reads the last screen from what a frame has handed on; null if it has none. */
export function screenOf({ cursor, snapshot }: Position): LastScreen | null {
  const text = new TextDecoder().decode(snapshot);
  if (cursor.kind === "agent") return conversationOf(text);
  const number = (value: unknown, usual: number): number => (typeof value === "number" ? value : usual);
  const screen = new ScreenText(number(cursor.cols, 80), number(cursor.rows, 24));
  screen.write(text);
  return { screen: screen.screen(), everything: screen.everything() };
}

/**
 * Asks the relay for the output of a terminal, and reads its last screen from it. It may lack what was drawn long ago.
 * Of an agent's session, there is no such output: null.
 */
export async function fetchScreen(client: RelayClient, session: string): Promise<LastScreen | null> {
  const status = await client.status(session);
  if (isAgent(status)) return null;
  const screen = new ScreenText(status.cols, status.rows);
  let since = Math.max(0, status.head - ENTRIES);
  for (let page = 0; page < PAGES && since < status.head; page += 1) {
    const { output, next } = await client.output(session, since);
    for (const { content } of output) screen.write(content);
    if (next <= since) break;
    since = next;
  }
  return { screen: screen.screen(), everything: screen.everything() };
}

/** Reads the items of an agent's conversation, whose snapshot is JSON. */
function conversationOf(json: string): LastScreen | null {
  try {
    const { items } = JSON.parse(json) as { items?: unknown };
    if (!Array.isArray(items)) return null;
    const lines = items.flatMap((item) => linesOf(item as ConversationItem));
    return { screen: lines.slice(-AGENT_LINES), everything: lines };
  } catch {
    return null;
  }
}
