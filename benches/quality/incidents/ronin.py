"""Ronin, March 2022: withdrawals signed by five stolen keys."""

from eth_account import Account
from eth_utils.crypto import keccak

from benches.quality.plan import ETHER, NATIVE, Incident, Plan, call, gains
from benches.quality.state import entry, word

BRIDGE = "0x1a2a1c938ce3ec39b6d47113c7955baa9dd454f2"
WETH = "0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2"
USDC = "0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48"
_REGISTRY = "0x33e71e649abdc09f650ad44139674828a2075ad2"
_VALIDATORS = "0x42b19dca30fd612b1757682c074497847f2b57e0"
_WITHDRAW = "withdrawERC20For(uint256,address,address,uint256,bytes)"
_SIGNED_BY_GETH = b"\x01"


def build(plan: Plan) -> None:
    state = plan.state
    validators = sorted(
        (Account.from_key(keccak(text=f"validator {number}")) for number in range(5)),
        key=lambda key: int(key.address, 16),
    )
    for key in validators:
        state.write(_VALIDATORS, entry(key.address, 0), 1)
    token = entry(USDC, 2)
    state.write(_REGISTRY, token, USDC)
    state.write(_REGISTRY, int(token, 16) + 1, (20 << 160) | 0xC99A)

    def withdrawal(number: int, user: str, asset: str, amount: int) -> bytes:
        packed = word(number)[2:] + user[2:] + asset[2:] + word(amount)[2:]
        digest = keccak(b"withdrawERC20" + bytes.fromhex(packed))
        signed = keccak(b"\x19Ethereum Signed Message:\n32" + digest)
        signatures = b""
        for key in validators:
            made = key.unsafe_sign_hash(signed)
            signatures += (
                _SIGNED_BY_GETH + made.r.to_bytes(32, "big") + made.s.to_bytes(32, "big") + bytes([made.v])
            )
        return call(_WITHDRAW, number, user, asset, amount, signatures)

    attacker = plan.actor("attacker")
    taken = 173_600 * ETHER
    plan.attack(
        plan.transaction(attacker, BRIDGE, withdrawal(2_000_000, attacker.address, WETH, taken)),
        changes=[gains(NATIVE, attacker, taken - ETHER)],
        by="account",
    )

    user, other = plan.actor("user"), plan.actor("other user")
    plan.honest(
        "withdrawal of 60 ETH",
        plan.transaction(user, BRIDGE, withdrawal(1_900_001, user.address, WETH, 60 * ETHER)),
        changes=[gains(NATIVE, user, 59 * ETHER)],
    )
    relayer = plan.actor("relayer")
    plan.honest(
        "a relayer's contract brings two withdrawals, of 9,000 ETH and of 40,000 USDC",
        plan.through(
            plan.install("Wallet"),
            relayer,
            (BRIDGE, 0, withdrawal(1_900_002, other.address, WETH, 9_000 * ETHER)),
            (BRIDGE, 0, withdrawal(1_900_003, other.address, USDC, 40_000 * 10**6)),
        ),
        changes=[gains(NATIVE, other, 9_000 * ETHER), gains(USDC, other, 40_000 * 10**6)],
        by="contract",
    )
    depositor = plan.actor("depositor")
    plan.honest(
        "deposit of 12 ETH",
        plan.transaction(depositor, BRIDGE, call("depositEth()"), value=12 * ETHER),
        changes=[gains(NATIVE, depositor, -12 * ETHER)],
    )


RONIN = Incident(
    "Ronin",
    {"Bridge": BRIDGE, "WETH": WETH, "USDC": USDC},
    build,
    note="the validators' keys are the bench's own",
)
