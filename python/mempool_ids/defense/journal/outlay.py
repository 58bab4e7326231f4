"""What responses cost, or may still cost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, case, func, literal, or_, select, tuple_

from mempool_ids.defense.action import ActionState
from mempool_ids.defense.journal.queries import GUARDIAN, NONCE, OVER, PAID_TO_BUILDERS, WITH_BYTES
from mempool_ids.defense.journal.tables import actions, armed, transitions


@dataclass(frozen=True, slots=True)
class Outlay:
    """One transition that bears on money: bytes went out, or a cost is known. Or a transfer to a builder."""

    guardian: str
    nonce: int
    action_id: str
    is_open: bool
    """Whether its action is not over."""
    state: ActionState
    at: float
    """Unix seconds."""
    cost: int | None
    """Wei, by a receipt."""
    worst: int
    """Wei: gas limit × fee cap + value, of the bytes that went out."""


def total(outlays: Iterable[Outlay], since: float) -> int:
    """Wei: what receipts say was paid since then, and the worst case of what has none.

    Of all that went out at one nonce, whichever action sent it, one transaction at most is paid for. Bytes of actions
    that are not over count however long ago they went out. A reorg (`sent` after `included`) makes a cost unknown.

    Args:
        outlays: of each nonce all of them, in order.
    """
    by_nonce: dict[tuple[str, int], list[Outlay]] = defaultdict(list)
    for outlay in outlays:
        by_nonce[outlay.guardian.lower(), outlay.nonce].append(outlay)
    return sum(_of_nonce(some, since) for some in by_nonce.values())


def _of_nonce(outlays: list[Outlay], since: float) -> int:
    costs: dict[str, int | None] = {}
    worst: dict[str, int] = defaultdict(int)
    for outlay in outlays:
        if outlay.state is ActionState.SENT:
            costs[outlay.action_id] = None
            worst[outlay.action_id] = max(worst[outlay.action_id], outlay.worst)
        else:
            costs[outlay.action_id] = outlay.cost
    recent = any(outlay.at >= since for outlay in outlays)
    paid = max((cost for cost in costs.values() if cost), default=0)
    if paid:
        return paid if recent else 0
    waiting = any(outlay.is_open and costs[outlay.action_id] is None for outlay in outlays)
    if not (recent or waiting):
        return 0
    return max((worst[action] for action, cost in costs.items() if cost is None), default=0)


def outlays(connection: Connection, since: float) -> list[Outlay]:
    """Of every nonce that has one since then, or one that is not over."""
    is_open = transitions.c.action_id.not_in(OVER)
    bears = (
        or_(transitions.c.state == ActionState.SENT.value, transitions.c.cost.is_not(None))
        & actions.c.shadow.is_(False)
        & NONCE.is_not(None)
    )
    nonces = (
        select(GUARDIAN, NONCE)
        .select_from(WITH_BYTES)
        .where(bears, or_(transitions.c.at >= since, is_open))
        .distinct()
    )
    query = (
        select(
            transitions.c.action_id,
            transitions.c.state,
            transitions.c.at,
            transitions.c.cost,
            NONCE.label("nonce"),
            func.coalesce(GUARDIAN, literal("")).label("guardian"),
            case((is_open, 1), else_=0).label("is_open"),
            func.coalesce(armed.c.gas_limit, transitions.c.gas_limit, 0).label("gas_limit"),
            # Decimal text on both sides.
            func.coalesce(armed.c.max_fee, transitions.c.max_fee, "0", type_=armed.c.max_fee.type).label(
                "max_fee"
            ),
            func.coalesce(armed.c.value, "0", type_=armed.c.value.type).label("value"),
        )
        .select_from(WITH_BYTES)
        .where(bears, tuple_(GUARDIAN, NONCE).in_(nonces))
        .order_by(transitions.c.seq)
    )
    signed = select(armed).where(PAID_TO_BUILDERS, armed.c.created >= since).order_by(armed.c.id)
    payments = [
        Outlay(
            row.guardian.lower(),
            row.nonce,
            "",
            False,
            ActionState.SENT,
            row.created,
            None,
            row.gas_limit * row.max_fee + row.value,
        )
        for row in connection.execute(signed)
    ]
    return payments + [
        Outlay(
            row.guardian,
            row.nonce,
            row.action_id,
            bool(row.is_open),
            ActionState(row.state),
            row.at,
            row.cost,
            row.gas_limit * row.max_fee + row.value,
        )
        for row in connection.execute(query)
    ]
