// Arguments for constructors: by the parameters' types and names, likely ones first.
import { AbiCoder } from "ethers";

/** What stands for addresses that tests choose; each 20 bytes, found nowhere else. */
export const PLACEHOLDERS = {
  vault: "76617a756c7476617a756c7476617a756c740001",
  token: "76617a756c7476617a756c7476617a756c740002",
  deployer: "76617a756c7476617a756c7476617a756c740003",
  library: "76617a756c7476617a756c7476617a756c740004",
};
const OWNERS = /owner|admin|governor|governance|guardian|keeper|operator|treasury|fee(to|recipient|collector)|beneficiar|signer|minter|manager|trustee|receiver|recipient|proposer|executor|payee|account|multisig|arbitrator|setter|dev|relayer|authority|registrar$|controller/i;
const TOKENS = /token|asset|underlying|weth|wnative|wrappednative|native|erc20|erc721|currency|collateral|reward|link|usd|dai|stake$|coin/i;
const SMALL = [
  [/decimals/i, 18n],
  [/threshold|quorum|required|confirm|minsign|count|number|index/i, 1n],
  [/fee|bps|percent|rate|ratio|factor/i, 30n],
  [/delay|period|duration|timeout|interval|window|lock|grace|heartbeat|expir/i, 86_400n],
  [/start/i, 2_000_000_000n],
  [/deadline|end|time|until|cliff|vest/i, 2_100_000_000n],
  [/chain|eid|domain|version|selector/i, 1n],
];
const NO_NAMES = { address: "given", uint: "given", arrays: 1 };
/** How else to fill parameters where the names' way is refused, one change at a time and then together. */
const WAYS = [
  NO_NAMES,
  { ...NO_NAMES, address: "token" },
  { ...NO_NAMES, address: "vault" },
  { ...NO_NAMES, address: "deployer" },
  { ...NO_NAMES, uint: 1n },
  { ...NO_NAMES, uint: 0n },
  { ...NO_NAMES, arrays: 0 },
  { address: "token", uint: 1n, arrays: 1 },
  { address: "deployer", uint: 0n, arrays: 0 },
  { address: "vault", uint: 1n, arrays: 0 },
  { ...NO_NAMES, uint: 500n },
  { ...NO_NAMES, uint: 86_400n },
];

function addressFor(name, way) {
  if (way.address !== "given") return way.address;
  // "tokenVault" is a vault, "vaultOwner" an owner.
  if (/vault|pool$|strategy/i.test(name)) return /owner|admin/i.test(name) ? "deployer" : "vault";
  if (TOKENS.test(name)) return "token";
  return OWNERS.test(name) ? "deployer" : "vault";
}

function numberFor(name, bits, way) {
  const named = SMALL.find(([pattern]) => pattern.test(name))?.[1];
  const wanted = way.uint === "given" ? (named ?? 10n ** 18n) : way.uint;
  // An enumeration is a uint8 too: its second value, where the name tells nothing.
  if (bits === 8 && named === undefined) return way.uint === "given" ? 1n : wanted < 2n ? wanted : 1n;
  const most = 2n ** BigInt(bits - 1) - 1n;
  return wanted < most ? wanted : most;
}

function valueFor({ name, type, components, internalType = "" }, way) {
  const array = /^(.*)\[(\d*)\]$/.exec(type);
  if (array) {
    const length = array[2] === "" ? way.arrays : Number(array[2]);
    return Array.from({ length }, () => valueFor({ name, type: array[1], components, internalType }, way));
  }
  if (type === "tuple") return components.map((component) => valueFor(component, way));
  if (type === "address") {
    // A contract's type tells more than a parameter's name does.
    const typed = /^contract I?(\w+)/.exec(internalType)?.[1] ?? "";
    return `0x${PLACEHOLDERS[addressFor(/ERC20|WETH|ERC721|Token/.test(typed) ? "token" : name, way)]}`;
  }
  if (type === "bool") return false;
  if (type === "string") return "Ordinary";
  if (type === "bytes" || type === "function") return "0x";
  const number = /^u?int(\d+)$/.exec(type);
  if (number) return numberFor(name, Number(number[1]), way);
  const bytes = /^bytes(\d+)$/.exec(type);
  if (bytes) return `0x${"11".repeat(Number(bytes[1]))}`;
  throw new Error(`no argument for a parameter of type ${type}`);
}

/** Encoded arguments to try, in order and each once; hex without 0x. `given` are values to take instead, by name. */
export function argumentsFor(abi, given = {}) {
  const inputs = abi.find(({ type }) => type === "constructor")?.inputs ?? [];
  if (inputs.length === 0) return [""];
  const coder = AbiCoder.defaultAbiCoder();
  const encoded = WAYS.map((way) =>
    coder.encode(inputs, inputs.map((input) => given[input.name] ?? valueFor(input, way))).slice(2),
  );
  return [...new Set(encoded)];
}
