// Compiles src/**/*.sol and writes one artifact a contract, which is its only home: of the demo and of the defense into the
// Python package, of the tests' scenarios and stages beside the tests, of the benches beside the benches.
//   node build.mjs           write the artifacts
//   node build.mjs --check   write nothing; fail if they are not what the sources compile to
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import solc from "solc";

const here = dirname(fileURLToPath(import.meta.url));
const sourceDir = join(here, "src");
const artifactDirs = {
  ".": join(here, "..", "python", "mempool_ids", "demo", "artifacts"),
  scenarios: join(here, "..", "tests", "scenarios", "artifacts"),
  defense: join(here, "..", "python", "mempool_ids", "defense", "artifacts"),
  "defense/stages": join(here, "..", "tests", "defense", "artifacts"),
  incidents: join(here, "..", "benches", "quality", "artifacts"),
  early: join(here, "..", "tests", "early", "artifacts"),
};
// What runs on the state of old blocks runs by their rules.
const evmVersions = { incidents: "london" };
const newest = "cancun";
// Of others, as npm has them: what guardians act through, for the tests alone.
const foreign = {
  "@openzeppelin/contracts/access/manager/AccessManager.sol": "AccessManager",
  "@safe-global/safe-smart-account/contracts/Safe.sol": "Safe",
  "@safe-global/safe-smart-account/contracts/proxies/SafeProxy.sol": "SafeProxy",
};
const foreignHome = "defense/stages";

function modulePath(name) {
  return join(here, "node_modules", name);
}

function compile() {
  const folders = Object.keys(artifactDirs);
  const artifacts = Object.fromEntries(folders.map((folder) => [folder, new Map()]));
  const versionOf = (folder) => evmVersions[folder] ?? newest;
  for (const evmVersion of new Set(folders.map(versionOf))) {
    compileFor(evmVersion, folders.filter((folder) => versionOf(folder) === evmVersion), artifacts);
  }
  return artifacts;
}

function compileFor(evmVersion, folders, artifacts) {
  const names = folders
    .flatMap((folder) => readdirSync(join(sourceDir, folder)).map((name) => join(folder, name)))
    .filter((name) => name.endsWith(".sol"))
    .sort();
  const own = names.map((name) => [name, { content: readFileSync(join(sourceDir, name), "utf8") }]);
  const modules = folders.includes(foreignHome) ? Object.keys(foreign) : [];
  const others = modules.map((name) => [name, { content: readFileSync(modulePath(name), "utf8") }]);
  const input = {
    language: "Solidity",
    sources: Object.fromEntries([...own, ...others]),
    settings: {
      evmVersion,
      optimizer: { enabled: true, runs: 200 },
      outputSelection: {
        "*": { "*": ["abi", "evm.bytecode.object", "evm.deployedBytecode.object", "evm.methodIdentifiers"] },
      },
    },
  };
  const imported = (path) => ({ contents: readFileSync(modulePath(path), "utf8") });
  const output = JSON.parse(solc.compile(JSON.stringify(input), { import: imported }));
  const problems = (output.errors ?? []).filter(
    (problem) =>
      problem.severity === "error" ||
      // What the compiler thinks of others' sources is theirs to read.
      (problem.severity !== "info" && !problem.sourceLocation?.file.startsWith("@")),
  );
  if (problems.length > 0) {
    throw new Error(problems.map((problem) => problem.formattedMessage).join("\n"));
  }
  for (const [source, contracts] of Object.entries(output.contracts)) {
    for (const [name, contract] of Object.entries(contracts)) {
      if (contract.evm.bytecode.object === "") continue; // an interface, or abstract
      const folder = foreign[source] === name ? foreignHome : dirname(source);
      if (!(folder in artifacts)) continue; // what others' contracts are made of
      const artifact = {
        contract: name,
        source: foreign[source] === name ? source : `contracts/src/${source}`,
        compiler: solc.version(),
        evmVersion,
        abi: contract.abi,
        selectors: contract.evm.methodIdentifiers,
        bytecode: `0x${contract.evm.bytecode.object}`,
        deployedBytecode: `0x${contract.evm.deployedBytecode.object}`,
      };
      artifacts[folder].set(`${name}.json`, `${JSON.stringify(artifact, null, 1)}\n`);
    }
  }
}

function differences(artifactDir, artifacts) {
  const present = new Set(readdirSync(artifactDir).filter((name) => name.endsWith(".json")));
  const found = [];
  for (const [name, text] of artifacts) {
    if (!present.delete(name)) found.push(`${name}: missing`);
    else if (readFileSync(join(artifactDir, name), "utf8") !== text) found.push(`${name}: differs from its source`);
  }
  return [...found, ...[...present].map((name) => `${name}: has no source`)];
}

function write(artifactDir, artifacts) {
  rmSync(artifactDir, { recursive: true, force: true });
  mkdirSync(artifactDir, { recursive: true });
  for (const [name, text] of artifacts) writeFileSync(join(artifactDir, name), text);
}

const compiled = compile();
const check = process.argv.includes("--check");
for (const [folder, artifacts] of Object.entries(compiled)) {
  const artifactDir = artifactDirs[folder];
  if (check) {
    const found = differences(artifactDir, artifacts);
    if (found.length > 0) {
      console.error(`Contract artifacts are stale; run "make contracts":\n  ${found.join("\n  ")}`);
      process.exit(1);
    }
    console.log(`${artifacts.size} contract artifacts match their sources`);
  } else {
    write(artifactDir, artifacts);
    console.log(`wrote ${[...artifacts.keys()].join(", ")}`);
  }
}
