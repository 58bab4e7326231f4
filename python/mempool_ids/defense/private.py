"""The private ways: bundles to builders and private transactions, off the hot path and beside the public pool."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import orjson

from mempool_ids import _core
from mempool_ids.defense.action import ActionState
from mempool_ids.defense.alarms import Alarms
from mempool_ids.defense.book import Live
from mempool_ids.defense.broadcast.builders import Builder
from mempool_ids.defense.broadcast.bundle import bundles, cancel, private_transaction
from mempool_ids.defense.broadcast.relays import Relays
from mempool_ids.defense.broadcast.replies import Answer
from mempool_ids.defense.chain import Chain
from mempool_ids.defense.draft import TRANSFER_GAS
from mempool_ids.defense.guardian import Loaded
from mempool_ids.defense.payer import Payer

log = logging.getLogger(__name__)

# Blocks that a private transaction is good for; builders take 25 at the most.
_PRIVATE_BLOCKS = 25
# How long the attack's bytes and a transfer to a builder are waited for: as long as a builder's answer.
_MORE_S = 2.0
# Offers of one bid that may be under way at a time, on heads that come faster than builders answer.
_UNDER_WAY = 32


@dataclass(frozen=True, slots=True, eq=False)
class _Offer:
    """What builders are to have on a head."""

    loaded: Loaded
    live: Live | None
    """The response whose pause it is; None for a transfer to oneself, which nothing makes worth more."""
    attack: str | None
    """Hash of the last threat that it answers."""
    head: int
    is_over: bool = False
    """They are to have it no more."""

    def is_bid_of(self, other: _Offer) -> bool:
        return self.loaded is other.loaded and not (self.is_over or other.is_over)


@dataclass(slots=True)
class _Line:
    """Offers that go by one name."""

    newest: _Offer
    turns: Mapping[str, asyncio.Lock]
    """By builder: what went out before is answered first, or would arrive later and stand."""
    under_way: int = 0


class Private:
    """Offers to builders what goes out: pauses, and the transfers to oneself that take them back or fill a gap before
    them. Withdraws what is over.

    Args:
        sequences: numbers for each builder that grow, also over a restart.
        blocks: to come, that bundles are offered for.
        payer: of transfers to builders who rank by them; without one, bids there are fees alone.
        promise: how much of a transfer the caps of a response leave.
        transfers: to oneself, of a response, that are to be mined.
    """

    def __init__(
        self,
        relays: Relays,
        builders: Sequence[Builder],
        chain: Chain,
        alarms: Alarms,
        sequences: Mapping[str, Iterator[int]],
        blocks: int,
        payer: Payer | None,
        promise: Callable[[Live, int, int], int],
        transfers: Callable[[Live], Sequence[Loaded]],
    ) -> None:
        self._relays = relays
        self._builders = tuple(builders)
        self._chain = chain
        self._alarms = alarms
        self._sequences = sequences
        self._blocks = blocks
        self._payer = payer
        self._promise = promise
        self._transfers = transfers
        self._lines: dict[str, _Line] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def look(self, live: Sequence[Live], head: int) -> None:
        """Begins to offer each response that is out, once for each head and each bid, and to withdraw those that are
        over. None waits for another."""
        wanted = {name: offer for one in live for name, offer in self._wanted(one, head)}
        for name, offer in wanted.items():
            self._offer(name, offer)
        for name in [name for name in self._lines if name not in wanted]:
            line = self._lines[name]
            if not line.newest.is_over:
                self._begin(name, line, replace(line.newest, is_over=True))
            elif not line.under_way:
                del self._lines[name]

    def _wanted(self, live: Live, head: int) -> Iterator[tuple[str, _Offer]]:
        """What of a response is to be mined, each by a name of its own."""
        action, last = live.action, live.last
        if action.shadow:
            return
        is_out = action.state is ActionState.SENT and not (live.withdrawn or live.is_stale)
        if last is not None and is_out:
            yield action.action_id, _Offer(last, live, action.threats[-1] if action.threats else None, head)
        # Where nothing goes to the public pool, nobody else has them: the nonce would stay in the way of all others.
        for transfer in self._transfers(live):
            guardian, nonce = transfer.rung.key
            yield f"{action.action_id}/{guardian}/{nonce}", _Offer(transfer, None, None, head)

    async def close(self) -> None:
        """What is under way ends."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _offer(self, name: str, offer: _Offer) -> None:
        line = self._lines.get(name)
        if line is None:
            turns = {builder.name: asyncio.Lock() for builder in self._builders}
            line = self._lines[name] = _Line(offer, turns)
        elif offer.is_bid_of(line.newest) and (
            offer.head == line.newest.head or line.under_way >= _UNDER_WAY
        ):
            return
        self._begin(name, line, offer)

    def _begin(self, name: str, line: _Line, offer: _Offer) -> None:
        line.newest = offer
        line.under_way += 1
        task = asyncio.create_task(self._bring(name, line, offer), name=f"defense-offer-{name}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _bring(self, name: str, line: _Line, offer: _Offer) -> None:
        """To every builder. No builder waits for another, and no pause for what makes it worth more."""
        try:
            async with asyncio.TaskGroup() as group:
                attack = group.create_task(self._attack(offer))
                for builder in self._builders:
                    more = asyncio.gather(attack, group.create_task(self._tail(builder, offer)))
                    group.create_task(self._bring_to(builder, name, line, offer, more))
        finally:
            line.under_way -= 1

    async def _bring_to(
        self,
        builder: Builder,
        name: str,
        line: _Line,
        offer: _Offer,
        more: asyncio.Future[tuple[bytes | None, list[bytes]]],
    ) -> None:
        try:
            async with line.turns[builder.name]:
                if offer is not line.newest:
                    return
                first = (
                    self._withdrawal(builder, name, offer)
                    if offer.is_over
                    else self._pause(builder, name, offer)
                )
                self._tell(builder, name, await self._send(builder, first))
            attack, tail = await more
            async with line.turns[builder.name]:
                # On a head that came meanwhile it is worth as much.
                if offer.is_bid_of(line.newest) and offer.attack == line.newest.attack:
                    await self._send(builder, self._more(builder, name, offer, attack, tail))
        except Exception as error:
            log.exception("response %s: %s", name, builder.name)
            reason = f"response {name} is not offered to {builder.name}: {type(error).__name__}: {error}"
            self._alarms.tell_lasting("builder", reason, builder.name)

    def _pause(self, builder: Builder, name: str, offer: _Offer) -> list[bytes]:
        """What needs nothing but the pause. It goes first."""
        raw = offer.loaded.rung.raw
        single = private_transaction(builder, raw, offer.head + _PRIVATE_BLOCKS)
        requests = bundles(
            builder,
            raw,
            None,
            None,
            block=offer.head + 1,
            replacement=name,
            sequence=next(self._sequences[builder.name]),
            blocks=self._blocks,
        )
        return requests if single is None else [single, *requests]

    def _more(
        self, builder: Builder, name: str, offer: _Offer, attack: bytes | None, tail: Sequence[bytes]
    ) -> list[bytes]:
        """The same bundles with a transfer, and those with the attack."""
        return bundles(
            builder,
            offer.loaded.rung.raw,
            attack,
            offer.attack,
            block=offer.head + 1,
            replacement=name,
            sequence=next(self._sequences[builder.name]),
            blocks=self._blocks,
            tail=tail,
            only_attack=not tail,
        )

    def _withdrawal(self, builder: Builder, name: str, offer: _Offer) -> list[bytes]:
        return cancel(
            builder,
            block=offer.head + 1,
            replacement=name,
            sequence=next(self._sequences[builder.name]),
            blocks=self._blocks,
        )

    async def _tail(self, builder: Builder, offer: _Offer) -> list[bytes]:
        """The bid once more, as a transfer, where the builder ranks by that and the caps leave room. Whatever is wrong
        with the payer, the pause is offered without it."""
        payer, live = self._payer, offer.live
        if builder.transfer_to is None or payer is None or live is None or offer.is_over:
            return []
        reason = "its balance, the caps or the base fee leave no room for a transfer"
        transfer = None
        try:
            async with asyncio.timeout(_MORE_S):
                fees = await payer.fees()
                if fees is not None:
                    bid = live.wanted_tip * live.cause.pause_gas
                    value = self._promise(live, bid, TRANSFER_GAS * fees.max_fee)
                    if value:
                        transfer = await payer.transfer(builder.transfer_to, value, fees, live.target.name)
        except TimeoutError:
            reason = f"no transfer within {_MORE_S:g} s: a node, the signer or the disk is slow"
        except Exception as error:
            reason = str(error) or type(error).__name__
        if transfer is None:
            self._alarms.tell_lasting("payer", reason, payer.signer.address)
            return []
        return [transfer]

    async def _attack(self, offer: _Offer) -> bytes | None:
        """The attack's signed bytes, as a node's pool has them."""
        if offer.attack is None or offer.is_over:
            return None
        try:
            async with asyncio.timeout(_MORE_S):
                known = await self._chain.transaction(offer.attack)
            return None if known is None else _core.encode_transaction(orjson.dumps(known))
        except Exception as error:
            # Whatever it is: it must not take the pause with it.
            log.warning(
                "response to %s: its bytes are not known, so that it is in no bundle: %s",
                offer.attack,
                str(error) or type(error).__name__,
            )
            return None

    async def _send(self, builder: Builder, requests: Sequence[bytes]) -> tuple[Answer, ...]:
        return (await self._relays.send({builder.name: requests}))[builder.name]

    def _tell(self, builder: Builder, name: str, answers: Sequence[Answer]) -> None:
        """An alarm where it takes nothing at all."""
        refused = [answer for answer in answers if not answer.is_held]
        if answers and len(refused) == len(answers):
            said = refused[0].message or refused[0].kind
            reason = f"{builder.name} takes nothing of response {name}: {said}"
            self._alarms.tell_lasting("builder", reason, builder.name)
        elif answers:
            self._alarms.over("builder", builder.name)

    async def prove(self) -> None:
        """Which builders answer now; asking also keeps a connection to each open."""
        for one in await self._relays.check():
            if one.up:
                self._alarms.over("builder", one.builder)
            else:
                reason = f"{one.builder} does not answer: {one.error}"
                self._alarms.tell_lasting("builder", reason, one.builder)
