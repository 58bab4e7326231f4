"""DAO Maker, September 2021: `init` of a vesting contract could be called again by anyone."""

from benches.quality.plan import Incident, Plan, becomes, call, gains
from benches.quality.state import entry

VESTING = "0x2fd602ed1f8cb6deaba9bedd560ffe772eb85940"
TOKEN = "0x9fa69536d1cda4a04cfb50688294de75b505a9ae"
UNIT = 10**18
_DAY = 86_400


def build(plan: Plan) -> None:
    state = plan.state
    attacker = plan.actor("attacker")
    held = state.at(TOKEN, entry(VESTING, 1))
    robber = plan.deploy(attacker, "VestingRobber")
    plan.attack(
        plan.transaction(attacker, robber, call("rob(address,address)", VESTING, TOKEN)),
        changes=[gains(TOKEN, attacker, held)],
    )

    # Vesting began, and somebody has a share of it.
    owner, user = plan.actor("owner"), plan.actor("user")
    state.write(VESTING, 0, int(owner.address, 16) << 8)
    state.write(VESTING, 1, state.timestamp - 300 * _DAY)
    state.write(VESTING, entry(user.address, 7), 50_000 * UNIT)
    plan.honest(
        "the owner releases a user's share",
        plan.transaction(owner, VESTING, call("release(address)", user.address)),
        changes=[gains(TOKEN, user, 1)],
    )
    holder = plan.actor("holder")
    plan.give(TOKEN, holder, 10_000 * UNIT, slot=1)
    plan.honest(
        "transfer of the token",
        plan.transaction(holder, TOKEN, call("transfer(address,uint256)", user.address, 4_000 * UNIT)),
        changes=[gains(TOKEN, user, 4_000 * UNIT)],
    )
    wallet = plan.install("Wallet")
    state.write(TOKEN, 3, 312_000_000 * UNIT)  # the supply, which the attack did not read
    plan.give(TOKEN, wallet, 10_000 * UNIT, slot=1)
    plan.honest(
        "a wallet burns a part and sends the rest",
        plan.through(
            wallet,
            plan.actor("wallet's holder"),
            (TOKEN, 0, call("burn(uint256)", 1_000 * UNIT)),
            (TOKEN, 0, call("transfer(address,uint256)", user.address, 9_000 * UNIT)),
        ),
        changes=[gains(TOKEN, user, 9_000 * UNIT), becomes(TOKEN, "totalSupply()", least=-1_000 * UNIT)],
        by="contract",
    )


DAO_MAKER = Incident(
    "DAOMaker",
    {"Vesting": VESTING, "Token": TOKEN},
    build,
    note="for an honest release, vesting began earlier",
)
