"""Signs responses before there is anything to respond to: ladders of bids at the guardian's next nonces.

A ladder is signed anew where its contract needs more gas, where the base fee leaves the band that it was made for, and
at each new nonce. Nothing signed may be used before the journal has it on the disk.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from mempool_ids.config.defense import Defense
from mempool_ids.defense.armed import Fees, Kind, Rung
from mempool_ids.defense.broadcast.wire import send_raw_body
from mempool_ids.defense.draft import UNSIGNED, Draft
from mempool_ids.defense.gas import GasStrategy, gas_limit
from mempool_ids.defense.guardian import Guardian, Ladder, Loaded, Protected
from mempool_ids.defense.ladder import Band, band, ladder
from mempool_ids.defense.signers.base import Signer
from mempool_ids.defense.signers.local import LocalSigner
from mempool_ids.defense.transaction import Signed, Transaction

# Signatures asked of a remote signer at a time, and made with a local key before they are journaled.
_AT_ONCE = 8
_LOCAL_PORTION = 512


@dataclass(frozen=True, slots=True)
class Plan:
    """What a contract's ladders are made of."""

    fees: tuple[Fees, ...]
    gas_limit: int
    band: Band

    def fits(self, ladder: Ladder) -> bool:
        """Whether a ladder was made by this plan."""
        made = tuple(loaded.rung.fees for loaded in ladder)
        return made == self.fees and all(loaded.rung.gas_limit == self.gas_limit for loaded in ladder)


