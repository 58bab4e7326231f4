// Compiles made-up attack contracts (grammar.mjs), each by one of several compilers with one of several settings, into what
// `mempool-ids model train --early` learns from beside real ones. The same file from the same sources everywhere.
//   npm ci && node build.mjs
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { gzipSync } from "node:zlib";
import { Dice, contract } from "./grammar.mjs";

const require = createRequire(import.meta.url);
const target = new URL("../../python/mempool_ids/model/training/early/made_up.jsonl.gz", import.meta.url);
const CONTRACTS = 250;
const { devDependencies } = JSON.parse(readFileSync(new URL("package.json", import.meta.url), "utf8"));
const compilers = Object.keys(devDependencies);
// From these on the new pipeline (`viaIR`) is more than a trial.
const piped = new Set(["solc-0.8.17", "solc-0.8.23"]);

/** Its init code, or nothing where it does not compile: the grammar knows nothing of types or of the stack's depth. */
function compile(seed) {
  const dice = new Dice(seed * 7919 + 1);
  const content = contract(dice);
  const compiler = dice.pick(compilers);
  const optimizer = { enabled: dice.chance(0.7), runs: dice.pick([1, 200, 200, 200, 999999]) };
  const settings = { optimizer, outputSelection: { "*": { "*": ["evm.bytecode.object"] } } };
  if (piped.has(compiler) && dice.chance(0.25) && optimizer.enabled) settings.viaIR = true;
  const input = { language: "Solidity", sources: { "a.sol": { content } }, settings };
  const output = JSON.parse(require(compiler).compile(JSON.stringify(input)));
  if (output.errors?.some((problem) => problem.severity === "error")) return undefined;
  return { seed, compiler, init: output.contracts["a.sol"].Attack.evm.bytecode.object };
}

const compiled = Array.from({ length: CONTRACTS }, (_, seed) => compile(seed)).filter(Boolean);
const lines = compiled.map((one) => JSON.stringify(one) + "\n").join("");
writeFileSync(target, gzipSync(lines, { level: 9 }));
console.log(`${compiled.length} of ${CONTRACTS} contracts compile`);
