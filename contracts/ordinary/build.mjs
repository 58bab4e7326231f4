// Compiles ordinary contracts of well-known packages, constructs each on anvil, and writes those that could be
// constructed as the corpus that must raise no alarm: tests/early/ordinary.jsonl.gz, and ORDINARY.md beside it.
//   ANVIL=… node build.mjs
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { skeleton } from "./bytecode.mjs";
import { withChain } from "./chain.mjs";
import { compile, settingsFor } from "./compile.mjs";
import { PLACEHOLDERS, argumentsFor } from "./constructor.mjs";
import { kindOf } from "./kinds.mjs";
import { report } from "./report.mjs";
import { OWN, closure, fetchPackages, packageLicence, sourceUnits } from "./sources.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const target = join(here, "..", "..", "tests", "early");
const artifacts = join(here, "..", "..", "python", "mempool_ids", "demo", "artifacts");
const CODE_LIMIT = 24_576; // EIP-170
const INIT_LIMIT = 49_152; // EIP-3860
const RESTRICTED = /BUSL|^UNLICENSED$/i;
const CONTRACT = /^\s*contract\s/m; // neither abstract, nor an interface or a library
const NOT_ORDINARY =
  /\/(tests?|mocks?|dev|echidna|script|artifacts)\/|(mock|test|harness|attack|malicious|exploit|reentran|evil|fuzz|echidna|faulty|revert)/i;

/** What is to be compiled, in batches of one package, compiler and settings. */
function plan({ packages, own, imports: everywhere }) {
  const batches = new Map();
  const left = {};
  for (const [spec, recipe] of [[OWN, own], ...Object.entries(packages)]) {
    const imports = { ...everywhere, ...recipe.imports };
    for (const unit of recipe.roots ? sourceUnits(spec, recipe.roots) : []) {
      const leave = (reason) => (left[reason] ??= []).push(unit);
      const path = unit.slice(spec.length);
      if (NOT_ORDINARY.test(path) && spec !== OWN) continue;
      const source = closure(unit, imports);
      if (source === undefined) { leave("imports what is not here"); continue; }
      if (!CONTRACT.test(source.contents[unit])) continue;
      const licences = source.licences.map((licence) => licence || (spec === OWN ? "MIT" : packageLicence(spec)));
      if (licences.some((licence) => RESTRICTED.test(licence))) { leave("licence does not allow"); continue; }
      for (const [variant, optimizer] of (recipe.optimizers ?? [undefined]).entries()) {
        const settings = settingsFor(spec, source.pragmas, variant, optimizer);
        if (settings === undefined) { leave("no compiler here takes it"); continue; }
        const key = `${spec} ${settings.name}`;
        if (!batches.has(key)) batches.set(key, { spec, settings, imports, sources: [] });
        batches.get(key).sources.push({ unit, ...source, licences });
      }
    }
  }
  // Compiler by compiler: each takes hundreds of megabytes once it is loaded.
  return { batches: [...batches.values()].sort((one, other) => (one.settings.name < other.settings.name ? -1 : 1)), left };
}

/** Contracts of a batch: {id, spec, kind, inits}, `inits` being init codes to try. */
function candidates({ spec, settings, imports, sources }, given) {
  const { output, errors } = compile(settings, imports, sources);
  const found = [];
  for (const { unit, licences } of sources) {
    for (const [name, { abi, evm }] of Object.entries(output[unit] ?? {})) {
      if (evm.bytecode.object === "" || NOT_ORDINARY.test(name)) continue;
      const runtime = evm.deployedBytecode.object.length / 2;
      const called = abi.some(({ type }) => ["function", "fallback", "receive"].includes(type));
      if (!called || runtime > CODE_LIMIT) continue; // a library that others inline, or one that no chain takes
      const path = unit.slice(spec.length + 1);
      const id = `${spec === OWN ? OWN : spec.replace(/@(?=[^@]*$)/, ":")}/${path}:${name}@${settings.name}`;
      const kind = spec === OWN ? path.split("/")[0] : kindOf(path, name);
      // Libraries are linked to where nothing is: their code is not what is looked at.
      const code = evm.bytecode.object.replace(/__\$[0-9a-f]{34}\$__/g, PLACEHOLDERS.library);
      const inits = argumentsFor(abi, given[name]).map((encoded) => `0x${code}${encoded}`);
      found.push({ id, spec, kind, licences, inits: inits.filter((init) => init.length / 2 - 1 <= INIT_LIMIT) });
    }
  }
  return { found, errors };
}

async function setStage(chain) {
  const runtime = (name) => JSON.parse(readFileSync(join(artifacts, `${name}.json`), "utf8")).deployedBytecode;
  await chain.request("anvil_setCode", `0x${PLACEHOLDERS.vault}`, runtime("Vault"));
  await chain.request("anvil_setCode", `0x${PLACEHOLDERS.token}`, runtime("Token"));
  await chain.request("anvil_setBalance", `0x${PLACEHOLDERS.deployer}`, "0x56bc75e2d63100000");
}

/** The first init code of a candidate that constructs something, with what; else why none does. */
async function construct(chain, { inits }) {
  const results = await chain.construct(`0x${PLACEHOLDERS.deployer}`, inits);
  const at = results.findIndex(({ code }) => code !== undefined && code !== "0x" && code.length / 2 - 1 <= CODE_LIMIT);
  if (at < 0) return { error: results[0]?.error ?? "returns no code, or too much" };
  return { init: inits[at], code: results[at].code };
}

const count = (text, part) => text.split(part).length - 1;

/** One of each code, in the order of their ids: neighbours are alike, which makes the file small. */
function select(made) {
  const known = new Set();
  return made
    .sort((one, other) => (one.id < other.id ? -1 : 1))
    .filter(({ code }) => {
      const hash = skeleton(code);
      return !known.has(hash) && known.add(hash);
    });
}

function lines(entries) {
  const line = ({ id, kind, init }) => JSON.stringify({ id, kind, init, vault: count(init, PLACEHOLDERS.vault) });
  return entries.map((entry) => `${line(entry)}\n`).join("");
}

const recipes = JSON.parse(readFileSync(join(here, "sources.json"), "utf8"));
fetchPackages(recipes.packages);
const { batches, left } = plan(recipes);
const made = [];
const leave = (reason, what) => (left[reason] ??= []).push(what);
await withChain(async (chain) => {
  await setStage(chain);
  for (const batch of batches) {
    const { found, errors } = candidates(batch, recipes.arguments);
    for (const [unit, error] of Object.entries(errors)) leave("does not compile with what is here", [unit, error]);
    for (const candidate of found) {
      const { init, code, error } = await construct(chain, candidate);
      if (error) leave("its constructor wants more than made-up arguments", [candidate.id, error]);
      else made.push({ ...candidate, init, code });
    }
    console.log(`${batch.spec} with ${batch.settings.name}: ${found.length} contracts`);
  }
});
const entries = select(made);
writeFileSync(join(target, "ordinary.jsonl.gz"), gzipSync(lines(entries), { level: 9 }));
writeFileSync(join(target, "ORDINARY.md"), report(entries, left));
for (const [reason, all] of Object.entries(left)) {
  for (const each of all) console.log(`left out, ${reason}: ${[each].flat().join(": ").split("\n")[0]}`);
}
console.log(`${entries.length} contracts of ${made.length} that can be constructed`);
