"""Fantasm, March 2022: `mint` did not look at how much collateral came with it."""

from benches.quality.plan import ETHER, Incident, Plan, call, gains

POOL = "0x880672ab1d46d987e5d663fc7476cd8df3c9f937"
XFTM = "0xfbd2945d3601f21540ddd85c29c5c3caf108b96f"
FSM = "0xaa621d2002b5a6275ef62d7a065a865167914801"
WFTM = "0x21be370d5312f44cb42ce377bc9b8a0cef1a4c83"
_MINT = "mint(uint256,uint256)"


def build(plan: Plan) -> None:
    def holds(owner: str, amount: int) -> None:
        plan.give(FSM, owner, amount, slot=0)
        plan.allow(FSM, owner, POOL, slot=1)

    attacker = plan.actor("attacker")
    holds(attacker.address, 300 * ETHER)
    plan.attack(
        plan.transaction(attacker, POOL, call(_MINT, 300 * ETHER, 0)),
        after=[plan.transaction(attacker, POOL, call("collect()"))],
        changes=[gains(XFTM, attacker, 4_000 * ETHER)],
        by="account",
    )

    for token, slot, value in (
        (FSM, 6, POOL),
        (WFTM, 2, 10**27),
    ):  # a minter and a supply that the attack did not read
        plan.state.write(token, slot, value)
    minter = plan.actor("minter", 2_000 * ETHER)
    holds(minter.address, 9 * ETHER)
    plan.honest(
        "mint with all the collateral that is due",
        plan.transaction(minter, POOL, call(_MINT, 9 * ETHER, 100 * ETHER), value=1_300 * ETHER),
        after=[plan.transaction(minter, POOL, call("collect()"))],
        changes=[gains(XFTM, minter, 200 * ETHER)],
    )
    redeemer = plan.actor("redeemer")
    plan.give(XFTM, redeemer, 100 * ETHER, slot=0)
    plan.allow(XFTM, redeemer, POOL, slot=1)
    plan.honest(
        "redemption of 100 xFTM",
        plan.transaction(redeemer, POOL, call("redeem(uint256,uint256,uint256)", 100 * ETHER, 0, 0)),
        after=[plan.transaction(redeemer, POOL, call("collect()"))],
        changes=[gains(XFTM, redeemer, -100 * ETHER), gains(FSM, redeemer, 1)],
    )
    wallet = plan.install("Wallet")
    holds(wallet, 7 * ETHER)
    plan.honest(
        "a wallet mints",
        plan.through(
            wallet,
            plan.actor("wallet's holder", 2_000 * ETHER),
            (POOL, 1_200 * ETHER, call(_MINT, 7 * ETHER, 0)),
            value=1_200 * ETHER,
        ),
        changes=[gains(FSM, wallet, -1)],
        by="contract",
    )


FANTASM = Incident(
    "Fantasm", {"Pool": POOL, "xFTM": XFTM, "FSM": FSM}, build, note="the attacker has the FSM it would buy"
)