class Armory:
    """Keeps one guardian's ladders fresh. Without a signer (shadow mode) they have no bytes, and nothing is journaled.

    Args:
        journaled: returns once rungs are on the disk.
        lock: the trigger's, which takes nonces and ladders on a thread of its own.
    """

    def __init__(
        self,
        config: Defense,
        gas: GasStrategy,
        guardian: Guardian,
        chain_id: int,
        kind: Kind,
        journaled: Callable[[list[Rung]], Awaitable[None]],
        lock: AbstractContextManager[Any],
    ) -> None:
        self._config = config
        self._gas = gas
        self._guardian = guardian
        self._chain_id = chain_id
        self._kind = kind
        self._journaled = journaled
        self._lock = lock
        self._plans: dict[str, Plan] = {}
        self._busy = asyncio.Lock()
        self.signed = 0

    def plan(self, target: str) -> Plan | None:
        return self._plans.get(target)

    async def refresh(
        self, targets: Iterable[Protected], needs: Mapping[str, int], base_fee: int
    ) -> list[str]:
        """Signs what is missing or out of date.

        Args:
            targets: what is to be armed.
            needs: simulated gas of each pause, by contract. Without one, and without a configured limit, it is left
                out.
            base_fee: of the next block, wei a gas.

        Returns:
            Why a contract is not armed, one line each.

        Raises:
            SignerError: the signer does not sign; what was armed before stays.
            JournalError: what was signed could not be journaled, so that it may not be used.
        """
        async with self._busy:
            return await self._refresh(list(targets), needs, base_fee)

    async def _refresh(
        self, targets: Sequence[Protected], needs: Mapping[str, int], base_fee: int
    ) -> list[str]:
        problems: list[str] = []
        wanted: list[tuple[Protected, int, Plan]] = []
        for target in targets:
            plan = self._planned(target, needs.get(target.name), base_fee)
            if plan is None:
                problems.append(
                    f"{target.name}: the gas that its pause needs is not known: it fails, or nobody answers. "
                    "`mempool-ids check` says which"
                )
                continue
            if not plan.fees:
                problems.append(f"{target.name}: not even the lowest bid is within the caps at this base fee")
                continue
            wanted += [(target, nonce, plan) for nonce in self._nonces(target, plan)]
        signer = self._guardian.signer
        if signer is None:
            self._load(_ladders([one.signed(UNSIGNED) for one in self._drafts(wanted)]))
            return problems
        # The next nonce first, for every contract: what matters most is armed soonest.
        wanted.sort(key=lambda one: one[1])
        await self._sign_all(signer, wanted)
        return problems

    def _planned(self, target: Protected, need: int | None, base_fee: int) -> Plan | None:
        old = self._plans.get(target.name)
        if need is None and target.gas is None:
            return old
        limit = gas_limit(need or 0, target.gas)
        # A limit that does for the present need stays: simulations of two blocks rarely differ by nothing.
        enough = old is not None and (target.gas is not None or limit <= old.gas_limit <= 2 * limit)
        if old is not None and enough and base_fee in old.band:
            return old
        fees = ladder(base_fee, limit, self._gas, rungs=self._config.rungs, kind=self._kind)
        self._plans[target.name] = Plan(fees, limit, band(base_fee))
        return self._plans[target.name]

    def is_short(self) -> bool:
        """Whether fewer free nonces are armed than there should be: some were just taken."""
        guardian = self._guardian
        last = guardian.next_nonce() + self._config.nonces - 1
        return any(
            target in self._plans and last not in by_nonce for target, by_nonce in guardian.ladders.items()
        )

    def _nonces(self, target: Protected, plan: Plan) -> list[int]:
        """Those whose ladder is missing, or of another plan: also where signing it failed before. Taken ones too: they
        may be bid more for, or become free."""
        guardian = self._guardian
        there = guardian.ladders.get(target.name, {})
        with self._lock:
            taken = tuple(guardian.taken)
        free = self._config.nonces + sum(nonce >= guardian.latest for nonce in taken)
        window = range(guardian.latest, guardian.latest + free)
        return [nonce for nonce in window if not plan.fits(there.get(nonce, ()))]

    async def _sign_all(self, signer: Signer, wanted: Sequence[tuple[Protected, int, Plan]]) -> None:
        """In portions: each may be used as soon as it is journaled."""
        portion = max(1, _LOCAL_PORTION // self._config.rungs) if isinstance(signer, LocalSigner) else 1
        for start in range(0, len(wanted), portion):
            drafts = list(self._drafts(wanted[start : start + portion]))
            signed = await sign_all(signer, [draft.transaction() for draft in drafts])
            rungs = [draft.signed(its) for draft, its in zip(drafts, signed, strict=True)]
            await self._journaled(rungs)
            self.signed += len(rungs)
            self._load(_ladders(rungs))

    def _load(self, ladders: Mapping[str, Mapping[int, Ladder]]) -> None:
        with self._lock:
            self._guardian.load(ladders)

    def _drafts(self, wanted: Iterable[tuple[Protected, int, Plan]]) -> Iterator[Draft]:
        """Every rung of every ladder."""
        for target, nonce, plan in wanted:
            for rung, fees in enumerate(plan.fees):
                yield Draft(
                    chain_id=self._chain_id,
                    kind=self._kind,
                    address=self._guardian.address,
                    nonce=nonce,
                    call=target.call,
                    gas_limit=plan.gas_limit,
                    fees=fees,
                    target=target.name,
                    rung=rung,
                )


async def sign_all(signer: Signer, transactions: Sequence[Transaction]) -> list[Signed]:
    """In order. A local key is arithmetic, which belongs off the loop; others are asked for several at a time.

    Raises:
        SignerError: one was not signed.
    """
    if isinstance(signer, LocalSigner):
        return await asyncio.to_thread(lambda: [signer.sign_now(one) for one in transactions])
    room = asyncio.Semaphore(_AT_ONCE)

    async def one(transaction: Transaction) -> Signed:
        async with room:
            return await signer.sign(transaction)

    return list(await asyncio.gather(*map(one, transactions)))


def load(rungs: Iterable[Rung]) -> list[Loaded]:
    """With the requests that send them."""
    return [Loaded(rung, send_raw_body(rung.raw, number)) for number, rung in enumerate(rungs, 1)]


def _ladders(rungs: Sequence[Rung]) -> dict[str, dict[int, Ladder]]:
    found: dict[str, dict[int, list[Loaded]]] = {}
    for loaded in load(rungs):
        rung = loaded.rung
        found.setdefault(rung.target, {}).setdefault(rung.nonce, []).append(loaded)
    return {
        target: {
            nonce: tuple(sorted(some, key=lambda one: one.rung.rung)) for nonce, some in by_nonce.items()
        }
        for target, by_nonce in found.items()
    }
