import { type App, type Plugin, PluginSettingTab, SecretComponent, Setting, setIcon, type SettingDefinitionItem } from "obsidian";
import { startable } from "../commands/start";
import type { Context } from "../context";
import { testConnection } from "./connection-test";
import { clampHeight, MAX_HEIGHT, MIN_HEIGHT, originOf, type Settings } from "./settings";

interface Row {
  name: string;
  desc: string;
  render: (setting: Setting) => void;
}

/** The settings. Obsidian 1.13 finds them by search; earlier versions show the same rows. */
export class MoorlineSettingTab extends PluginSettingTab {
  private readonly context: Context;
  private readonly change: (change: Partial<Settings>) => Promise<void>;

  constructor(app: App, plugin: Plugin, context: Context, change: (change: Partial<Settings>) => Promise<void>) {
    super(app, plugin);
    this.icon = "square-terminal";
    this.context = context;
    this.change = change;
  }

  override display(): void {
    this.containerEl.empty();
    for (const { name, desc, render } of this.rows()) {
      render(new Setting(this.containerEl).setName(name).setDesc(desc));
    }
  }

  override getSettingDefinitions(): SettingDefinitionItem[] {
    return this.rows();
  }

  private rows(): Row[] {
    return [
      {
        name: "Relay",
        desc: "The address of your relay. Phones need an https address that they can reach.",
        render: (setting) => this.address(setting),
      },
      {
        name: "Token",
        desc: "The secret with the token, in the keychain of this device. A token with the scope project:ID:write is enough.",
        render: (setting) => this.token(setting),
      },
      {
        name: "Connection",
        desc: this.context.isRefused()
          ? "The relay does not accept the token any more: it has expired or was revoked. Choose another one above."
          : "Tries the relay and the token, and says what to do.",
        render: (setting) => this.test(setting),
      },
      {
        name: "Connect at once",
        desc: "Blocks in notes connect when they are visible, not only after a click.",
        render: (setting) => {
          setting.addToggle((toggle) => {
            toggle.setValue(this.context.settings.liveAtOnce);
            toggle.onChange((liveAtOnce) => void this.change({ liveAtOnce }));
          });
        },
      },
      {
        name: "New session",
        desc: "What the button for a new session starts.",
        render: (setting) => this.kind(setting),
      },
      {
        name: "Height of blocks",
        desc: `Pixels, from ${MIN_HEIGHT} to ${MAX_HEIGHT}. A block can have a height of its own.`,
        render: (setting) => this.height(setting),
      },
      {
        name: "Folder of this vault on the host",
        desc: "Where sessions start, and where agents find notes. If it is empty, a relay on this machine uses the vault's own folder.",
        render: (setting) => this.folder(setting),
      },
    ];
  }

  private address(setting: Setting): void {
    setting.addText((text) => {
      text.setValue(this.context.settings.address).setPlaceholder("https://moorline.example.org");
      text.inputEl.type = "url";
      // Not while typing: each part of an address is another one.
      text.inputEl.addEventListener("change", () => {
        const address = text.getValue().trim();
        const isValid = originOf(address) !== null;
        setting.setDesc(isValid ? "" : "Write an address such as https://moorline.example.org or http://127.0.0.1:3010.");
        if (isValid) void this.change({ address });
      });
    });
  }

  private token(setting: Setting): void {
    setting.addComponent((element) => {
      const secret = new SecretComponent(this.app, element);
      return secret.setValue(this.context.settings.tokenSecret).onChange((tokenSecret) => void this.change({ tokenSecret }));
    });
  }

  private test(setting: Setting): void {
    setting.settingEl.addClass("moorline-connection");
    setting.addButton((button) => {
      button.setButtonText("Test connection").onClick(async () => {
        button.setDisabled(true);
        setting.setDesc("Trying…");
        const findings = await testConnection(this.context);
        const list = createFragment();
        for (const { isGood, text } of findings) {
          const line = list.createDiv({ cls: isGood ? "moorline-good" : "moorline-bad" });
          setIcon(line.createSpan(), isGood ? "check" : "circle-alert");
          line.createSpan({ text });
        }
        setting.setDesc(list);
        button.setDisabled(false);
      });
    });
  }

  private kind(setting: Setting): void {
    setting.addDropdown((dropdown) => {
      const { defaultKind } = this.context.settings;
      dropdown.addOption("shell", "Shell");
      if (defaultKind !== "shell") dropdown.addOption(defaultKind, defaultKind);
      dropdown.setValue(defaultKind).onChange((kind) => void this.change({ defaultKind: kind }));
      void startable(this.context).then((kinds) => {
        for (const { id, name, problem } of kinds) if (problem === null) dropdown.addOption(id, name);
        dropdown.setValue(this.context.settings.defaultKind);
      });
    });
  }

  private height(setting: Setting): void {
    setting.addText((text) => {
      text.setValue(String(this.context.settings.blockHeight));
      text.inputEl.type = "number";
      text.onChange((value) => void this.change({ blockHeight: clampHeight(Number(value)) }));
    });
  }

  private folder(setting: Setting): void {
    setting.addText((text) => {
      text.setValue(this.context.settings.vaultFolder);
      text.onChange((value) => void this.change({ vaultFolder: value.trim() }));
    });
  }
}
