"""The hot half of a defense on a wire of the test's own: real ladders, rails and bids; no key, no node, no journal."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from mempool_ids.config.defense import Gas
from mempool_ids.config.defense import Rails as Limits
from mempool_ids.defense.action import ActionState
from mempool_ids.defense.amounts import ETHER, GWEI
from mempool_ids.defense.armed import Call, Fees, Rung
from mempool_ids.defense.arming import load
from mempool_ids.defense.bids import Bids
from mempool_ids.defense.book import Cause, Live
from mempool_ids.defense.broadcast.replies import Answer, Reply
from mempool_ids.defense.draft import TRANSFER_GAS
from mempool_ids.defense.gas import GasStrategy, Urgency
from mempool_ids.defense.gas import Threat as Priced
from mempool_ids.defense.guardian import Guardian, Ladder, Loaded, Protected
from mempool_ids.defense.ladder import ladder
from mempool_ids.defense.outlet import Outlet
from mempool_ids.defense.rails import Rails
from mempool_ids.defense.state import Change, State
from mempool_ids.defense.transfers import Transfers
from mempool_ids.defense.trigger import Note, Trigger

BASE_FEE = 10 * GWEI
GAS_LIMIT = 100_000
_RUNGS: dict[bytes, Rung] = {}


def address(number: int) -> str:
    return f"0x{number:040x}"


@functools.cache
def loaded(guardian: str, nonce: int, target: str, fees: Fees, gas_limit: int, place: int = 0) -> Loaded:
    """As if it were signed: the same arguments, the same bytes."""
    raw = hashlib.sha256(repr((guardian, nonce, target, fees)).encode()).digest()
    call = Call(guardian if not target else address(1), b"")
    rung = Rung(1, guardian, nonce, target, place, fees, gas_limit, call, raw, "0x" + raw.hex())
    [made] = load([rung])
    _RUNGS[made.body] = rung
    return made


def signed(body: bytes) -> Rung:
    """What was posted."""
    return _RUNGS[body]


class Endpoints:
    """Takes what is posted, and says what a test lets each of them say."""

    def __init__(self, *names: str) -> None:
        self.names = names
        self.posted: list[bytes] = []
        self.at_post: Callable[[bytes], None] = lambda _: None
        """Is called with each body."""
        self._then: list[Callable[[str, Any], None]] = []

    def post(self, body: bytes, then: Callable[[str, Any], None]) -> int:
        self.at_post(body)
        self.posted.append(body)
        self._then.append(then)
        return len(self.names)

    def say(self, reply: Reply, *names: str, post: int = -1) -> None:
        """To what was posted last, or by its place in `posted`."""
        for name in names or self.names:
            self._then[post](name, Answer(reply))


class Hot:
    """A state with so many guardians, and whatever acts on it.

    Args:
        gas, limits: of the configuration.
        shadow: nothing is sent.
    """

    def __init__(
        self,
        *names: str,
        guardians: int = 2,
        nonces: int = 4,
        gas: Mapping[str, Any] | None = None,
        limits: Mapping[str, Any] | None = None,
        endpoints: tuple[str, ...] = ("one",),
        is_offered: bool = False,
        shadow: bool = False,
    ) -> None:
        self.gas = GasStrategy(Gas(**(gas or {})))
        self.fees = ladder(BASE_FEE, GAS_LIMIT, self.gas)
        targets = {
            name: Protected(name, address(number), Call(address(number), b""), None, None)
            for number, name in enumerate(names, 1)
        }
        self.guardians = [
            Guardian(address(0xA0 + number), None, 0, 100 * ETHER) for number in range(guardians)
        ]
        self.told: list[Change] = []
        self.state = State(
            gas=self.gas,
            rails=Rails(Limits(**(limits or {})), self.gas.daily_budget),
            targets=targets,
            guardians=self.guardians,
            tell=self.told.append,
        )
        self.state.base_fee, self.state.head = BASE_FEE, 1
        for guardian in self.guardians:
            self.arm(guardian, nonces)
        self.wire = Endpoints(*endpoints)
        wire = None if shadow else self.wire
        outlet = Outlet(wire, is_offered=is_offered, answered=self._answered)
        self.bids = Bids(self.state, outlet, by_fee_cap=False, legacy=False)
        self.transfers = Transfers(self.state, self.bids, outlet)
        self.trigger = Trigger(self.state, self.bids, None)  # type: ignore[arg-type]

    def arm(self, guardian: Guardian, nonces: int) -> None:
        window = range(guardian.latest, guardian.latest + nonces)
        guardian.load(
            {
                name: {nonce: self._ladder(guardian, nonce, name) for nonce in window}
                for name in self.state.targets
            }
        )

    def _ladder(self, guardian: Guardian, nonce: int, name: str) -> Ladder:
        return tuple(
            loaded(guardian.address, nonce, name, fees, GAS_LIMIT, place)
            for place, fees in enumerate(self.fees)
        )

    @staticmethod
    def _answered(live: Live, sent: Loaded, post: int, endpoint: str, answer: Answer) -> None:
        live.hear(sent, post, endpoint, answer)

    def alert(self, name: str, tx_hash: str = "0x01", sender: str = "0xbad", **changes: Any) -> Note:
        """Answers a threat that pays a tip of so many wei a gas."""
        tip = changes.pop("tip", 20 * GWEI)
        cause = Cause(
            tx_hash=tx_hash,
            sender=sender,
            priced=Priced(
                gas_price=BASE_FEE + tip,
                tip=tip,
                loss_wei=changes.pop("loss", None),
                p=changes.pop("p", 1.0),
            ),
            max_fee=0,
            grade="proved",
            urgency=Urgency.CRITICAL,
            pause_gas=60_000,
            grave=changes.pop("grave", True),
            reason="it was tested",
        )
        with self.state.lock:
            return self.trigger._respond(name, cause)

    def end(self, name: str) -> None:
        """Its response is over, whatever of it may be mined."""
        with self.state.lock:
            self.state.change(self.live(name), ActionState.FAILED, "it is over")
            self.state.close(self.live(name))

    def live(self, name: str) -> Live:
        return self.state.book.by_target[name]

    def promised(self, name: str) -> int:
        with self.state.lock:
            return self.state.promised(self.live(name))

    def transfer(self, guardian: Guardian, nonce: int, fees: Fees) -> Loaded:
        return loaded(guardian.address, nonce, "", fees, TRANSFER_GAS)
