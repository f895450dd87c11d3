// Builds ../static/mirror.js and mirror.css: one file each, nothing is loaded from elsewhere.
import { build } from "esbuild";
import { fileURLToPath } from "node:url";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

const common = {
  bundle: true,
  minify: true,
  charset: "utf8",
  legalComments: "linked",
  logLevel: "warning",
  target: ["es2022"],
};

await build({
  ...common,
  entryPoints: [here("src/widget.js")],
  outfile: here("../static/mirror.js"),
  format: "esm",
});
await build({
  ...common,
  entryPoints: [here("src/mirror.css")],
  outfile: here("../static/mirror.css"),
});
