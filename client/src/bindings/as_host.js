// Makes xterm.js behave like the host's emulator where the two differ. `WIDTHS` is defined before
// this: the number of columns that each character takes (`widths.rs`).

const DIRECT = 0x20000;
const NAME = "host";

// [first, width] of each run.
const runs = [];
const direct = new Uint8Array(DIRECT);
{
  let first = 0;
  for (const run of WIDTHS.split(" ")) {
    const width = Number(run.at(-1));
    runs.push([first, width]);
    direct.fill(width, first, first + parseInt(run.slice(0, -1), 36));
    first += parseInt(run.slice(0, -1), 36);
  }
}

function columns(code) {
  return code < DIRECT ? direct[code] : runs.findLast(([first]) => first <= code)[1];
}

// Returns a character's properties as xterm.js stores them: whether it joins the character before,
// and the columns of both.
function properties(code, before) {
  const width = columns(code);
  return width === 0 ? (before & 6) | 1 : width << 1;
}

class HostAddon {
  activate(terminal) {
    terminal.unicode.register({ version: NAME, wcwidth: columns, charProperties: properties });
    terminal.unicode.activeVersion = NAME;
    const core = terminal._core;
    // A zero-width character at the beginning of a row has nothing to join, so it is skipped.
    const input = core._inputHandler;
    input._parser.setPrintHandler((data, start, end) => {
      while (start < end && columns(data[start]) === 0 && core.buffer.x === 0) start++;
      if (start < end) input.print(data, start, end);
    });
    // Erasing up to the last cell of the screen fails in xterm.js. There it erases everything.
    for (const id of [{ final: "J" }, { prefix: "?", final: "J" }]) {
      terminal.parser.registerCsiHandler(id, (params) => {
        const { x, y } = core.buffer;
        if (params[0] !== 1 || y + 1 < terminal.rows || x + 1 < terminal.cols) return false;
        return input.eraseInDisplay({ params: [2], length: 1 }, "prefix" in id);
      });
    }
    // A view that was scrolled up follows the output again once the scrollback is cleared.
    for (const id of [{ final: "J" }, { prefix: "?", final: "J" }]) {
      terminal.parser.registerCsiHandler(id, (params) => {
        if (params[0] === 3) core._bufferService.isUserScrolling = false;
        return false;
      });
    }
    // A saved cursor keeps its place on the screen, no matter what has scrolled since.
    Object.defineProperty(Object.getPrototypeOf(core.buffer), "savedY", {
      configurable: true,
      get() {
        return this.ybase + (this.savedRow ?? 0);
      },
      set(line) {
        this.savedRow = line - this.ybase;
      },
    });
    // A full reset also resets these.
    terminal.parser.registerEscHandler({ final: "c" }, () => {
      core.coreService.isCursorHidden = false;
      terminal.options.convertEol = false;
      terminal.options.cursorBlink = false;
      return false;
    });
  }

  dispose() {}
}
