"""Sperax USDs, February 2023: an address that becomes a contract after it was paid is counted anew, and wrongly."""

from benches.quality.plan import ETHER, Incident, Plan, call, created_by, gains

USDS = "0xd74f5255d557944cf7dd0e45ff521520002d5748"
_CREDITS = 311
_CREDITS_PER_TOKEN = 314
_TRANSFER = "transfer(address,uint256)"


def build(plan: Plan) -> None:
    state = plan.state

    def holds(owner: str, amount: int) -> None:
        """As rebasing accounts do."""
        plan.give(USDS, owner, amount * state.at(USDS, _CREDITS_PER_TOKEN), slot=_CREDITS)

    attacker = plan.actor("attacker")
    holds(attacker.address, 20)
    plan.before(attacker, USDS, call(_TRANSFER, created_by(attacker, 1), 11 * ETHER))
    late = plan.deploy(attacker, "LateContract")
    plan.attack(
        plan.transaction(attacker, late, call("move(address,address)", USDS, attacker.address)),
        changes=[gains(USDS, attacker, 1_000_000 * ETHER)],
    )

    payer, payee = plan.actor("payer"), plan.actor("payee")
    holds(payer.address, 5_000)
    plan.honest(
        "transfer of 4,000 USDs",
        plan.transaction(payer, USDS, call(_TRANSFER, payee.address, 4_000 * ETHER)),
        changes=[gains(USDS, payee, 3_999 * ETHER)],
    )
    wallet, funder = plan.install("Wallet"), plan.actor("funder")
    holds(funder.address, 9_000)
    plan.before(funder, USDS, call(_TRANSFER, wallet, 9_000 * ETHER))
    plan.honest(
        "a wallet sends on 8,000 USDs that it was paid",
        plan.through(
            wallet, plan.actor("wallet's holder"), (USDS, 0, call(_TRANSFER, payee.address, 8_000 * ETHER))
        ),
        changes=[gains(USDS, payee, 7_999 * ETHER)],
        by="contract",
    )


SPERAX_USDS = Incident("Usds", {"USDs": USDS}, build)
