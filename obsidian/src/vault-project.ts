import { FileSystemAdapter, type App, type TFile } from "obsidian";
import { type RelayClient, RelayError } from "./relay/client";
import type { Project, SessionSummary } from "./relay/types";
import { isOnThisMachine, type Settings } from "./settings/settings";

/** The project of this vault at the relay, and the vault's folder on the host. */
export class VaultProject {
  private found: { origin: string; project: Promise<Project | null> } | null = null;

  constructor(
    private readonly app: App,
    private readonly settings: () => Settings,
  ) {}

  /**
   * Finds the project named like the vault, or else the only one that the token reaches, or else creates it. Null if
   * the token may do neither: then the vault shows whatever the token reaches.
   */
  find(client: RelayClient): Promise<Project | null> {
    if (this.found?.origin !== client.origin) {
      const project = this.look(client);
      this.found = { origin: client.origin, project };
      // A failure is not remembered.
      project.catch(() => this.forget());
    }
    return this.found.project;
  }

  forget(): void {
    this.found = null;
  }

  /** Returns the sessions that belong to this vault. */
  own(sessions: SessionSummary[], project: Project | null): SessionSummary[] {
    return project === null ? sessions : sessions.filter((session) => session.project === project.id);
  }

  /** The vault's folder on the host; null if it is not known to be there. */
  folder(): string | null {
    const { vaultFolder, address } = this.settings();
    if (vaultFolder !== "") return vaultFolder.replace(/\/+$/, "") || "/";
    const { adapter } = this.app.vault;
    return adapter instanceof FileSystemAdapter && isOnThisMachine(address) ? adapter.getBasePath() : null;
  }

  /** The path of a file of the vault on the host. */
  pathOf(path: string): string | null {
    const folder = this.folder();
    if (folder === null) return null;
    return path === "" || path === "/" ? folder : `${folder}/${path}`;
  }

  /** The folder of a note on the host, or that of the vault. */
  folderOf(note: TFile | null): string | null {
    return this.pathOf(note?.parent?.path ?? "");
  }

  private async look(client: RelayClient): Promise<Project | null> {
    const name = this.app.vault.getName();
    let projects: Project[];
    try {
      projects = await client.projects();
    } catch (error) {
      // A token for one session reads no lists.
      if (error instanceof RelayError && error.status === 403) return null;
      throw error;
    }
    const same = projects.find((project) => project.name === name);
    if (same !== undefined) return same;
    try {
      return await client.createProject(name, this.folder());
    } catch (error) {
      if (!(error instanceof RelayError) || error.status !== 403) throw error;
      return (projects.length === 1 && projects[0]) || null;
    }
  }
}
