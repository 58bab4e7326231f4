"""Makes the synthetic sample that `mempool-ids bench` measures with: `python tools/samples.py OUT.jsonl.gz`.

Shapes and their shares imitate a public mempool: transfers of ether, ERC-20 calls, swaps, multicalls, unknown
functions. No transaction here was ever on a chain.
"""

import gzip
import json
import random
import sys
from pathlib import Path

SEED = 22
COUNT = 512


def word(value: int) -> str:
    return f"{value:064x}"


def address(rng: random.Random) -> int:
    return rng.getrandbits(160)


def erc20(rng: random.Random) -> str:
    selector = rng.choice(["a9059cbb", "095ea7b3"])
    amount = (1 << 256) - 1 if rng.random() < 0.2 else rng.getrandbits(80)
    return selector + word(address(rng)) + word(amount)


def swap(rng: random.Random) -> str:
    """swapExactTokensForTokens(uint256,uint256,address[],address,uint256)"""
    hops = [address(rng) for _ in range(rng.randint(2, 4))]
    head = [rng.getrandbits(80), rng.getrandbits(80), 160, address(rng), 1_700_000_000]
    return "38ed1739" + "".join(map(word, head)) + word(len(hops)) + "".join(map(word, hops))


def multicall(rng: random.Random) -> str:
    """multicall(bytes[])"""
    calls = [rng.choice([erc20, swap])(rng) for _ in range(rng.randint(1, 4))]
    bodies, offsets, at = "", "", 32 * len(calls)
    for call in calls:
        padded = call.ljust(-(-len(call) // 64) * 64, "0")
        offsets += word(at)
        bodies += word(len(call) // 2) + padded
        at += 32 + len(padded) // 2
    return "ac9650d8" + word(32) + word(len(calls)) + offsets + bodies


def unknown(rng: random.Random) -> str:
    words = [
        rng.choice([rng.getrandbits(8), address(rng), rng.getrandbits(256)])
        for _ in range(rng.randint(0, 40))
    ]
    return f"{rng.getrandbits(32):08x}" + "".join(map(word, words))


def transaction(rng: random.Random, number: int) -> dict[str, object]:
    calldata = rng.choices([lambda _: "", erc20, swap, multicall, unknown], [0.25, 0.35, 0.15, 0.1, 0.15])[0](
        rng
    )
    fee = rng.randint(1, 60) * 10**9
    return {
        "hash": f"0x{number:064x}",
        "type": "0x2",
        "chainId": "0x1",
        "from": f"0x{address(rng):040x}",
        "to": f"0x{address(rng):040x}",
        "nonce": hex(rng.randint(0, 2000)),
        "gas": hex(rng.randint(21_000, 600_000)),
        "value": hex(rng.getrandbits(62) if not calldata or rng.random() < 0.1 else 0),
        "maxFeePerGas": hex(2 * fee),
        "maxPriorityFeePerGas": hex(fee // 20),
        "input": "0x" + calldata,
        "accessList": [],
        "v": "0x0",
        "r": f"0x{rng.getrandbits(255):x}",
        "s": f"0x{rng.getrandbits(254):x}",
        "timestamp_ms": 1_700_000_000_000 + 90 * number,
    }


def main() -> None:
    rng = random.Random(SEED)
    lines = [json.dumps(transaction(rng, n), separators=(",", ":")) for n in range(1, COUNT + 1)]
    with (
        Path(sys.argv[1]).open("wb") as out,
        gzip.GzipFile(fileobj=out, mode="wb", mtime=0, filename="") as file,
    ):
        file.write(("\n".join(lines) + "\n").encode())


if __name__ == "__main__":
    main()
