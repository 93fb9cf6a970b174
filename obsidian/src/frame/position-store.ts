/** What one frame hands to a later one of the same session, so that it shows the same at once. */
export interface Position {
  cursor: FrameCursor;
  snapshot: Uint8Array;
}

/** The prompt that somebody is writing. */
export interface Draft {
  text: string;
  files?: string[];
}

/** The place in a session's log. Only the frame understands all of it. */
export interface FrameCursor {
  kind?: unknown;
  cols?: unknown;
  rows?: unknown;
}

/** The most sessions, and the most bytes, whose positions are kept. */
const SESSIONS = 32;
const BYTES = 16 * 1024 * 1024;

/**
 * The last position and the draft of each session, in memory only: a position contains the session's screen. If there are too many, those
 * that were not used for longest are forgotten.
 */
export class PositionStore {
  private readonly positions = new Map<string, Position>();
  private readonly drafts = new Map<string, Draft>();
  private bytes = 0;

  get(session: string): Position | undefined {
    const position = this.positions.get(session);
    if (position !== undefined) {
      this.positions.delete(session);
      this.positions.set(session, position);
    }
    return position;
  }

  set(session: string, position: Position): void {
    this.delete(session);
    this.positions.set(session, position);
    this.bytes += position.snapshot.byteLength;
    for (const oldest of this.positions.keys()) {
      if (this.positions.size <= SESSIONS && this.bytes <= BYTES) return;
      if (oldest !== session) this.delete(oldest);
    }
  }

  draft(session: string): Draft | undefined {
    return this.drafts.get(session);
  }

  /** Keeps the draft of a session's prompt; an empty one is forgotten. */
  keepDraft(session: string, draft: Draft): void {
    this.drafts.delete(session);
    if (draft.text !== "") this.drafts.set(session, draft);
    for (const oldest of this.drafts.keys()) {
      if (this.drafts.size <= SESSIONS) return;
      this.drafts.delete(oldest);
    }
  }

  /** Forgets what a session has shown. What its user was writing stays. */
  delete(session: string): void {
    this.bytes -= this.positions.get(session)?.snapshot.byteLength ?? 0;
    this.positions.delete(session);
  }

  clear(): void {
    this.positions.clear();
    this.drafts.clear();
    this.bytes = 0;
  }

  get size(): number {
    return this.positions.size;
  }
}
