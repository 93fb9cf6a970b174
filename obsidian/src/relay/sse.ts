export interface StreamEvent {
  type: string;
  id: string;
  data: string;
}

/** The most characters of an event that is not complete. */
const LIMIT = 4 * 1024 * 1024;

/**
 * Reads server-sent events from pieces of text that are cut anywhere.
 *
 * Call `push` with each piece; it returns the events that are complete.
 */
export class EventParser {
  private rest = "";

  push(text: string): StreamEvent[] {
    this.rest += text;
    const events: StreamEvent[] = [];
    for (;;) {
      const end = this.rest.indexOf("\n\n");
      if (end < 0) break;
      const event = read(this.rest.slice(0, end));
      this.rest = this.rest.slice(end + 2);
      if (event !== null) events.push(event);
    }
    if (this.rest.length > LIMIT) throw new Error("An event of the relay is too long.");
    return events;
  }
}

function read(block: string): StreamEvent | null {
  const event: StreamEvent = { type: "message", id: "", data: "" };
  const data: string[] = [];
  for (const line of block.split("\n")) {
    const colon = line.indexOf(":");
    if (colon <= 0) continue;
    const value = line.slice(colon + 1).replace(/^ /, "");
    const field = line.slice(0, colon);
    if (field === "event") event.type = value;
    else if (field === "id") event.id = value;
    else if (field === "data") data.push(value);
  }
  event.data = data.join("\n");
  return data.length > 0 ? event : null;
}
