"""How much a contract looks like an attacker's, and what calling it would do: as the sensor judges new ones."""

from collections.abc import Callable, Iterable
from typing import Literal, TypeVar

import orjson

from mempool_ids import _core
from mempool_ids.config import IDSConfig, sensor_config
from mempool_ids.config.values import lower_address
from mempool_ids.exceptions import MempoolIdsError, NodeError
from mempool_ids.model.library import onnxruntime_library
from mempool_ids.model.manifest import BUILTIN
from mempool_ids.records.deployment import ContractScore, Detonation

Kind = Literal["runtime", "creation"]
_T = TypeVar("_T")

LONGEST = 256 << 10
"""Bytes of the longest code that is looked at: init code has 48 KiB at the most; what is beyond 64 KiB is cut."""
_CREATION = {"creation": True, "runtime": False, None: None}


class EarlyAttackDetector:
    """Scores contracts, by their code or where they are, and calls them on the chain's current state. Nothing is sent.

    Its methods wait for their answer, without the GIL; asyncio runs them by `asyncio.to_thread`. Threads may share one.

    Args:
        config: the models and their thresholds; for addresses also the nodes, and what is monitored.

    Raises:
        ModelError: the models are missing, altered or of another version.
    """

    def __init__(self, config: IDSConfig | None = None) -> None:
        self._config = config or IDSConfig()
        early = self._config.early
        self._scorer = _core.ContractScorer(
            str(self._config.detection.model or BUILTIN),
            str(onnxruntime_library()),
            self._config.chain.id,
            early.high_recall,
            early.high_precision,
        )
        self._nodes: _core.DeployedContracts | None = None

    def score(self, code: bytes, kind: Kind | None = None) -> ContractScore:
        """The score of one contract.

        Args:
            code: of init code the constructor is run, without a state, and what it leaves is scored.
            kind: whether it is init code (`creation`); None goes by its looks. What is said to be runtime code and is
                plainly init code is taken for it.

        Raises:
            ValueError: there is no code, or more than 256 KiB of it, or the kind is none.
        """
        return self.score_many([code], [kind])[0]

    def score_many(
        self, codes: Iterable[bytes], kinds: Iterable[Kind | None] | None = None
    ) -> list[ContractScore]:
        """The same for many, in order: it takes a tenth of a millisecond each.

        Args:
            codes: as of `score`.
            kinds: of each; None goes by their looks.

        Raises:
            ValueError: as `score`, or there are more codes than kinds, or fewer.
        """
        codes = list(codes)
        kinds = [None] * len(codes) if kinds is None else list(kinds)
        for code, kind in zip(codes, kinds, strict=True):
            if not 0 < len(code) <= LONGEST:
                raise ValueError(
                    "the code is empty" if not code else f"the code is longer than {LONGEST:,} bytes"
                )
            if kind not in _CREATION:
                raise ValueError(f"kind {kind!r} is neither runtime nor creation")
        told = self._scorer.score(codes, [_CREATION[kind] for kind in kinds])
        return [ContractScore.from_event(orjson.loads(one)) for one in told]

    def score_address(self, address: str) -> ContractScore:
        """The score of what runs at an address at the head: of a clone or a delegation, its implementation's code.

        Args:
            address: in lower case or with its checksum.

        Raises:
            ValueError: it is no address, or mistyped.
            ConfigError: there is no node to ask.
            NodeError: no node tells.
            MempoolIdsError: there is no code.
        """
        account = _bytes(address)
        code, implementation = self._ask(address, lambda nodes: nodes.code(account))
        score = self.score(code, "runtime")
        if implementation is None:
            return score
        return ContractScore.from_event({**score.event, "implementation": "0x" + implementation.hex()})

    def detonate(self, address: str, deployer: str | None = None) -> Detonation:
        """What calling the contract, on the state at the head, does to the monitored ones. Two minutes at the most.

        Args:
            address: in lower case or with its checksum.
            deployer: as whom it is called first. None asks the nodes who created it, in some fifty questions: they need
                the states since.

        Raises:
            ValueError: one is no address, or mistyped.
            ConfigError: nothing is monitored, or there is no node to ask.
            NodeError: no node tells.
            MempoolIdsError: there is no code.
        """
        account, caller = _bytes(address), None if deployer is None else _bytes(deployer)
        told = self._ask(address, lambda nodes: nodes.detonate(account, caller))
        return Detonation.of_core(lower_address(address), orjson.loads(told))

    def _ask(self, address: str, question: Callable[[_core.DeployedContracts], _T | None]) -> _T:
        chain = self._config.chain
        if self._nodes is None:
            self._nodes = _core.DeployedContracts(sensor_config(self._config, listen=False))
        try:
            answer = question(self._nodes)
        except NodeError as error:
            asked = "chain.rpc_urls" if chain.rpc_urls else "chain.websocket_urls"
            said = f"{error} (is a node of {asked} up, and does it serve chain.id = {chain.id}?)"
            raise NodeError(said) from None
        if answer is None:
            raise MempoolIdsError(
                f"there is no code at {address} on chain {chain.id}: it is not deployed yet, was destroyed, is "
                "somebody's account, or is on another chain"
            )
        return answer


def _bytes(address: str) -> bytes:
    return bytes.fromhex(lower_address(address)[2:])
