// Bundles the plugin into dist/: the three files of a release. The stand-in for Obsidian that the tests load is
// bundled into dist/tests/.
import { build } from "esbuild";
import { copyFile, mkdir, rm } from "node:fs/promises";

await rm("dist", { recursive: true, force: true });
await mkdir("dist/tests", { recursive: true });
// The oldest browsers of the oldest supported Obsidian: Electron of 2023, and iOS 16.4.
const options = { bundle: true, target: ["chrome114", "safari16.4"], charset: "utf8", logLevel: "warning" };
await build({
  ...options,
  entryPoints: ["src/main.ts"],
  outfile: "dist/main.js",
  // Obsidian provides itself by `require`.
  external: ["obsidian"],
  format: "cjs",
  minify: true,
});
await build({ ...options, entryPoints: ["tests/stand-in.ts"], outfile: "dist/tests/stand-in.js", format: "iife" });
await build({ ...options, entryPoints: ["tests/unit.mjs"], outfile: "dist/tests/unit.test.mjs", format: "esm", platform: "node", target: "node20" });
for (const file of ["manifest.json", "styles.css"]) await copyFile(file, `dist/${file}`);
for (const file of ["index.html", "stand-in.css"]) await copyFile(`tests/${file}`, `dist/tests/${file}`);
