"""The page where a human answers."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import httpx2
import pytest

from mempool_ids.defense.confirm import ConfirmPage
from mempool_ids.exceptions import ConfigError, MempoolIdsError

ABOUT = {"a-1": "Vault loses <b>10 ETH</b>"}


class Asked:
    """What was answered."""

    def __init__(self) -> None:
        self.answers: list[tuple[str, bool, str]] = []
        self.is_late = False

    async def answer(self, action: str, yes: bool, who: str) -> None:
        if self.is_late:
            raise MempoolIdsError("it is over")
        self.answers.append((action, yes, who))


@pytest.fixture
def asked() -> Asked:
    return Asked()


@pytest.fixture
async def page(asked: Asked) -> AsyncIterator[ConfirmPage]:
    served = ConfirmPage("127.0.0.1:0", None, ABOUT.get, asked.answer)
    await served.start()
    yield served
    await served.stop()


@pytest.fixture
async def client() -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(trust_env=False) as asking:
        yield asking


async def test_opening_the_link_shows_what_it_is_about_and_answers_nothing(
    page: ConfirmPage, asked: Asked, client: httpx2.AsyncClient
) -> None:
    shown = await client.get(page.link("a-1"))
    assert shown.status_code == 200
    assert "Vault loses &lt;b&gt;10 ETH&lt;/b&gt;" in shown.text
    assert shown.headers["cache-control"] == "no-store"
    assert "default-src 'none'" in shown.headers["content-security-policy"]
    assert asked.answers == []


@pytest.mark.parametrize("said", ["yes", "no"])
async def test_a_button_answers(
    said: str, page: ConfirmPage, asked: Asked, client: httpx2.AsyncClient
) -> None:
    shown = await client.get(page.link("a-1"))
    assert set(re.findall(r'name="answer" value="(\w+)"', shown.text)) == {"yes", "no"}
    done = await client.post(page.link("a-1"), data={"answer": said})
    assert done.status_code == 200
    assert asked.answers == [("a-1", said == "yes", "link")]


async def test_another_signature_or_action_shows_nothing(
    page: ConfirmPage, asked: Asked, client: httpx2.AsyncClient
) -> None:
    link = page.link("a-1")
    forged = link[:-1] + ("0" if link[-1] != "0" else "1")
    other = link.replace("a-1", "a-2")
    for url in (forged, other, page.link("a-2")):
        assert (await client.get(url)).status_code == 404
        assert (await client.post(url, data={"answer": "yes"})).status_code == 404
    assert asked.answers == []


@pytest.mark.parametrize(
    "body", [b"", b"answer=maybe", b"answer=yes&answer=no", b"answer=yes" + b"x" * 10_000_000]
)
async def test_what_is_no_answer_is_none(
    body: bytes, page: ConfirmPage, asked: Asked, client: httpx2.AsyncClient
) -> None:
    try:
        assert (await client.post(page.link("a-1"), content=body)).status_code == 400
    except httpx2.TransportError:
        assert len(body) > 1_000_000, "it is cut off only where it is too long"
    assert asked.answers == []


async def test_an_answer_that_comes_too_late_is_said(
    page: ConfirmPage, asked: Asked, client: httpx2.AsyncClient
) -> None:
    asked.is_late = True
    assert (await client.post(page.link("a-1"), data={"answer": "yes"})).status_code == 409


async def test_a_link_is_worth_nothing_at_another_start(page: ConfirmPage, asked: Asked) -> None:
    other = ConfirmPage("127.0.0.1:0", None, ABOUT.get, asked.answer)
    assert other.link("a-1").rpartition("/")[2] != page.link("a-1").rpartition("/")[2]


async def test_people_get_the_url_that_reaches_it_from_outside(asked: Asked) -> None:
    behind = ConfirmPage("127.0.0.1:0", "https://ids.example.org/sensor/", ABOUT.get, asked.answer)
    assert behind.link("a-1").startswith("https://ids.example.org/sensor/confirm/a-1/")


@pytest.mark.parametrize("listen", ["", "localhost", "127.0.0.1:http", "127.0.0.1:70000"])
def test_what_is_no_address_is_refused(listen: str, asked: Asked) -> None:
    with pytest.raises(ConfigError, match="host:port"):
        ConfirmPage(listen, None, ABOUT.get, asked.answer)


async def test_an_address_in_use_is_refused(page: ConfirmPage, asked: Asked) -> None:
    port = page.link("a-1").split(":")[2].split("/")[0]
    second = ConfirmPage(f"127.0.0.1:{port}", None, ABOUT.get, asked.answer)
    with pytest.raises(ConfigError, match="cannot listen"):
        await second.start()
