"""Seven classes of attacks on contracts of this project, and what is honest and looks like them, on real nodes.

stage = await scenario.build(rpc)    # all is deployed and mined; stage.monitored is what a sensor watches
tx_hash = await stage.act()          # the one transaction, pending now
await stage.settle()                 # mined
effect = await stage.effect()        # who lost, who gained
"""

from tests.scenarios import approvals, bridge, governance, prices, reentrancy, shares, upgrades
from tests.scenarios.stage import Scenario

SCENARIOS = (
    Scenario("reentrancy drain", "attack", reentrancy.drain),
    Scenario("flash-loan price manipulation", "attack", prices.manipulation),
    Scenario("takeover of a proxy", "attack", upgrades.takeover),
    Scenario("first-depositor inflation", "attack", shares.inflation),
    Scenario("approval drain", "attack", approvals.drain),
    Scenario("flash-loaned governance", "attack", governance.flash_vote),
    Scenario("forged bridge message", "attack", bridge.forgery),
    Scenario("gift to an empty vault", "attack", shares.gift),
    Scenario("deposit for no share", "attack", shares.deposit_for_nothing),
    Scenario("votes of the moment", "attack", governance.moment_vote),
    Scenario("release that nobody signed", "attack", bridge.unsigned),
    Scenario("release that one signed twice", "attack", bridge.signed_twice),
    Scenario("large withdrawal by a smart wallet", "honest", reentrancy.large_withdrawal),
    Scenario("flash-loan arbitrage", "honest", prices.arbitrage),
    Scenario("liquidation", "honest", prices.liquidation),
    Scenario("migration by the owner", "honest", upgrades.migration),
    Scenario("harvest", "honest", shares.harvest),
    Scenario("swap through a router", "honest", approvals.swap),
    Scenario("grant by vote", "honest", governance.grant),
    Scenario("release by a bridge", "honest", bridge.release),
    Scenario("first deposit", "honest", shares.first_deposit),
    Scenario("large release that validators signed", "honest", bridge.signed_release),
)
