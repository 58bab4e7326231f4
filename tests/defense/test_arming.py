"""Ladders are fresh: whatever failed meanwhile, the next round makes up for it."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import orjson
import pytest

from mempool_ids import _core
from mempool_ids.config.defense import Defense, EnvironmentSigner
from mempool_ids.config.values import Secret
from mempool_ids.defense.armed import Call, Rung
from mempool_ids.defense.arming import Armory
from mempool_ids.defense.gas import GasStrategy
from mempool_ids.defense.guardian import Guardian, Protected
from mempool_ids.defense.journal import JournalError
from mempool_ids.defense.signers import signer
from tests.defense.races import GWEI, key

VARIABLE = "MEMPOOL_IDS_TEST_ARMING"
VAULT = Protected("Vault", "0x" + "11" * 20, Call("0x" + "11" * 20, bytes.fromhex("8456cb59")), None, None)
POOL = Protected("Pool", "0x" + "22" * 20, Call("0x" + "22" * 20, bytes.fromhex("8456cb59")), None, None)


class Arming:
    """An armory whose journal can be told to fail."""

    def __init__(self, guardian: Guardian, **defense: Any) -> None:
        self.config = Defense(**{"nonces": 2, "rungs": 4, **defense})
        self.guardian = guardian
        self.journaled: list[Rung] = []
        self.fails = False
        self.lock = threading.Lock()
        self.armory = Armory(
            self.config, GasStrategy(self.config.gas), guardian, 1, "eip1559", self.write, self.lock
        )

    async def write(self, rungs: list[Rung]) -> None:
        if self.fails:
            raise JournalError("the disk is full")
        self.journaled += rungs

    async def refresh(self, base_fee: int = 10 * GWEI, **needs: int) -> list[str]:
        return await self.armory.refresh([VAULT, POOL], {"Vault": 30_000, "Pool": 40_000, **needs}, base_fee)

    def limits(self, target: Protected) -> set[int]:
        ladders = self.guardian.ladders.get(target.name, {}).values()
        return {loaded.rung.gas_limit for ladder in ladders for loaded in ladder}


@pytest.fixture
async def arming(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Arming]:
    monkeypatch.setenv(VARIABLE, key())
    opened = signer(EnvironmentSigner(type="environment", key=Secret(f"env:{VARIABLE}")))
    await opened.open(1)
    yield Arming(Guardian(opened.address, opened, latest=5, balance=10**20))
    await opened.close()


async def test_each_contract_is_armed_at_the_next_nonces_and_nothing_is_signed_twice(arming: Arming) -> None:
    assert await arming.refresh() == []
    assert set(arming.guardian.ladders["Vault"]) == set(arming.guardian.ladders["Pool"]) == {5, 6}
    assert len(arming.journaled) == 2 * 2 * 4
    assert await arming.refresh() == []
    assert len(arming.journaled) == 2 * 2 * 4
    for rung in arming.journaled:
        decoded = orjson.loads(_core.decode_transaction(rung.raw))
        assert (decoded["from"], int(decoded["nonce"])) == (arming.guardian.address, rung.nonce)
        assert int(decoded["max_fee_per_gas"]) == rung.fees.max_fee


async def test_a_used_nonce_is_followed_by_one_more(arming: Arming) -> None:
    await arming.refresh()
    arming.guardian.seen(6, 6, 10**20)
    await arming.refresh()
    assert set(arming.guardian.ladders["Vault"]) == {6, 7}


class Taken(dict[int, str]):
    """While somebody looks at each, the trigger answers on its own thread, and takes a nonce, unless it is locked."""

    def __init__(self, lock: threading.Lock) -> None:
        super().__init__({5: "Vault", 6: "Pool"})
        self._lock = lock

    def __iter__(self) -> Iterator[int]:
        for nonce in super().__iter__():
            if self._lock.acquire(blocking=False):
                self[max(self.keys()) + 1] = "Vault"
                self._lock.release()
            yield nonce


async def test_an_answer_meanwhile_does_not_stop_the_arming(arming: Arming) -> None:
    arming.guardian.taken = Taken(arming.lock)
    assert await arming.refresh() == []
    assert set(arming.guardian.ladders["Vault"]) == {5, 6, 7, 8}


async def test_what_could_not_be_journaled_is_not_used_and_is_made_up_for(arming: Arming) -> None:
    await arming.refresh()
    assert arming.limits(VAULT) == {39_000}
    arming.fails = True
    with pytest.raises(JournalError):
        await arming.refresh(Vault=127_000)
    assert arming.limits(VAULT) == {39_000}, "what was armed before stays, and nothing else is used"
    arming.fails = False
    await arming.refresh(Vault=127_000)
    assert arming.limits(VAULT) == {165_100}
    assert arming.limits(POOL) == {52_000}


@pytest.mark.parametrize("base_fee", [50 * GWEI, GWEI])
async def test_a_base_fee_outside_of_the_band_signs_anew(arming: Arming, base_fee: int) -> None:
    await arming.refresh()
    before = [loaded.rung.fees for loaded in arming.guardian.ladders["Vault"][5]]
    await arming.refresh(base_fee=11 * GWEI)
    assert [loaded.rung.fees for loaded in arming.guardian.ladders["Vault"][5]] == before
    await arming.refresh(base_fee=base_fee)
    after = [loaded.rung.fees for loaded in arming.guardian.ladders["Vault"][5]]
    assert after != before
    assert after[0].max_fee >= base_fee + after[0].tip


async def test_without_a_known_need_of_gas_it_says_so(arming: Arming) -> None:
    problems = await arming.armory.refresh([VAULT], {}, 10 * GWEI)
    assert len(problems) == 1
    assert problems[0].startswith("Vault: the gas that its pause needs is not known")
    problems = await arming.armory.refresh([VAULT], {"Vault": 30_000}, 10**6 * GWEI)
    assert problems == ["Vault: not even the lowest bid is within the caps at this base fee"]


async def test_shadow_ladders_have_no_bytes_and_reach_no_journal(arming: Arming) -> None:
    shadow = Arming(Guardian(arming.guardian.address, None, latest=5))
    assert await shadow.refresh() == []
    assert shadow.journaled == []
    assert all(loaded.rung.raw == b"" for loaded in shadow.guardian.ladders["Vault"][5])
