// The packages' sources: fetched by npm, unpacked, and what a file imports found in them.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const cache = join(here, "node_modules", ".sources");
const ownFolder = join(here, "..", "src", "ordinary");
/** The source unit prefix of the project's own contracts. */
export const OWN = "mempool-ids";
const LICENCE = /SPDX-License-Identifier:\s*([^\s*]+)/;
const PRAGMA = /^\s*pragma\s+solidity\s+([^;]+);/gm;
const IMPORT = /^\s*import\s+(?:[^"';]*?\bfrom\s+)?["']([^"']+)["']/gm;
const COMMENTS = /\/\*[\s\S]*?\*\/|\/\/[^\n]*/g;

/** Fetches what is not there yet. Packages' dependencies are not: `imports` names what a source needs of others. */
export function fetchPackages(packages) {
  mkdirSync(cache, { recursive: true });
  for (const [spec, { integrity }] of Object.entries(packages)) {
    const folder = join(cache, spec);
    if (existsSync(folder)) continue;
    const packed = execFileSync("npm", ["pack", "--ignore-scripts", "--json", "--pack-destination", cache, spec], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [{ filename, integrity: found }] = JSON.parse(packed);
    if (found !== integrity) throw new Error(`${spec} has integrity ${found}, not ${integrity}: not used`);
    const archive = join(cache, filename.replace("@", "").replace("/", "-"));
    const unpacked = `${folder}.part`; // moved when whole: an interrupted run leaves no half package
    mkdirSync(unpacked, { recursive: true });
    execFileSync("tar", ["-xzf", archive, "-C", unpacked, "--strip-components=1"]);
    renameSync(unpacked, folder);
    rmSync(archive);
  }
}

/** Solidity files of a package below the given folders, as source units: `package@version/path`, sorted. */
export function sourceUnits(spec, roots) {
  const folder = spec === OWN ? ownFolder : join(cache, spec);
  return roots
    .flatMap((root) => readdirSync(join(folder, root), { recursive: true }).map((path) => posix.join(spec, root, path)))
    .filter((unit) => unit.endsWith(".sol"))
    .sort();
}

/** What the package says its licence is. */
export function packageLicence(spec) {
  const { license } = JSON.parse(readFileSync(join(cache, spec, "package.json"), "utf8"));
  return license ?? "none named";
}

function read(unit) {
  const own = unit.startsWith(`${OWN}/`);
  const path = own ? join(ownFolder, unit.slice(OWN.length + 1)) : join(cache, unit);
  return existsSync(path) ? readFileSync(path, "utf8") : undefined;
}

/** The unit an import means: the longest prefix of `imports` ({prefix: replacement}) counts, as in the compiler. */
function resolve(from, path, imports) {
  if (path.startsWith(".")) return posix.join(posix.dirname(from), path);
  const prefixes = Object.keys(imports).filter((prefix) => path.startsWith(prefix));
  const [longest] = prefixes.sort((one, other) => other.length - one.length);
  return longest === undefined ? path : imports[longest] + path.slice(longest.length);
}

/** A source with all it imports: {contents: {unit: text}, pragmas, licences}; undefined where something is missing. */
export function closure(unit, imports) {
  const contents = {};
  const pragmas = new Set();
  const licences = new Set();
  const open = [unit];
  while (open.length > 0) {
    const next = open.pop();
    if (next in contents) continue;
    const text = read(next);
    if (text === undefined) return undefined;
    contents[next] = text;
    licences.add(LICENCE.exec(text)?.[1] ?? "");
    const code = text.replace(COMMENTS, (comment) => comment.replace(/[^\n]/g, " "));
    // A comment's // inside a string would cut it short; imports and pragmas stand before any such string.
    for (const [, pragma] of code.matchAll(PRAGMA)) pragmas.add(pragma.trim());
    for (const [, path] of code.matchAll(IMPORT)) open.push(resolve(next, path, imports));
  }
  return { contents, pragmas: [...pragmas], licences: [...licences] };
}
