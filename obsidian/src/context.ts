import type { App } from "obsidian";
import type { FrameAccess } from "./frame/session-frame";
import type { PositionStore } from "./frame/position-store";
import type { FrameTheme } from "./frame/theme";
import type { Access, SessionList } from "./relay/session-list";
import type { SessionSummary } from "./relay/types";
import type { LastScreen } from "./screen/last-screen";
import type { Settings } from "./settings/settings";
import type { VaultProject } from "./vault-project";

/** What the parts of the plugin share. */
export interface Context {
  readonly app: App;
  readonly settings: Settings;
  readonly list: SessionList;
  readonly project: VaultProject;
  readonly positions: PositionStore;
  /** The last screens that were fetched, and those of sessions that were shown, by session. */
  readonly screens: Map<string, LastScreen>;
  /** The ids of sessions by the names that notes have for them. */
  readonly names: Map<string, string>;
  /** The blocks that were live: they are live again when the note is drawn anew. */
  readonly liveBlocks: Set<string>;
  /** Returns null if no address or token is set. */
  access(): Access | null;
  frameAccess(): FrameAccess | null;
  /** Calls back on each change of the look, until the returned function is called. */
  onTheme(dress: (theme: FrameTheme) => void): () => void;
  /** Calls back when the relay or the token has changed, until the returned function is called. */
  onAccess(changed: () => void): () => void;
  /** Forgets what is kept of a session, because it is gone or not allowed to be seen. */
  forget(session: string): void;
  /** Finds out whether the relay still accepts the token, after it refused a session. */
  checkAccess(): Promise<void>;
  /** Returns true if the relay was last heard not to accept the token. */
  isRefused(): boolean;
  /** Shows a failure to the user. */
  report(error: unknown): void;
  /** Shows a session in a tab of its own. */
  openSession(session: SessionSummary): Promise<void>;
  openSettings(): void;
}
