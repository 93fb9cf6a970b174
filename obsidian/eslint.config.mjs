import obsidianmd from "eslint-plugin-obsidianmd";
import { defineConfig, globalIgnores } from "eslint/config";

export default defineConfig([
  // The stand-in for Obsidian is no plugin.
  globalIgnores(["dist/", "node_modules/", "tests/", "*.mjs"]),
  ...obsidianmd.configs.recommended,
  {
    files: ["**/*.ts"],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      // Words that are written with a capital in the middle of a sentence.
      "obsidianmd/ui/sentence-case": ["warn", { brands: ["Moorline"], enforceCamelCaseLower: true }],
      "max-lines": ["error", 500],
      "max-lines-per-function": ["error", 70],
    },
  },
]);
