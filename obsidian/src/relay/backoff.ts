const FIRST_MS = 1000;
const LAST_MS = 30_000;
const FACTOR = 1.5;

/** The pauses between attempts: longer each time, and random, so that many clients do not come back at once. */
export class Backoff {
  private pause = FIRST_MS;

  constructor(private readonly random: () => number = Math.random) {}

  /** Returns the next pause in milliseconds. */
  next(): number {
    const pause = this.pause;
    this.pause = Math.min(LAST_MS, pause * FACTOR);
    return pause * this.random();
  }

  reset(): void {
    this.pause = FIRST_MS;
  }
}
