"""Where a drill takes place: what the nodes say now, and the guardians as they are."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from mempool_ids.config import Contract, IDSConfig
from mempool_ids.defense.amounts import in_ether, in_gwei
from mempool_ids.defense.chain import Chain
from mempool_ids.defense.drill.blanks import Ground
from mempool_ids.defense.drill.result import Moment
from mempool_ids.defense.guardian import Protected
from mempool_ids.defense.rails import DAY
from mempool_ids.defense.readiness import guardian_reasons
from mempool_ids.defense.rehearsal import Attempt, Stage, Step
from mempool_ids.defense.signers import signer
from mempool_ids.defense.standing import opened, standing
from mempool_ids.exceptions import ConfigError


@dataclass(frozen=True, slots=True)
class Place:
    config: IDSConfig
    targets: Mapping[str, Protected]
    stage: Stage
    ground: Ground
    obstacles: tuple[str, ...]
    """What keeps the first guardian from sending anything."""
    notes: tuple[str, ...]
    read: Moment

    def contract(self, name: str) -> Contract:
        return next(one for one in self.config.contracts if one.name == name)

    async def attempt(self, name: str, *then: Step) -> Attempt:
        """Pauses it by the first guardian, and goes on.

        Raises:
            ConfigError, NodeError: as `Stage.attempt`.
        """
        target = self.targets[name]
        guardian = self.ground.guardians[0].address
        return await self.stage.attempt(target, guardian, gas=target.gas, then=then)


async def look(config: IDSConfig, targets: Mapping[str, Protected]) -> Place:
    """Asks the nodes and reads the journal.

    Raises:
        ConfigError: nobody is to pause.
        SignerError: the signer does not open: it is asked for its address.
        NodeError: no node answers.
        JournalError: the journal is one, and what it says cannot be read.
    """
    addresses = await _addresses(config)
    chain = Chain(config.chain.rpc_urls, config.chain.id)
    try:
        started = time.perf_counter()
        wrong = await chain.leave_out_wrong()
        head = await chain.head()
        with opened(config.defense.journal) as (records, unread):
            guardians = tuple([await standing(chain, address, records) for address in addresses])
            spent = 0 if records is None else records.spent(time.time() - DAY)
        obstacles = tuple(await guardian_reasons(chain, guardians[0]))
        by_fee_cap = await chain.orders_by_fee_cap()
        took = (time.perf_counter() - started) * 1e6
    finally:
        await chain.close()
    ground = Ground(
        head=head.number,
        base_fee=head.next_base_fee,
        kind=head.kind(config.defense.gas.kind),
        by_fee_cap=by_fee_cap,
        guardians=guardians,
        spent=spent,
    )
    first = guardians[0]
    words = (
        f"block {head.number:,}, next base fee {in_gwei(head.next_base_fee)}; guardian's nonce {first.latest}, "
        f"balance {in_ether(first.balance)}"
    )
    pauses = {name: target.question(first.address) for name, target in targets.items()}
    return Place(
        config=config,
        targets=targets,
        stage=Stage(config, pauses),
        ground=ground,
        obstacles=obstacles,
        notes=(*wrong, *([] if unread is None else [f"what was spent today is not known: {unread}"])),
        read=Moment("state read", took, words),
    )


async def _addresses(config: IDSConfig) -> list[str]:
    """Of the guardians. A signer is only opened where nothing else tells whose it is, and signs nothing."""
    defense = config.defense
    if defense.guardian is not None:
        return [defense.guardian]
    found = []
    for section in (defense.signer, defense.backup):
        if section is None:
            continue
        one = signer(section)
        try:
            await one.open(config.chain.id)
            found.append(one.address)
        finally:
            await one.close()
    if not found:
        raise ConfigError("who is to pause? Set defense.guardian to an address, or defense.signer")
    return found
