"""One Ring, March 2022: the share's price followed pools that a flash loan moves."""

from benches.quality.plan import Incident, Plan, call, gains

VAULT = "0x4e332d616b5ba1edfd87c899e534d996c336a2fc"
USDC = "0x04068da6c83afcfa0e13ba15a6696662335d5b75"
_PAIR = "0xbcab7d083cf6a01e0dda9ed7f8a02b47d125e682"
_UNIT = 10**6
_GAS = 20_000_000
_DEPOSIT = "depositSafe(uint256,address,uint256)"
_WITHDRAW = "withdraw(uint256,address)"


def build(plan: Plan) -> None:
    def holds(owner: str, amount: int) -> None:
        plan.give(USDC, owner, amount * _UNIT, slot=2)
        plan.allow(USDC, owner, VAULT, slot=8)

    attacker = plan.actor("attacker")
    flasher = plan.deploy(attacker, "ShareFlasher")
    rob = call("rob(address,address,address,uint256)", _PAIR, VAULT, USDC, 80_000_000 * _UNIT)
    plan.attack(
        plan.transaction(attacker, flasher, rob, gas=_GAS), changes=[gains(USDC, attacker, 1_000_000 * _UNIT)]
    )

    saver, leaver = plan.actor("saver"), plan.actor("leaver")
    holds(saver.address, 10_000)
    plan.honest(
        "deposit of 10,000 USDC",
        plan.transaction(saver, VAULT, call(_DEPOSIT, 10_000 * _UNIT, USDC, 1), gas=_GAS),
        changes=[gains(VAULT, saver, 1)],
    )
    plan.give(VAULT, leaver, 8_000 * 10**18, slot=51)
    plan.honest(
        "withdrawal of 8,000 shares",
        plan.transaction(leaver, VAULT, call(_WITHDRAW, 8_000 * 10**18, USDC), gas=_GAS),
        changes=[gains(USDC, leaver, 7_000 * _UNIT)],
    )
    wallet = plan.install("Wallet")
    holds(wallet, 25_000)
    plan.honest(
        "a wallet deposits 25,000 USDC",
        plan.through(
            wallet,
            plan.actor("wallet's holder"),
            (VAULT, 0, call(_DEPOSIT, 25_000 * _UNIT, USDC, 1)),
            gas=_GAS,
        ),
        changes=[gains(VAULT, wallet, 1)],
        by="contract",
    )


ONE_RING = Incident("OneRing", {"Vault": VAULT, "USDC": USDC}, build)
