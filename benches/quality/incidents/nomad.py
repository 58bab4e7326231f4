"""Nomad, August 2022: a root of zero counted as confirmed, so a message that nobody had proven was processed."""

from eth_utils.crypto import keccak

from benches.quality.plan import Incident, Plan, call, gains
from benches.quality.state import entry

REPLICA = "0x5d94309e5a0090b165fa4181519701637b6daeba"
ROUTER = "0x88a69b4e698a4b090df6cf5bd7b2d47325ad30a3"
WBTC = "0x2260fac5e5542a773aa44fbcfedf7c193bc2c599"
_MOONBEAM = int.from_bytes(b"beam", "big")
_ETHEREUM = int.from_bytes(b"eth", "big")
_REMOTE_ROUTER = "0xd3dfd3ede74e0dcebc1aa685e151332857efce2d"
_CONFIRMED, _MESSAGES = 153, 154
_COIN = 10**8
_TRANSFER = 3


def build(plan: Plan) -> None:
    state = plan.state
    attacker = plan.actor("attacker")
    plan.attack(
        plan.transaction(
            attacker, REPLICA, call("process(bytes)", _message(5_078, attacker.address, 100 * _COIN))
        ),
        changes=[gains(WBTC, attacker, 100 * _COIN)],
        by="account",
    )

    root = keccak(text="a root that the updater signed")
    state.write(REPLICA, entry("0x" + root.hex(), _CONFIRMED), state.timestamp - 3_600)

    def proven(number: int, user: str, amount: int) -> bytes:
        message = _message(number, user, amount)
        state.write(REPLICA, entry("0x" + keccak(message).hex(), _MESSAGES), "0x" + root.hex())
        return call("process(bytes)", message)

    user, processor = plan.actor("user"), plan.actor("processor")
    plan.honest(
        "a proven message of 0.5 WBTC is processed",
        plan.transaction(processor, REPLICA, proven(5_000, user.address, _COIN // 2)),
        changes=[gains(WBTC, user, _COIN // 2)],
    )
    plan.honest(
        "a processor's contract brings two, of 20 and of 1 WBTC",
        plan.through(
            plan.install("Wallet"),
            plan.actor("other processor"),
            (REPLICA, 0, proven(5_001, user.address, 20 * _COIN)),
            (REPLICA, 0, proven(5_002, user.address, _COIN)),
        ),
        changes=[gains(WBTC, user, 21 * _COIN)],
        by="contract",
    )


def _message(number: int, to: str, amount: int) -> bytes:
    """Of the remote router to ours: a transfer of WBTC."""
    token = _ETHEREUM.to_bytes(4, "big") + _padded(WBTC)
    action = bytes([_TRANSFER]) + _padded(to) + amount.to_bytes(32, "big") + bytes(32)
    return (
        _MOONBEAM.to_bytes(4, "big")
        + _padded(_REMOTE_ROUTER)
        + number.to_bytes(4, "big")
        + _ETHEREUM.to_bytes(4, "big")
        + _padded(ROUTER)
        + token
        + action
    )


def _padded(address: str) -> bytes:
    return bytes(12) + bytes.fromhex(address[2:])


NOMAD = Incident(
    "Nomad", {"Replica": REPLICA, "Router": ROUTER}, build, note="honest messages are written as proven"
)
