// Builds ../static/mirror.js and mirror.css: one file each, nothing is loaded from elsewhere.
import { build } from "esbuild";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

const common = {
  bundle: true,
  minify: true,
  charset: "utf8",
  legalComments: "none", // every licence stands in mirror.licenses.txt
  logLevel: "warning",
  target: ["es2022"],
};

const { metafile } = await build({
  ...common,
  entryPoints: [here("src/widget.js")],
  outfile: here("../static/mirror.js"),
  format: "esm",
  metafile: true,
});
await build({
  ...common,
  entryPoints: [here("src/mirror.css")],
  outfile: here("../static/mirror.css"),
});

// The libraries in the bundle ask that their licences go with it.
const bundled = new Set();
for (const path of Object.keys(metafile.inputs)) {
  const found = /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path);
  if (found) bundled.add(found[1]);
}
const licences = [...bundled].sort().map((name) => {
  const folder = here(`node_modules/${name}/`);
  const { version, license } = JSON.parse(readFileSync(`${folder}package.json`, "utf8"));
  const file = readdirSync(folder).find((one) => /^licen[cs]e/i.test(one));
  const text = file ? readFileSync(`${folder}${file}`, "utf8").trim() : `Licence: ${license}`;
  return `${name} ${version} (${license})\n\n${text}\n`;
});
writeFileSync(here("../static/mirror.licenses.txt"), licences.join(`\n${"-".repeat(72)}\n\n`));
