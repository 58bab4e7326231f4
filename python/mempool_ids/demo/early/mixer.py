"""The mixer that the attacker's money comes from, and the account that it goes to."""

from __future__ import annotations

import random
from dataclasses import dataclass

from mempool_ids import _core
from mempool_ids.demo.contracts import Deployed, deploy
from mempool_ids.demo.rpc import Rpc
from mempool_ids.demo.scene import ETHER
from mempool_ids.node import RpcError

#: What a note is worth, in wei.
NOTE = 20 * ETHER
_GAS = 120_000


@dataclass(frozen=True)
class Mixer:
    """A mixer that has a note of somebody's: whoever knows its secret has it paid out to an account of their choice."""

    contract: Deployed
    relayer: str
    _secret: int

    @classmethod
    async def build(cls, rpc: Rpc, dice: random.Random, owner: str, customer: str, relayer: str) -> Mixer:
        """Deploys it and lets `customer` put a note in; mines what that takes.

        Raises:
            RpcError: it was not taken.
        """
        contract = await deploy(rpc, "Mixer", owner)
        secret = dice.getrandbits(256)
        commitment = "0x" + _core.keccak256(secret.to_bytes(32)).hex()
        sent = await contract.send(rpc, customer, "deposit(bytes32)", commitment, value=NOTE, gas=_GAS)
        await rpc.mine()
        if (await rpc.receipt(sent, 10))["status"] != "0x1":
            raise RpcError("the mixer took no note")
        return cls(contract, relayer, secret)

    async def pay(self, rpc: Rpc, recipient: str, seconds: float) -> None:
        """The relayer sends the withdrawal, as the recipient has nothing to pay gas with.

        Raises:
            RpcError: it reverted.
            TimeoutError: no block had it within `seconds`.
        """
        sent = await self.contract.send(
            rpc, self.relayer, "withdraw(bytes32,address)", self._secret, recipient, gas=_GAS
        )
        if (await rpc.receipt(sent, seconds))["status"] != "0x1":
            raise RpcError("the mixer paid nothing")

    def row(self, chain_id: int) -> str:
        """Its entry in a list of services (`early.sources`)."""
        return f"{chain_id},{self.contract.address},Demo mixer,high,48"


async def fresh_account(rpc: Rpc, dice: random.Random) -> str:
    """An address without history or money; the node signs for it, as for its own accounts (anvil only)."""
    address = f"0x{dice.getrandbits(160):040x}"
    await rpc.call("anvil_impersonateAccount", address)
    return address
