// Which compiler and settings a source gets, and what they make of it.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import semver from "semver";

const load = createRequire(import.meta.url);
// All takes a quarter of an hour: what was compiled once is kept, by what it was compiled from.
const cache = join(dirname(fileURLToPath(import.meta.url)), "node_modules", ".compiled");
const COMPILERS = [
  "0.5.16", "0.6.6", "0.6.12", "0.7.6", "0.8.6", "0.8.10", "0.8.15", "0.8.19", "0.8.24", "0.8.26", "0.8.37",
]; // prettier-ignore
// The newest rules of each compiler, then older ones that chains still have.
const RULES = [
  ["0.8.24", ["cancun"]],
  ["0.8.20", ["shanghai", "paris"]],
  ["0.8.18", ["paris", "london"]],
  ["0.8.7", ["london", "berlin"]],
  ["0.5.14", ["istanbul"]],
];
const OPTIMIZERS = [
  { name: "runs200", optimizer: { enabled: true, runs: 200 } },
  { name: "runs1000000", optimizer: { enabled: true, runs: 1_000_000 } },
  { name: "runs1", optimizer: { enabled: true, runs: 1 } },
  { name: "runs800", optimizer: { enabled: true, runs: 800 } },
  { name: "unoptimized", optimizer: { enabled: false } },
];

/** A number that depends on the text alone: choices vary over the corpus, and are the same at each build. */
export function choice(text, count) {
  return createHash("sha256").update(text).digest().readUInt32BE(0) % count;
}

/** Compiler and settings for a source by its pragmas; undefined where no compiler here takes it.
 *
 * They vary over packages and over the variants of one, not within one variant: so few compilations do for many.
 * Without an optimizer's name the package chooses.
 */
export function settingsFor(spec, pragmas, variant, optimizerName) {
  const fitting = COMPILERS.filter((version) => pragmas.every((pragma) => semver.satisfies(version, pragma)));
  if (fitting.length === 0) return undefined;
  // Sources that allow many were written for the last of them; the oldest seldom take what newer ones import.
  const late = fitting.slice(-3);
  const compiler = late[(choice(`${spec} compiler`, late.length) + variant) % late.length];
  const rules = RULES.find(([since]) => semver.gte(compiler, since))[1];
  const evmVersion = rules[(choice(`${spec} rules`, rules.length) + variant) % rules.length];
  const chosen = optimizerName ?? OPTIMIZERS[choice(`${spec} optimizer`, OPTIMIZERS.length)].name;
  const { name, optimizer } = OPTIMIZERS.find((each) => each.name === chosen);
  return { name: `solc-${compiler}-${evmVersion}-${name}`, compiler, evmVersion, optimizer };
}

/** Compiles sources that have settings, imports and package in common.
 *
 * Returns {unit: {name: contract}} of the units given, and {unit: message} of those that do not compile.
 */
export function compile(settings, imports, sources) {
  const refused = {};
  let left = sources;
  while (left.length > 0) {
    const output = run(settings, imports, left);
    const errors = (output.errors ?? []).filter(({ severity }) => severity === "error");
    if (errors.length === 0) return { output: output.contracts, errors: refused };
    // One source's error leaves the others without output too: once more without those that import it.
    const blamed = new Map(errors.map((error) => [error.sourceLocation?.file, error.formattedMessage]));
    const failing = left.filter(({ contents }) => [...blamed.keys()].some((file) => file in contents));
    const gone = failing.length > 0 ? failing : left;
    for (const { unit } of gone) refused[unit] = errors[0].formattedMessage;
    left = left.filter((source) => !gone.includes(source));
  }
  return { output: {}, errors: refused };
}

function run({ compiler, evmVersion, optimizer }, imports, sources) {
  const contents = Object.assign({}, ...sources.map((source) => source.contents));
  const input = {
    language: "Solidity",
    sources: Object.fromEntries(Object.entries(contents).map(([unit, content]) => [unit, { content }])),
    settings: {
      evmVersion,
      optimizer,
      remappings: Object.entries(imports).map(([prefix, target]) => `${prefix}=${target}`),
      outputSelection: Object.fromEntries(
        sources.map(({ unit }) => [unit, { "*": ["abi", "evm.bytecode.object", "evm.deployedBytecode.object"] }]),
      ),
    },
  };
  const text = JSON.stringify(input);
  const kept = join(cache, createHash("sha256").update(compiler).update(text).digest("hex"));
  if (existsSync(kept)) return JSON.parse(readFileSync(kept, "utf8"));
  const output = load(`solc-${compiler}`).compile(text);
  mkdirSync(cache, { recursive: true });
  writeFileSync(`${kept}.part`, output);
  renameSync(`${kept}.part`, kept);
  return JSON.parse(output);
}
