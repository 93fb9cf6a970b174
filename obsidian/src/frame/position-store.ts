/** What one frame hands to a later one of the same session, so that it shows the same at once. */
export interface Position {
  cursor: FrameCursor;
  snapshot: Uint8Array;
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
 * The last position of each session, in memory only: it contains the session's screen. If there are too many, those
 * that were not used for longest are forgotten.
 */
export class PositionStore {
  private readonly positions = new Map<string, Position>();
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

  delete(session: string): void {
    this.bytes -= this.positions.get(session)?.snapshot.byteLength ?? 0;
    this.positions.delete(session);
  }

  clear(): void {
    this.positions.clear();
    this.bytes = 0;
  }

  get size(): number {
    return this.positions.size;
  }
}
