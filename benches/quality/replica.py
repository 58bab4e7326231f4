"""A node on the state that an attack met."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benches.quality.plan import Case, Change, Plan, Transaction
from benches.quality.state import HISTORY, State
from mempool_ids.demo.anvil import Anvil, AnvilOptions
from mempool_ids.demo.node import Node
from mempool_ids.demo.rpc import Rpc
from mempool_ids.node import RpcError

GWEI = 10**9
_BLOCK_SECONDS = 12
_MINED_SECONDS = 20.0


class CaseError(Exception):
    """A case does not do on the chain what it is said to do."""


class Replica(Anvil):
    """Begins `HISTORY` blocks and those of `earlier` transactions before; `folder` has its genesis."""

    def __init__(self, binary: Path, state: State, folder: Path, earlier: int) -> None:
        blocks = HISTORY + earlier
        # Time runs on while the first blocks are mined.
        begins = state.timestamp - (blocks + 1) * _BLOCK_SECONDS
        genesis = folder / "genesis.json"
        genesis.write_text(json.dumps(state.genesis() | {"timestamp": hex(begins)}))
        options = AnvilOptions(accounts=0, chain_id=state.chain_id, timestamp=begins, hardfork=state.hardfork)
        own = ["--init", str(genesis), "--number", str(state.number - blocks)]
        limits = ["--gas-limit", str(state.gas_limit), "--disable-code-size-limit"]
        Node.__init__(self, binary, [*options.arguments(), *own, *limits])


class Chain:
    """What a plan needs of its node."""

    def __init__(self, rpc: Rpc, state: State) -> None:
        self.rpc = rpc
        self._state = state
        #: Wei per gas that each transaction offers: the next blocks take it.
        self.gas_price = 2 * state.base_fee + 2 * GWEI

    async def prepare(self, plan: Plan) -> None:
        """The blocks up to the recorded one, the last of them with what the plan sends before its cases."""
        await self.rpc.call("anvil_mine", hex(HISTORY - 1), hex(_BLOCK_SECONDS))
        count = len(plan.earlier)
        await self._mine(-count)
        sent = []
        for at, transaction in enumerate(plan.earlier):
            sent.append(await self.send(transaction))
            await self._mine(at + 1 - count)
        for at, tx_hash in enumerate(sent):
            await self._succeeded(tx_hash, f"what comes before the cases, transaction {at}")

    async def send(self, transaction: Transaction) -> str:
        """Pending from then on; its hash."""
        fields: dict[str, Any] = {
            "chainId": self._state.chain_id,
            "nonce": transaction.nonce,
            "data": transaction.data,
            "value": transaction.value,
            "gas": transaction.gas,
            "gasPrice": self.gas_price,
        }
        if transaction.to is not None:
            fields["to"] = bytes.fromhex(transaction.to[2:])
        signed = transaction.sender.key.sign_transaction(fields)
        tx_hash: str = await self.rpc.call("eth_sendRawTransaction", "0x" + signed.raw_transaction.hex())
        return tx_hash

    async def drop(self, tx_hash: str) -> None:
        """Forgets a pending transaction."""
        await self.rpc.call("anvil_dropTransaction", tx_hash)

    async def play(self, case: Case) -> int:
        """Mines the case, holds what it did against what it says, and undoes it.

        Returns how many slots it read that the data does not have: what was not read then was served as zero.

        Raises:
            CaseError: a transaction failed, or a change did not come about.
        """
        snapshot = await self.rpc.call("evm_snapshot")
        try:
            return await self._play(case)
        finally:
            await self.rpc.call("evm_revert", snapshot)

    async def _play(self, case: Case) -> int:
        before = [await self._read(change) for change in case.changes]
        sent = [await self.send(transaction) for transaction in case.transactions]
        await self._mine(1)
        later = [await self.send(transaction) for transaction in case.after]
        if later:
            await self._mine(2)
        for at, tx_hash in enumerate(sent + later):
            await self._succeeded(tx_hash, f"{case.name}, transaction {at}")
        for change, then in zip(case.changes, before, strict=True):
            now = await self._read(change)
            if not change.holds(then, now):
                raise CaseError(
                    f"{case.name}: {change.what} was {then}, is {now}, a change of {change.least} is due"
                )
        return len({slot for tx_hash in sent for slot in await self._unknown(tx_hash)})

    async def _mine(self, block: int) -> None:
        """`block` is counted from the recorded one."""
        await self.rpc.call("evm_setNextBlockTimestamp", self._state.timestamp + block * _BLOCK_SECONDS)
        if self._state.base_fee:
            await self.rpc.call("anvil_setNextBlockBaseFeePerGas", hex(self._state.base_fee))
        await self.rpc.mine()

    async def _succeeded(self, tx_hash: str, what: str) -> None:
        receipt = await self.rpc.receipt(tx_hash, _MINED_SECONDS)
        if receipt["status"] != "0x1":
            raise CaseError(f"{what} failed: {await self._why(tx_hash)}")

    async def _why(self, tx_hash: str) -> str:
        """The innermost call that failed."""
        call = await self.rpc.call("debug_traceTransaction", tx_hash, {"tracer": "callTracer"})
        path = []
        while call is not None:
            said = call.get("revertReason") or call.get("output") or ""
            path.append(f"{call.get('to')} {call['input'][:10]} {call.get('error')} {said[:200]}")
            call = next((inner for inner in reversed(call.get("calls", ())) if inner.get("error")), None)
        return "\n  ".join(path)

    async def _read(self, change: Change) -> int:
        if change.data is None:
            return await self.rpc.balance(change.account)
        request = {"to": change.account, "data": "0x" + change.data.hex()}
        try:
            answer = str(await self.rpc.call("eth_call", request, "latest"))
        except RpcError as error:
            raise CaseError(f"{change.what} of {change.account}: {error}") from error
        return int(answer[:66], 16) if len(answer) >= 66 else 0

    async def _unknown(self, tx_hash: str) -> set[tuple[str, str]]:
        read = await self.rpc.call("debug_traceTransaction", tx_hash, {"tracer": "prestateTracer"})
        known = self._state.storage
        return {
            (address, slot)
            for address, account in read.items()
            if address in self._state.accounts
            for slot in account.get("storage", {})
            if slot not in known.get(address, {})
        }
