/** The look of a frame: see docs/EMBED.md. */
export interface FrameTheme {
  scheme: "dark" | "light";
  background?: string;
  foreground?: string;
  accent?: string;
  cursor?: string;
  selection?: string;
  textFont?: string;
  terminalFont?: string;
  fontSize?: number;
}

const FONT_NAME = /^[\p{L}\p{N} ._-]{1,64}$/u;
const FONTS = 16;

/**
 * Reads the look of Obsidian and its theme from its style sheets. Colours come as the browser computes them, and fonts
 * without names that are no plain ones, such as the placeholder of Obsidian for fonts that are not set.
 */
export function readTheme(document: Document): FrameTheme {
  const body = document.body;
  const probe = body.createDiv({ cls: "moorline-probe" });
  try {
    const style = (part: string): CSSStyleDeclaration => {
      const element = probe.createSpan({ cls: `moorline-probe-${part}` });
      return document.defaultView?.getComputedStyle(element) ?? element.style;
    };
    const text = style("text");
    const mono = style("mono");
    const theme: FrameTheme = { scheme: body.hasClass("theme-dark") ? "dark" : "light" };
    const background = style("background").color;
    if (isOpaque(background) && isOpaque(text.color)) {
      theme.background = background;
      theme.foreground = text.color;
    }
    const accent = style("accent").color;
    if (isOpaque(accent)) theme.accent = theme.cursor = accent;
    const size = Math.round(parseFloat(mono.fontSize));
    if (size >= 6 && size <= 40) theme.fontSize = size;
    const textFont = fonts(text.fontFamily);
    if (textFont !== "") theme.textFont = textFont;
    const terminalFont = fonts(mono.fontFamily);
    if (terminalFont !== "") theme.terminalFont = terminalFont;
    return theme;
  } finally {
    probe.remove();
  }
}

function isOpaque(colour: string): boolean {
  return colour !== "" && !/^rgba\([^)]*,\s*0(\.\d+)?\)$/.test(colour) && !colour.includes("/");
}

function fonts(family: string): string {
  const names = family.split(",").map((name) => name.trim().replace(/^(["'])(.*)\1$/, "$2"));
  const plain = names.filter((name) => FONT_NAME.test(name));
  return [...new Set(plain)].slice(0, FONTS).join(", ");
}
