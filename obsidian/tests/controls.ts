// A stand-in for Obsidian, for tests only: settings, modals, menus and notices.

import type { StandInApp } from "./app";

class Control<E extends HTMLElement> {
  constructor(readonly element: E) {}

  setDisabled(isDisabled: boolean): this {
    this.element.toggleAttribute("disabled", isDisabled);
    return this;
  }
}

class TextComponent extends Control<HTMLInputElement> {
  get inputEl(): HTMLInputElement {
    return this.element;
  }

  getValue(): string {
    return this.element.value;
  }

  setValue(value: string): this {
    this.element.value = value;
    return this;
  }

  setPlaceholder(text: string): this {
    this.element.placeholder = text;
    return this;
  }

  onChange(changed: (value: string) => unknown): this {
    this.element.addEventListener("input", () => changed(this.element.value));
    return this;
  }
}

class ToggleComponent extends Control<HTMLInputElement> {
  setValue(isOn: boolean): this {
    this.element.checked = isOn;
    return this;
  }

  onChange(changed: (isOn: boolean) => unknown): this {
    this.element.addEventListener("change", () => changed(this.element.checked));
    return this;
  }
}

class DropdownComponent extends Control<HTMLSelectElement> {
  addOption(value: string, text: string): this {
    const known = [...this.element.options].find((option) => option.value === value);
    if (known === undefined) this.element.add(new Option(text, value));
    else known.text = text;
    return this;
  }

  setValue(value: string): this {
    this.element.value = value;
    return this;
  }

  onChange(changed: (value: string) => unknown): this {
    this.element.addEventListener("change", () => changed(this.element.value));
    return this;
  }
}

class ButtonComponent extends Control<HTMLButtonElement> {
  setButtonText(text: string): this {
    this.element.setText(text);
    return this;
  }

  onClick(clicked: () => unknown): this {
    this.element.addEventListener("click", () => void clicked());
    return this;
  }
}

/** Lets the user choose one of the secrets in the keychain. */
export class SecretComponent {
  private readonly list: HTMLSelectElement;

  constructor(app: StandInApp, parent: HTMLElement) {
    this.list = parent.createEl("select", { cls: "secret" }) as HTMLSelectElement;
    for (const id of ["", ...app.secretStorage.listSecrets()]) this.list.add(new Option(id, id));
  }

  setValue(value: string): this {
    this.list.value = value;
    return this;
  }

  onChange(changed: (value: string) => unknown): this {
    this.list.addEventListener("change", () => changed(this.list.value));
    return this;
  }
}

export class Setting {
  readonly settingEl: HTMLElement;
  private readonly name: HTMLElement;
  private readonly description: HTMLElement;
  private readonly control: HTMLElement;

  constructor(parent: HTMLElement) {
    this.settingEl = parent.createDiv({ cls: "setting-item" });
    const info = this.settingEl.createDiv({ cls: "setting-item-info" });
    this.name = info.createDiv({ cls: "setting-item-name" });
    this.description = info.createDiv({ cls: "setting-item-description" });
    this.control = this.settingEl.createDiv({ cls: "setting-item-control" });
  }

  setName(text: string): this {
    this.name.setText(text);
    return this;
  }

  setDesc(text: string | DocumentFragment): this {
    this.description.setText(text);
    return this;
  }

  addText(build: (text: TextComponent) => unknown): this {
    build(new TextComponent(this.control.createEl("input", { attr: { type: "text" } }) as HTMLInputElement));
    return this;
  }

  addToggle(build: (toggle: ToggleComponent) => unknown): this {
    build(new ToggleComponent(this.control.createEl("input", { attr: { type: "checkbox" } }) as HTMLInputElement));
    return this;
  }

  addDropdown(build: (dropdown: DropdownComponent) => unknown): this {
    build(new DropdownComponent(this.control.createEl("select") as HTMLSelectElement));
    return this;
  }

  addButton(build: (button: ButtonComponent) => unknown): this {
    build(new ButtonComponent(this.control.createEl("button") as HTMLButtonElement));
    return this;
  }

  addComponent(build: (element: HTMLElement) => unknown): this {
    build(this.control);
    return this;
  }
}

export class PluginSettingTab {
  icon = "";
  readonly containerEl: HTMLElement;

  constructor(readonly app: StandInApp) {
    this.containerEl = document.createElement("div");
    this.containerEl.className = "settings";
  }

  display(): void {
    // For plugins.
  }
}

export class Modal {
  readonly modalEl: HTMLElement;
  readonly contentEl: HTMLElement;
  private readonly title: HTMLElement;

  constructor(readonly app: StandInApp) {
    this.modalEl = document.createElement("div");
    this.modalEl.className = "modal";
    this.title = this.modalEl.createDiv({ cls: "modal-title" });
    this.contentEl = this.modalEl.createDiv({ cls: "modal-content" });
  }

  setTitle(title: string): this {
    this.title.setText(title);
    return this;
  }

  open(): void {
    document.body.append(this.modalEl);
    this.onOpen();
  }

  close(): void {
    this.modalEl.remove();
    this.onClose();
  }

  onOpen(): void {
    // For plugins.
  }

  onClose(): void {
    // For plugins.
  }
}

/** Shows all items as buttons, without a search. */
export class FuzzySuggestModal<T> extends Modal {
  setPlaceholder(text: string): void {
    this.setTitle(text);
  }

  override onOpen(): void {
    for (const item of this.getItems()) {
      const button = this.contentEl.createEl("button", { cls: "suggestion-item", text: this.getItemText(item) });
      button.addEventListener("click", () => {
        // Obsidian closes the window first.
        this.close();
        this.onChooseItem(item);
      });
    }
  }

  getItems(): T[] {
    return [];
  }

  getItemText(_item: T): string {
    return "";
  }

  onChooseItem(_item: T): void {
    // For plugins.
  }
}

class MenuItem extends Control<HTMLButtonElement> {
  setTitle(text: string): this {
    this.element.setText(text);
    return this;
  }

  setIcon(_icon: string): this {
    return this;
  }

  onClick(clicked: () => unknown): this {
    this.element.addEventListener("click", () => void clicked());
    return this;
  }
}

export class Menu {
  private readonly element = document.createElement("div");

  addItem(build: (item: MenuItem) => unknown): this {
    build(new MenuItem(this.element.createEl("button", { cls: "menu-item" }) as HTMLButtonElement));
    return this;
  }

  showAtPosition({ x, y }: { x: number; y: number }): this {
    this.element.className = "menu";
    this.element.style.cssText = `left: ${x}px; top: ${y}px`;
    this.element.addEventListener("click", () => this.element.remove());
    document.body.append(this.element);
    return this;
  }
}

export class Notice {
  constructor(message: string) {
    document.body.dataset["notice"] = message;
  }
}
