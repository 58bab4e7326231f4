"""Temple DAO, October 2022: `migrateStake` believed whatever contract it was told to migrate from."""

from benches.quality.plan import Incident, Plan, becomes, call, gains
from benches.quality.state import entry

STAKING = "0xd2869042e12a3506100af1d192b5b04d65137941"
LP = "0xbcb8b7fc9197feda75c101fa69d3211b5a30dcd9"
UNIT = 10**18
_BALANCES, _ALLOWANCES = 1, 2


def build(plan: Plan) -> None:
    attacker = plan.actor("attacker")
    held = plan.state.at(LP, entry(STAKING, _BALANCES))
    migrator = plan.deploy(attacker, "StakeMigrator")
    plan.attack(
        plan.transaction(attacker, migrator, call("rob(address,address)", STAKING, LP)),
        changes=[gains(LP, attacker, held)],
    )

    def holds(owner: str, amount: int) -> None:
        plan.give(LP, owner, amount, slot=_BALANCES)
        plan.allow(LP, owner, STAKING, slot=_ALLOWANCES)

    staker, leaver = plan.actor("staker"), plan.actor("leaver")
    holds(staker.address, 1_000 * UNIT)
    plan.honest(
        "stake",
        plan.transaction(staker, STAKING, call("stake(uint256)", 1_000 * UNIT)),
        changes=[becomes(STAKING, "balanceOf(address)", staker.address, least=1_000 * UNIT)],
    )
    holds(leaver.address, 20_000 * UNIT)
    plan.before(leaver, STAKING, call("stake(uint256)", 20_000 * UNIT))
    plan.honest(
        "withdrawal of a stake",
        plan.transaction(leaver, STAKING, call("withdrawAll(bool)", False)),
        changes=[gains(LP, leaver, 20_000 * UNIT)],
    )
    former, mover = plan.install("FormerStaking"), plan.actor("mover")
    plan.give(LP, former, 5_000 * UNIT, slot=_BALANCES)
    plan.honest(
        "a stake is migrated from where it really was",
        plan.transaction(mover, STAKING, call("migrateStake(address,uint256)", former, 5_000 * UNIT)),
        changes=[becomes(STAKING, "balanceOf(address)", mover.address, least=5_000 * UNIT)],
        by="contract",
    )
    wallet = plan.install("Wallet")
    holds(wallet, 3_000 * UNIT)
    plan.honest(
        "a wallet stakes, takes half of it back and sends it on",
        plan.through(
            wallet,
            plan.actor("wallet's holder"),
            (STAKING, 0, call("stake(uint256)", 3_000 * UNIT)),
            (STAKING, 0, call("withdraw(uint256,bool)", 1_500 * UNIT, False)),
            (LP, 0, call("transfer(address,uint256)", staker.address, 1_500 * UNIT)),
        ),
        changes=[gains(LP, staker, 1_500 * UNIT)],
        by="contract",
    )


TEMPLE_DAO = Incident("TempleDao", {"Staking": STAKING, "LP token": LP}, build)
