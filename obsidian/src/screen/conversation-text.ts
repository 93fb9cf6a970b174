import { EventStream } from "../relay/event-stream";
import type { Access } from "../relay/session-list";
import type { StreamEvent } from "../relay/sse";

/** A message or tool call of a conversation, as far as its text is concerned. */
export interface ConversationItem {
  role?: string;
  content?: { type?: string; text?: string }[];
  title?: string;
}

/** The most characters that are collected. */
const LIMIT = 1024 * 1024;
const WAIT_MS = 15_000;

/** Returns the text of an item: prompts quoted, tools by their title, no thoughts. */
export function linesOf({ role, content, title }: ConversationItem): string[] {
  if (role === undefined) return title === undefined || title === "" ? [] : [`(${title})`];
  const texts = Array.isArray(content) ? content : [];
  const text = texts.map((block) => (block.type === "text" ? (block.text ?? "") : "")).join("");
  if (text === "" || role === "thought") return [];
  const lines = text.split("\n");
  return role === "user" ? lines.map((line) => `> ${line}`) : lines;
}

interface MessageData {
  messageId?: string;
  role?: string;
  delta?: string;
  content?: { type?: string; text?: string }[];
}

/** Reads what was said in an agent's session from the log that the relay retains. */
export async function fetchConversation({ client, token }: Access, session: string): Promise<string[]> {
  const { head } = (await client.status(session)) as { head: number };
  const messages = new Map<string, ConversationItem>();
  let size = 0;
  const take = ({ messageId, role, delta, content }: MessageData): void => {
    if (messageId === undefined || role === undefined) return;
    const known = messages.get(messageId)?.content ?? [];
    const more = delta === undefined ? [] : [{ type: "text", text: delta }];
    size += delta?.length ?? 0;
    messages.set(messageId, { role, content: content ?? [...known, ...more] });
  };
  await new Promise<void>((resolve) => {
    const done = (): void => {
      window.clearTimeout(timer);
      stream.close();
      resolve();
    };
    const timer = window.setTimeout(done, WAIT_MS);
    const event = ({ type, id, data }: StreamEvent): void => {
      if (type === "agent-message") take(JSON.parse(data) as MessageData);
      const seq = Number(id.split(".").at(-1));
      if ((id !== "" && seq >= head) || size > LIMIT) done();
    };
    const path = `/api/session/${encodeURIComponent(session)}/events?lastEventId=0`;
    const stream = new EventStream(client.origin, token, path, { event, end: done });
  });
  return [...messages.values()].flatMap(linesOf);
}
