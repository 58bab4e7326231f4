"""A mixer small enough to write by hand, and a chain on which it paid somebody."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from mempool_ids import _core
from mempool_ids.demo.node import Node
from mempool_ids.demo.rpc import Rpc

ETHER = 10**18
# Pays all that it has to the address in the calldata: 0 0 0 0 SELFBALANCE CALLDATALOAD(0) GAS CALL STOP.
_RUNTIME = "5f5f5f5f475f355af100"
# As a pool of Tornado Cash of one ether: answers denomination() (four bytes of calldata), else pays as above and logs
# Withdrawal(to, 0, caller, 0).
_WITHDRAWAL = _core.keccak256(b"Withdrawal(address,bytes32,address,uint256)").hex()
_POOL = (
    f"3660041460{60:02x}57"
    "5f5f5f5f475f355af150"
    f"5f355f52337f{_WITHDRAWAL}60605fa200"
    "5b670de0b6b3a76400005f5260205ff3"
)


def creation(runtime: str) -> str:
    """What deploys a contract of up to 255 bytes, and may bring it money."""
    size = len(runtime) // 2
    return f"0x60{size:02x}600a5f3960{size:02x}5ff3{runtime}"


MIXER = creation(_RUNTIME)
POOL = creation(_POOL)
HEADER = "chain_id,address,service,grade,hours\n"


def pays(to: str) -> str:
    """The calldata of a withdrawal."""
    return "0x" + to[2:].rjust(64, "0")


def fresh(number: int) -> str:
    """An address that has no key."""
    return f"0x{0xF0 + number:02x}" + "0" * 36 + f"{number:02x}"


@dataclass(frozen=True)
class Mixed:
    """Who got what: the mixer paid `customer` five ether in a relayer's transaction, a swap paid `swapped` one ether
    straight, and the customer sent two to `friend`, who sent one to `stranger`."""

    chain_id: int
    mixer: str
    swap: str
    relayer: str
    customer: str
    swapped: str
    friend: str
    stranger: str
    blocks: int
    """The last one's number."""

    def config(self, folder: Path, **more: object) -> Path:
        """A configuration that knows both services; the index is in the folder."""
        rows = f"{self.chain_id},{self.mixer},Mixer,high,48\n{self.chain_id},{self.swap},Swap,medium,\n"
        (folder / "sources.csv").write_text(HEADER + rows)
        early = {"sources": "sources.csv", **more}
        lines = [f"{key} = {json.dumps(value)}" for key, value in early.items()]
        path = folder / "ids.toml"
        path.write_text(f"[chain]\nid = {self.chain_id}\n[early]\n" + "\n".join(lines) + "\n")
        return path


async def mix(node: Node) -> Mixed:
    """Makes it happen on anvil, a block each."""
    async with Rpc(node.http_url) as rpc:
        owner, relayer, customer, swap, friend, *_ = await rpc.accounts()

        async def mined(sender: str, to: str | None, data: str = "0x", value: int = 0) -> str:
            sent = await rpc.send(sender, to, data, value=value)
            await rpc.mine()
            receipt = await rpc.receipt(sent, 20)
            assert receipt["status"] == "0x1", receipt
            return str(receipt["contractAddress"] or "").lower()

        mixer = await mined(owner, None, MIXER, 5 * ETHER)
        await mined(relayer, mixer, pays(customer))
        await mined(swap, fresh(1), value=ETHER)
        await mined(customer, friend, value=2 * ETHER)
        await mined(friend, fresh(2), value=ETHER)
        # Dust, and what failed (a contract that has nothing and takes nothing), fund nobody.
        await mined(swap, fresh(3), value=1_000)
        chain_id = int(await rpc.call("eth_chainId"), 16)
        blocks = await rpc.block_number()
        return Mixed(chain_id, mixer, swap, relayer, customer, fresh(1), friend, fresh(2), blocks)
