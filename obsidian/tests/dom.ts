// A stand-in for Obsidian, for tests only: the helpers that Obsidian adds to elements.

type Wish = string | { cls?: string | string[]; text?: string | DocumentFragment; attr?: Record<string, string> };

function create(parent: Node | null, tag: string, wish: Wish = {}): HTMLElement {
  const element = document.createElement(tag);
  const { cls, text, attr } = typeof wish === "string" ? { cls: wish } : wish;
  if (cls !== undefined) element.className = Array.isArray(cls) ? cls.join(" ") : cls;
  if (text !== undefined) element.replaceChildren(text);
  for (const [name, value] of Object.entries(attr ?? {})) element.setAttribute(name, value);
  parent?.appendChild(element);
  return element;
}

export function addHelpers(): void {
  const ofNodes = {
    createEl(this: Node, tag: string, wish?: Wish) {
      return create(this, tag, wish);
    },
    createDiv(this: Node, wish?: Wish) {
      return create(this, "div", wish);
    },
    createSpan(this: Node, wish?: Wish) {
      return create(this, "span", wish);
    },
    empty(this: Node) {
      while (this.firstChild !== null) this.firstChild.remove();
    },
  };
  const ofElements = {
    setText(this: Element, text: string | DocumentFragment) {
      this.replaceChildren(text);
    },
    addClass(this: Element, ...names: string[]) {
      this.classList.add(...names);
    },
    removeClass(this: Element, ...names: string[]) {
      this.classList.remove(...names);
    },
    toggleClass(this: Element, name: string, isOn: boolean) {
      this.classList.toggle(name, isOn);
    },
    hasClass(this: Element, name: string) {
      return this.classList.contains(name);
    },
    findAll(this: Element, selector: string) {
      return [...this.querySelectorAll(selector)];
    },
    setCssProps(this: HTMLElement, properties: Record<string, string>) {
      for (const [name, value] of Object.entries(properties)) this.style.setProperty(name, value);
    },
  };
  Object.assign(Node.prototype, ofNodes);
  Object.assign(Element.prototype, ofElements);
  Object.assign(window, {
    activeDocument: document,
    createFragment: () => document.createDocumentFragment(),
  });
}
