// ORDINARY.md: what the corpus was built of.
import { OWN, packageLicence } from "./sources.mjs";

function counted(values) {
  const counts = new Map();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].sort(([one], [other]) => (one < other ? -1 : 1));
}

/** The text for `entries` and {reason: what was left out for it}. */
export function report(entries, left) {
  const packages = counted(entries.map(({ spec }) => spec)).map(([spec, count]) => {
    const licences = entries.filter((entry) => entry.spec === spec).flatMap((entry) => entry.licences);
    const named = counted(licences).map(([licence]) => licence);
    const [, name, version] = spec === OWN ? [0, "mempool-ids (contracts/src/ordinary)", ""] : /^(.*)@([^@]*)$/.exec(spec);
    const own = spec === OWN ? "MIT" : packageLicence(spec);
    return `| ${name} | ${version} | ${own} | ${named.join(", ")} | ${count} |`;
  });
  const kinds = counted(entries.map(({ kind }) => kind)).map(([kind, count]) => `${kind} ${count}`);
  const reasons = Object.entries(left).map(([reason, all]) => `- ${all.length}: ${reason}`);
  return `# The corpus of ordinary contracts

\`ordinary.jsonl.gz\` holds ${entries.length} contracts that must raise no alert and no proof, compiled from packages as npm has
them and from \`contracts/src/ordinary\`. \`make ordinary\` builds both files anew (it needs npm and anvil, and takes a
quarter of an hour the first time); \`ordinary.py\` reads them. No two have the same operations.

Compiled code of others' sources is test data here. Sources under the Business Source Licence or without a licence to
use them are left out. The third column is what the package says of itself, the fourth what the compiled files say.

| package | version | licence | of the files | contracts |
|---|---|---|---|---|
${packages.join("\n")}

Kinds, told by name and path: ${kinds.join(", ")}.

Constructor arguments are made up by type and name: addresses are placeholders that tests replace by the monitored
vault, a token and the deployer. Libraries that code is linked to are not there: a call that needs one reverts.

Left out:

${reasons.join("\n")}
`;
}
