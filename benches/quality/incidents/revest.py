"""Revest, March 2022: the receiver of FNFTs was called before their id was counted up."""

from benches.quality.plan import ETHER, Incident, Plan, call, gains

REVEST = "0x2320a28f52334d62622cc2eafa15de55f9987ed9"
VAULT = "0xa81bd16aa6f6b25e66965a2f842e9c806c0aa11f"
FNFTS = "0xe952bda8c06481506e4731c4f54ced2d4ab81659"
RENA = "0x56de8bc61346321d4f2211e3ac3c0a7f00db9b76"
_NEXT_ID = 8
_CONFIG = "(address,address,uint256,uint256,uint256,uint256,bool,bool,bool)"


def build(plan: Plan) -> None:
    def holds(owner: str, amount: int) -> None:
        plan.give(RENA, owner, amount * ETHER, slot=0)
        plan.allow(RENA, owner, REVEST, slot=1)

    attacker = plan.actor("attacker")
    overwriter = plan.deploy(attacker, "FnftOverwriter")
    holds(overwriter, 2)
    plan.attack(
        plan.transaction(
            attacker, overwriter, call("rob(address,address,uint256)", REVEST, RENA, 360_000), gas=6_000_000
        ),
        changes=[gains(RENA, attacker, 300_000 * ETHER)],
    )

    def locked(owner: str, amount: int) -> bytes:
        """Until the owner itself says so."""
        config = (RENA, "0x" + "00" * 20, amount * ETHER, 0, 0, 0, False, False, False)
        signature = f"mintAddressLock(address,bytes,address[],uint256[],{_CONFIG})"
        return call(signature, owner, b"", [owner], [1], config)

    locker, leaver = plan.actor("locker"), plan.actor("leaver")
    holds(locker.address, 1_200)
    plan.honest(
        "1,200 RENA are locked",
        plan.transaction(locker, REVEST, locked(locker.address, 1_200)),
        changes=[gains(RENA, locker, -1_200 * ETHER)],
    )
    holds(leaver.address, 5_000)
    minted = plan.state.at(FNFTS, _NEXT_ID)
    plan.before(leaver, REVEST, locked(leaver.address, 5_000))
    plan.honest(
        "5,000 RENA are withdrawn by who locked them",
        plan.transaction(leaver, REVEST, call("withdrawFNFT(uint256,uint256)", minted, 1)),
        changes=[gains(RENA, leaver, 4_000 * ETHER)],
    )
    wallet = plan.install("Wallet")
    holds(wallet, 900)
    plan.honest(
        "a wallet locks 900 RENA",
        plan.through(wallet, plan.actor("wallet's holder"), (REVEST, 0, locked(wallet, 900))),
        changes=[gains(RENA, wallet, -900 * ETHER)],
        by="contract",
    )


REVEST_FINANCE = Incident(
    "Revest",
    {"Revest": REVEST, "Vault": VAULT, "FNFTs": FNFTS},
    build,
    note="the attacker has the two RENA it would buy",
)
