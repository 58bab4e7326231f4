"""What goes on behind an act ends with it; what fails there ends the act."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from mempool_ids.demo.anvil import Anvil, AnvilOptions
from mempool_ids.demo.background import Background
from mempool_ids.demo.feed import Feed
from mempool_ids.demo.rpc import Rpc
from mempool_ids.demo.scene import Action, Scene
from mempool_ids.demo.terminal import SilentTeller
from mempool_ids.exceptions import MempoolIdsError

pytestmark = pytest.mark.timeout(60)


class Recording(SilentTeller):
    """Blocks and users, as they were told."""

    def __init__(self) -> None:
        self.blocks: list[int] = []
        self.users: list[str] = []

    def block(self, number: int, transactions: int) -> None:
        self.blocks.append(number)

    def traffic(self, action: Action) -> None:
        self.users.append(action.user)


@pytest.fixture
def node(anvil_binary: Path) -> Iterator[Anvil]:
    with Anvil(anvil_binary, AnvilOptions(block_time=1, hardfork="cancun")) as running:
        yield running


@pytest.fixture
async def played(node: Anvil) -> AsyncIterator[tuple[Background, Recording]]:
    async with Rpc(node.http_url) as rpc, Feed(node.websocket_url) as feed:
        scene = await Scene.build(rpc, 1, history_blocks=0)
        teller = Recording()
        yield Background(rpc, scene, feed, teller, 1), teller


async def test_an_act_comes_to_what_it_comes_to_and_users_were_at_work(
    played: tuple[Background, Recording],
) -> None:
    background, teller = played

    async def act() -> str:
        await background.next_blocks(2)
        await background.until_block(teller.blocks[0])  # is there already
        return "done"

    assert await background.behind(act()) == "done"
    assert len(teller.blocks) >= 2
    assert teller.users[0] == "newcomer"
    assert len(teller.users) > 1


async def test_a_node_that_goes_away_ends_an_act_that_would_go_on(
    node: Anvil, played: tuple[Background, Recording]
) -> None:
    background, _ = played
    ended = asyncio.Event()

    async def act() -> None:
        await background.next_blocks(1)
        node.stop()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    with pytest.raises(MempoolIdsError):
        await asyncio.wait_for(background.behind(act()), 20)
    assert ended.is_set()


async def test_an_act_that_fails_fails(played: tuple[Background, Recording]) -> None:
    background, _ = played

    async def act() -> None:
        raise ValueError("stage fright")

    with pytest.raises(ValueError, match="stage fright"):
        await background.behind(act())
