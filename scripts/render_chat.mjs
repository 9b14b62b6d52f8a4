// Renders chat templates with @huggingface/jinja, the JavaScript interpreter of
// them, for make_chat_golden.py:
//
//   node scripts/render_chat.mjs BUILD_FOLDER < CASES.json > TEXTS.json
//
// CASES is an array of {template, variables}; TEXTS one of strings, null where
// the package refuses.  The package is installed into BUILD_FOLDER, never into
// the tree.
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

const VERSION = "0.5.11";
const build = path.resolve(process.argv[2]);
mkdirSync(build, { recursive: true });
execFileSync("npm", ["install", "--silent", "--no-save", "--prefix", build, `@huggingface/jinja@${VERSION}`], {
  stdio: ["ignore", "ignore", "inherit"],
});
const { Template } = createRequire(path.join(build, "x.js"))("@huggingface/jinja");

function render({ template, variables }) {
  try {
    return new Template(template).render(variables);
  } catch {
    return null;
  }
}
const cases = JSON.parse(readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(cases.map(render)));
