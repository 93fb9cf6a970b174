// Runs the page's terminal emulator without a page. Each line of input describes the life of one
// terminal in JSON; each line of output is its final look, a list of lines.
//
//     node page.mjs <xterm-headless.mjs> <as-host.mjs>
import { pathToFileURL } from "node:url";
import { createInterface } from "node:readline";

const load = (path) => import(pathToFileURL(path).href);
const { Terminal } = (await load(process.argv[2])).default;
const { HostAddon } = await load(process.argv[3]);

// The same as in the page (client/src/bindings/screen.rs).
const OPTIONS = {
  allowProposedApi: true,
  cursorBlink: false,
  logLevel: "off",
  scrollback: 10_000,
  windowOptions: { pushTitle: true, popTitle: true },
};
const FG_UNDERLINE = 0x10000000;
const BG_EXTENDED = 0x10000000;

for await (const line of createInterface({ input: process.stdin })) {
  const { cols, rows, steps } = JSON.parse(line);
  const terminal = new Terminal({ ...OPTIONS, cols, rows });
  terminal.loadAddon(new HostAddon());
  const colors = new Map();
  let title = "";
  terminal.onTitleChange((text) => (title = text));
  terminal._core._inputHandler.onColor((event) => {
    for (const { type, index, color } of event) {
      if (type === 1) colors.set(index, color.join("/"));
      else if (type === 2 && index === undefined) [...colors.keys()].filter((key) => key < 256).forEach((key) => colors.delete(key));
      else if (type === 2) colors.delete(index);
    }
  });
  for (const step of steps) {
    if (typeof step === "string") {
      await new Promise((done) => terminal.write(Buffer.from(step, "base64"), done));
    } else {
      terminal.resize(...step);
    }
  }
  console.log(JSON.stringify(describe(terminal, title, colors)));
  terminal.dispose();
}

function describe(terminal, title, colors) {
  const core = terminal._core;
  const { coreService, coreMouseService, _charsetService: charsets } = core;
  const input = core._inputHandler;
  const shown = terminal.buffer.active;
  const modes = { ...coreService.modes, ...coreService.decPrivateModes };
  const lines = [
    `modes ${JSON.stringify(modes)}`,
    `cursor hidden ${coreService.isCursorHidden} blinks ${terminal.options.cursorBlink} converts ${terminal.options.convertEol}`,
    `mouse ${coreMouseService.activeProtocol} ${coreMouseService.activeEncoding}`,
    `title ${JSON.stringify(title)} over ${JSON.stringify(input._windowTitleStack)}`,
    `colours ${JSON.stringify([...colors].sort(([a], [b]) => a - b))}`,
    `charsets ${charsets.glevel} ${[0, 1, 2, 3].map((g) => set(charsets._charsets[g]))} ${set(charsets.charset)}`,
    // xterm.js forgets a link with the line that it was opened on.
    `pen ${pen(core, input._curAttrData).replace(/ *(http.*)?$/, "").replace(/^0 0 0$/, "")} ${input._curAttrData.extended.urlId ? "a link" : ""}`,
    `shown ${shown.type} at ${shown.cursorX},${shown.cursorY}`,
  ];
  for (const name of ["normal", "alternate"]) {
    const { _buffer: buffer } = terminal.buffer[name];
    const saved = `${Math.min(buffer.savedX, terminal.cols - 1)},${Math.max(buffer.savedY - buffer.ybase, 0)}`;
    const tabs = Object.keys(buffer.tabs).filter((at) => buffer.tabs[at] && at < terminal.cols);
    lines.push(`${name} saved ${saved} ${pen(core, buffer.savedCurAttrData, true)} ${set(buffer.savedCharset)}`);
    if (name === shown.type) {
      lines.push(`${name} region ${buffer.scrollTop}-${buffer.scrollBottom} tabs ${tabs}`);
    }
    for (let at = 0; at < buffer.lines.length; at++) {
      lines.push(`${name} ${at - buffer.ybase}: ${row(core, terminal.buffer[name].getLine(at), at === 0)}`);
    }
  }
  return lines;
}

function set(charset) {
  return charset ? (charset.q ?? "national") : "ascii";
}

function row(core, line, first) {
  let text = "";
  let trimmed = 0;
  let last = pen(core, { fg: 0, bg: 0 });
  for (let at = 0; at < line.length; at++) {
    const cell = line.getCell(at);
    const look = pen(core, cell);
    if (look !== last) {
      text += `{${look}}`;
      trimmed = text.length;
      last = look;
    }
    const chars = cell.getChars();
    // The second half of a wide character. Without its first half it is blank.
    const half = cell.getWidth() === 0 && at > 0 && line.getCell(at - 1).getWidth() === 2;
    text += half ? "" : chars.length > 1 ? chars.trimStart() : chars || " ";
    if (chars.trim() || look !== pen(core, { fg: 0, bg: 0 })) trimmed = text.length;
  }
  return text.slice(0, trimmed) + (line.isWrapped && !first ? "↩" : "");
}

// Describes the appearance of text. Saved attributes have no extended ones.
function pen(core, { fg, bg, extended }, saved = false) {
  const has = !saved && (bg & BG_EXTENDED) !== 0 && extended;
  const style = fg & FG_UNDERLINE ? (has && extended.underlineStyle) || 1 : 0;
  const color = has && fg & FG_UNDERLINE && extended.underlineColor & 0x3000000 && extended.underlineColor !== 0x3ffffff ? extended.underlineColor & 0x3ffffff : "";
  const link = (has && extended.urlId && core._oscLinkService.getLinkData(extended.urlId)?.uri) || "";
  // The remains of an earlier colour have no meaning.
  const plain = (color) => ((color & 0x3000000) % 0x3000000 ? color & ~0xffff00 : color) >>> 0;
  return [plain(fg), plain(bg & ~BG_EXTENDED), style, color, link].join(" ").replace(/^0 0 0  $/, "");
}
