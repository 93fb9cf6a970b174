// Trunk runs this at the end of a build: the terminal emulator that build.rs made becomes a file
// of its own beside the page.
import { cpSync } from "node:fs";

cpSync(new URL("node_modules/moorline/served", import.meta.url), process.env.TRUNK_STAGING_DIR, { recursive: true });
