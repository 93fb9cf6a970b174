/** What the plugin keeps in `data.json`. Secrets and output of sessions are never in it. */
export interface Settings {
  /** The relay's address, such as `https://moorline.example.org`. */
  address: string;
  /** The name of the secret with the token, in Obsidian's keychain. */
  tokenSecret: string;
  /** True if blocks in notes connect as soon as they are visible, not only after a click. */
  liveAtOnce: boolean;
  /** What "New session" starts: `shell`, or the id of an agent. */
  defaultKind: string;
  /** The folder of this vault on the host; empty if it is to be guessed. */
  vaultFolder: string;
  /** The height of blocks that do not say theirs, in pixels. */
  blockHeight: number;
}

export const DEFAULTS: Settings = {
  address: "http://127.0.0.1:3010",
  tokenSecret: "",
  liveAtOnce: false,
  defaultKind: "shell",
  vaultFolder: "",
  blockHeight: 320,
};

export const MIN_HEIGHT = 120;
export const MAX_HEIGHT = 2000;

/** Reads settings. Anything that is missing or unusable gets its default; unknown fields are dropped. */
export function readSettings(data: unknown): Settings {
  const from: Record<string, unknown> = typeof data === "object" && data !== null ? { ...data } : {};
  const text = (name: "address" | "tokenSecret" | "defaultKind" | "vaultFolder"): string => {
    const value = from[name];
    return typeof value === "string" ? value : DEFAULTS[name];
  };
  const height = from["blockHeight"];
  return {
    address: text("address"),
    tokenSecret: text("tokenSecret"),
    liveAtOnce: from["liveAtOnce"] === true,
    defaultKind: text("defaultKind"),
    vaultFolder: text("vaultFolder"),
    blockHeight: typeof height === "number" ? clampHeight(height) : DEFAULTS.blockHeight,
  };
}

export function clampHeight(pixels: number): number {
  return Number.isFinite(pixels)
    ? Math.round(Math.min(MAX_HEIGHT, Math.max(MIN_HEIGHT, pixels)))
    : DEFAULTS.blockHeight;
}

/** Returns the origin of an address, or null if it is none of a relay. */
export function originOf(address: string): string | null {
  try {
    const url = new URL(address.trim());
    return url.protocol === "http:" || url.protocol === "https:" ? url.origin : null;
  } catch {
    return null;
  }
}

/** Returns true if the relay runs on this machine. */
export function isOnThisMachine(address: string): boolean {
  const origin = originOf(address);
  if (origin === null) return false;
  const name = new URL(origin).hostname;
  return name === "localhost" || name.endsWith(".localhost") || name === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(name);
}
