// Trunk runs this at the end of a build. It copies the modules that build.rs generated beside the
// page. It removes the hash from preloads that are not scripts or style sheets: Chromium does not
// check those, and warns. In a release it strips comments and indentation from wasm-bindgen's
// script: trunk's own minifier does not know all of its syntax, warns, and leaves it as it is.
//
// If split/wasm-bindgen has cut the program apart, it optimises the modules that are loaded on
// demand, and puts what loads them into wasm-bindgen's script.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";

// The script's part of the exports that index.html removes: classes, and the code that frees them.
const UNUSED =
  /^(export class IntoUnderlying[^]*?^\}|if \(Symbol\.dispose\) IntoUnderlying.*|const IntoUnderlying[^]*?;)$/gm;
// The script that loads modules on demand, and its import.
const LOADER = "__wasm_split.js";
// A module that several parts share, and these parts.
const SHARED = /\/\* ([\w, ]+) \*\/\s*const __(chunk_\d+) = /g;
const LOADER_IMPORT = /^import \* as (\w+) from "\.\/__wasm_split\.js";?$/gm;

const staging = process.env.TRUNK_STAGING_DIR;
const split = process.env.MOORLINE_SPLIT_DIR;
cpSync(new URL("node_modules/moorline/served", import.meta.url), staging, { recursive: true });
edit((page) => page.replace(/<link\b[^>]*>/g, unchecked));
if (process.env.TRUNK_PROFILE === "release") {
  const name = readdirSync(staging).find((name) => /^moorline-client-[0-9a-f]+\.js$/.test(name));
  const script = readFileSync(join(staging, name), "utf8");
  replace(name, script, shrink(split && existsSync(join(split, LOADER)) ? joined(script) : script));
}

// Returns wasm-bindgen's script with what loads modules on demand, whose files it places.
function joined(script) {
  let loader = readFileSync(join(split, LOADER), "utf8").replace(/^import .*$/gm, "");
  const needed = new Map([...loader.matchAll(SHARED)].map(([, parts, chunk]) => [chunk, parts.split(", ")]));
  for (const file of readdirSync(split).filter((name) => /^(split|chunk)_\w+\.wasm$/.test(name))) {
    loader = loader.replaceAll(`./${file}`, `./${optimised(file, needed)}`);
  }
  const names = [...loader.matchAll(/^export const (\w+)/gm)].map(([, name]) => name);
  loader = loader.replace(/^export const/gm, "const");
  const parts = `const PARTS=(()=>{${loader}\nreturn{${names.join(",")}}})();\n`;
  return parts + script.replace(LOADER_IMPORT, "const $1=PARTS;");
}

// Optimises a module as index.html says of the main one, and returns the name of its file. It begins with
// the parts that need the module: cargo xtask counts it for their pages.
function optimised(file, needed) {
  const source = readFileSync(join(process.env.TRUNK_SOURCE_DIR, "index.html"), "utf8");
  const [, options] = source.match(/data-wasm-opt-params="([^"]*)"/);
  const small = join(split, `small-${file}`);
  const words = [...options.split(" "), join(split, file), "-o", small];
  const { status, stderr } = spawnSync("wasm-opt", words, { encoding: "utf8" });
  if (status !== 0) throw new Error(`wasm-opt has failed with ${file}: ${stderr}`);
  const content = readFileSync(small);
  const part = basename(file, ".wasm").replace(/^split_/, "");
  const shared = needed.get(part)?.concat(part.split("_").at(-1)).join("_");
  const name = `part-${shared ?? part}-${short(content)}.wasm`;
  writeFileSync(join(staging, name), content);
  return name;
}

function shrink(script) {
  return script
    .replace(UNUSED, "")
    .replace(/^\s*(\/\*\*[^]*?\*\/|\/\/.*)$/gm, "")
    .replace(/^\s+/gm, "");
}

// Browsers cache a file for ever, so changed content needs a new name.
function replace(name, script, small) {
  const renamed = `moorline-client-${short(small)}.js`;
  rmSync(join(staging, name));
  writeFileSync(join(staging, renamed), small);
  edit((page) =>
    page.replaceAll(name, renamed).replaceAll(integrity(script), integrity(small)),
  );
}

// Returns a link of the page, without its hash if it preloads neither a script nor a style sheet.
function unchecked(link) {
  const is = (name, value) => new RegExp(`\\s${name}=["']?${value}["'\\s/>]`).test(link);
  const ahead = is("rel", "preload") && !is("as", "script") && !is("as", "style");
  return ahead ? link.replace(/\sintegrity=("[^"]*"|'[^']*'|[^\s"'>]+)/, "") : link;
}

function edit(change) {
  const place = join(staging, "index.html");
  writeFileSync(place, change(readFileSync(place, "utf8")));
}

function short(content) {
  return digest("sha256", content).toString("hex").slice(0, 16);
}

function integrity(text) {
  return `sha384-${digest("sha384", text).toString("base64")}`;
}

function digest(algorithm, content) {
  return createHash(algorithm).update(content).digest();
}
