"""A market of Curve shares on Polygon, October 2022: the pool was asked its price in the middle of a withdrawal."""

from benches.quality.plan import ETHER, Incident, Plan, call, gains

COMPTROLLER = "0x627742aafe82eb5129dd33d237ff318ef5f76cbc"
SHARE_MARKET = "0x570bc2b7ad1399237185a27e66aea9cfff5f3db8"
MAI_MARKET = "0x3dc7e6ff0fb79770fa6fb05d1ea4deacce823943"
MAI = "0xa3fa99a148fa48d14ed51d610c367c61876997f1"
SHARES = "0xe0570ddfca69e5e90d83ea04bb33824d3bbe6a85"
_POOL = "0xfb6fe7802ba9290ef8b00ca16af4bc26eb663a28"
_STAKED_MATIC = "0x3a58a54c066fdc0f2d55fc9c89f0415c92ebf3c4"
_WRAPPED_MATIC = "0x0d500b1d8e8ef31e21c99d1db9a6444d3adf1270"
_ENTER = call("enterMarkets(address[])", [SHARE_MARKET])
_MINT = "mint(uint256)"
_BORROW = "borrow(uint256)"
_GAS = 10_000_000


def build(plan: Plan) -> None:
    def holds(owner: str, shares: int) -> None:
        plan.give(SHARES, owner, shares * ETHER, slot=0)
        plan.allow(SHARES, owner, SHARE_MARKET, slot=1)

    # Half-life of its average price, seconds: what was read in the very block of the pool's last trade did not ask.
    plan.state.write(_POOL, 18, 600)
    attacker = plan.actor("attacker")
    holder = plan.deploy(attacker, "PriceHolder")
    holds(holder, 175_000)
    plan.give(_STAKED_MATIC, holder, 7_600_000 * ETHER, slot=0)
    plan.give(_WRAPPED_MATIC, holder, 19_200_000 * ETHER, slot=3)
    rob = call("rob(address,address,address,address)", _POOL, COMPTROLLER, SHARE_MARKET, MAI_MARKET)
    plan.attack(
        plan.transaction(attacker, holder, rob, gas=_GAS), changes=[gains(MAI, attacker, 249_000 * ETHER)]
    )

    saver, borrower, lender = plan.actor("saver"), plan.actor("borrower"), plan.actor("lender")
    holds(saver.address, 5_000)
    plan.honest(
        "supply of 5,000 shares",
        plan.transaction(saver, SHARE_MARKET, call(_MINT, 5_000 * ETHER), gas=_GAS),
        changes=[gains(SHARE_MARKET, saver, 1)],
    )
    holds(borrower.address, 30_000)
    plan.before(borrower, SHARE_MARKET, call(_MINT, 30_000 * ETHER), gas=_GAS)
    plan.before(borrower, COMPTROLLER, _ENTER)
    plan.honest(
        "10,000 MAI borrowed against 30,000 shares",
        plan.transaction(borrower, MAI_MARKET, call(_BORROW, 10_000 * ETHER), gas=_GAS),
        changes=[gains(MAI, borrower, 10_000 * ETHER)],
    )
    plan.give(MAI, lender, 8_000 * ETHER, slot=0)
    plan.allow(MAI, lender, MAI_MARKET, slot=1)
    plan.honest(
        "supply of 8,000 MAI",
        plan.transaction(lender, MAI_MARKET, call(_MINT, 8_000 * ETHER), gas=_GAS),
        changes=[gains(MAI, MAI_MARKET, 8_000 * ETHER)],
    )
    wallet, owner = plan.install("Wallet"), plan.actor("wallet's holder")
    holds(wallet, 20_000)
    plan.honest(
        "a wallet supplies 20,000 shares and borrows 7,000 MAI",
        plan.through(
            wallet,
            owner,
            (SHARE_MARKET, 0, call(_MINT, 20_000 * ETHER)),
            (COMPTROLLER, 0, _ENTER),
            (MAI_MARKET, 0, call(_BORROW, 7_000 * ETHER)),
            (MAI, 0, call("transfer(address,uint256)", owner.address, 7_000 * ETHER)),
            gas=_GAS,
        ),
        changes=[gains(MAI, owner, 7_000 * ETHER)],
        by="contract",
    )


QI_CURVE = Incident(
    "QiCurve",
    {"Comptroller": COMPTROLLER, "Market of shares": SHARE_MARKET, "Market of MAI": MAI_MARKET},
    build,
    note="the attacker has what it would borrow for the transaction, and leaves less collateral than it takes",
)
