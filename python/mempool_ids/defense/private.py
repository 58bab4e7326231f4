"""The private ways: bundles to builders and private transactions, off the hot path and beside the public pool."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

import orjson

from mempool_ids import _core
from mempool_ids.defense.action import ActionState
from mempool_ids.defense.alarms import Alarms
from mempool_ids.defense.book import Live
from mempool_ids.defense.broadcast.builders import Builder
from mempool_ids.defense.broadcast.bundle import bundles, cancel, private_transaction
from mempool_ids.defense.broadcast.relays import Relays
from mempool_ids.defense.chain import Chain
from mempool_ids.defense.payer import GAS, Payer
from mempool_ids.exceptions import MempoolIdsError

log = logging.getLogger(__name__)

# Blocks that a private transaction is good for; builders take 25 at the most.
_PRIVATE_BLOCKS = 25


class Private:
    """Offers what is out in public to builders, too, and withdraws it.

    Args:
        sequence: the next number for a builder, from the journal.
        blocks: to come, that bundles are offered for.
        payer: of transfers to builders who rank by them; without one, bids there are fees alone.
        promise: how much of a transfer the caps of a response leave.
    """

    def __init__(
        self,
        relays: Relays,
        builders: Sequence[Builder],
        chain: Chain,
        alarms: Alarms,
        sequence: Callable[[str], Awaitable[int]],
        blocks: int,
        payer: Payer | None,
        promise: Callable[[Live, int, int], int],
    ) -> None:
        self._relays = relays
        self._builders = tuple(builders)
        self._chain = chain
        self._alarms = alarms
        self._sequence = sequence
        self._blocks = blocks
        self._payer = payer
        self._promise = promise
        # Wei, by action and bid: promised once, whatever builder and head it is for.
        self._transfers: dict[tuple[str, str], int] = {}
        # By action: what was offered last, and on which head.
        self._offered: dict[str, tuple[str, int]] = {}

    async def look(self, live: Sequence[Live], head: int) -> None:
        """Offers each response that is out once for each head and each bid; withdraws those that are over."""
        sent = [one for one in live if one.action.state is ActionState.SENT and not one.withdrawn]
        out = {one.action.action_id: one for one in sent if one.last}
        for action_id in [known for known in self._offered if known not in out]:
            _, since = self._offered.pop(action_id)
            for key in [key for key in self._transfers if key[0] == action_id]:
                del self._transfers[key]
            await self._withdraw(action_id, since)
        offers = []
        for action_id, one in out.items():
            last = one.last
            if last is None or one.action.shadow or self._offered.get(action_id) == (last.rung.tx_hash, head):
                continue
            self._offered[action_id] = (last.rung.tx_hash, head)
            offers.append(self._offer(action_id, one, last.rung.raw, head))
        await asyncio.gather(*offers)

    async def _offer(self, action_id: str, live: Live, pause: bytes, head: int) -> None:
        attack_hash = live.action.threats[-1] if live.action.threats else None
        attack = await self._attack(attack_hash)
        bodies: dict[str, list[bytes]] = {}
        for builder in self._builders:
            try:
                tail = await self._tail(builder, live)
                requests = bundles(
                    builder,
                    pause,
                    attack,
                    attack_hash,
                    block=head + 1,
                    replacement=action_id,
                    sequence=await self._sequence(builder.name),
                    blocks=self._blocks,
                    tail=tail,
                )
            except MempoolIdsError as error:
                self._alarms.tell_lasting(f"builder {builder.name}", str(error))
                continue
            single = private_transaction(builder, pause, head + _PRIVATE_BLOCKS)
            bodies[builder.name] = requests if single is None else [*requests, single]
        await self._send(action_id, bodies)

    async def _tail(self, builder: Builder, live: Live) -> list[bytes]:
        """The bid once more, as a transfer, where the builder ranks by that and the caps leave room."""
        payer = self._payer
        if builder.transfer_to is None or payer is None:
            return []
        key = (live.action.action_id, live.last.rung.tx_hash if live.last else "")
        fees = await payer.fees()
        if key not in self._transfers and fees is not None:
            bid = live.wanted_tip * live.cause.pause_gas
            self._transfers[key] = self._promise(live, bid, GAS * fees.max_fee)
        value = self._transfers.get(key, 0)
        transfer = (
            await payer.transfer(builder.transfer_to, value, fees) if value and fees is not None else None
        )
        if transfer is None:
            reason = "its balance, the caps or the base fee leave no room for a transfer"
            self._alarms.tell_lasting(f"payer {payer.signer.address}", reason)
            return []
        return [transfer]

    async def _attack(self, tx_hash: str | None) -> bytes | None:
        """The attack's signed bytes, as a node's pool has them."""
        if tx_hash is None:
            return None
        try:
            known = await self._chain.transaction(tx_hash)
            return None if known is None else _core.encode_transaction(orjson.dumps(known))
        except MempoolIdsError as error:
            log.warning(
                "response to %s: its bytes are not known, so that it is in no bundle: %s", tx_hash, error
            )
            return None

    async def _withdraw(self, action_id: str, head: int) -> None:
        bodies = {
            builder.name: cancel(
                builder,
                block=head + 1,
                replacement=action_id,
                sequence=await self._sequence(builder.name),
                blocks=self._blocks,
            )
            for builder in self._builders
        }
        await self._send(action_id, {name: requests for name, requests in bodies.items() if requests})

    async def _send(self, action_id: str, bodies: dict[str, list[bytes]]) -> None:
        if not bodies:
            return
        for name, answers in (await self._relays.send(bodies)).items():
            refused = [answer for answer in answers if not answer.is_held]
            kind = f"builder {name}"
            if answers and len(refused) == len(answers):
                said = refused[0].message or refused[0].kind
                self._alarms.tell_lasting(kind, f"{name} takes nothing of response {action_id}: {said}")
            else:
                self._alarms.over(kind)

    async def prove(self) -> None:
        """Which builders answer now; asking also keeps a connection to each open."""
        for one in await self._relays.check():
            if one.up:
                self._alarms.over(f"builder {one.builder}")
            else:
                self._alarms.tell_lasting(
                    f"builder {one.builder}", f"{one.builder} does not answer: {one.error}"
                )
