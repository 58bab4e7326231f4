// A node to construct contracts on: what a constructor returns, or why it does not.
import { spawn } from "node:child_process";

const BATCH = 40;

/** Runs anvil ($ANVIL) while `use` does: `use(chain)`, with `chain.request` and `chain.construct`. */
export async function withChain(use) {
  const binary = process.env.ANVIL;
  if (!binary) throw new Error("ANVIL must name the anvil to construct contracts on: make ordinary sets it");
  const node = spawn(binary, ["--host", "127.0.0.1", "--port", "0", "--no-mining", "--hardfork", "prague"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  try {
    return await use(new Chain(`http://${await listening(node)}`));
  } finally {
    node.kill();
  }
}

function listening(node) {
  return new Promise((told, failed) => {
    let said = "";
    node.on("error", failed);
    node.on("exit", () => failed(new Error(`anvil ended: ${said}`)));
    node.stdout.on("data", (data) => {
      said += data;
      const address = /Listening on (127\.0\.0\.1:\d+)/.exec(said)?.[1];
      if (address) told(address);
    });
  });
}

class Chain {
  constructor(url) {
    this.url = url;
  }

  async post(requests) {
    const body = JSON.stringify(requests.map(([method, params], id) => ({ jsonrpc: "2.0", id, method, params })));
    const response = await fetch(this.url, { method: "POST", headers: { "content-type": "application/json" }, body });
    const answers = await response.json();
    return answers.sort((one, other) => one.id - other.id);
  }

  async request(method, ...params) {
    const [{ result, error }] = await this.post([[method, params]]);
    if (error) throw new Error(`${method}: ${error.message}`);
    return result;
  }

  /** For each init code (0x…) `{code}` or `{error}`, in order: nothing is kept on the chain. */
  async construct(from, inits) {
    const results = [];
    for (let at = 0; at < inits.length; at += BATCH) {
      const calls = inits.slice(at, at + BATCH).map((data) => ["eth_call", [{ from, data, gas: "0x1c9c380" }, "latest"]]);
      results.push(...(await this.post(calls)).map(({ result: code, error }) => (error ? { error: error.message } : { code })));
    }
    return results;
  }
}
