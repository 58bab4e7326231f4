import asyncio
import contextlib
import json
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mempool_ids import _core
from mempool_ids.analyzer import ExploitPattern
from mempool_ids.cli import main
from mempool_ids.model import manifest
from tests.support import Node, eventually, running, transaction, write_capture

COMMAND = [sys.executable, "-m", "mempool_ids"]
ALL = ("--set", "detection.classification_threshold=0")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No ids.toml of the developer's, no variable of his."""
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith("MEMPOOL_IDS_"):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def own_log() -> Iterator[None]:
    """The command line sets up the process's log, here only for the test."""
    root = logging.getLogger()
    handlers = list(root.handlers)
    levels = {logger: logger.level for logger in (root, *map(logging.getLogger, ("httpx2", "httpcore2")))}
    yield
    root.handlers = handlers
    for logger, level in levels.items():
        logger.setLevel(level)


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    return write_capture(tmp_path / "capture.jsonl", 50)


def invoke(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    code = ended.value.code
    assert isinstance(code, int)
    return code


def test_the_version_is_the_cores(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke("--version") == 0
    assert capsys.readouterr().out == f"mempool-ids {_core.VERSION}\n"


@pytest.mark.parametrize(
    "command",
    [
        *("run", "replay", "capture", "check", "demo", "docs", "rules list", "rules lint", "rules test"),
        *("model train", "defend pause", "defend answer", "defend judge", "defend report"),
    ],
)
def test_help_teaches_by_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(*command.split(), "--help") == 0
    text = capsys.readouterr().out
    assert f"mempool-ids {command}" in re.sub(r"\s+", " ", text)
    assert "Example" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "--set", "chain.idd=1"], "did you mean chain.id?"),
        (["run"], "chain.websocket_urls is empty"),
        (["run", "-c", "none.toml"], "No such file"),
        (["run", "--set", "operational_mode=active_defense"], "does nothing by itself"),
        (["replay", "none.parquet"], "does not exist"),
        (["frobnicate"], "No such command"),
        (["model", "train", "-o", "x"], "--synthetic"),
        (["docs", "defence"], "there is no page 'defence'"),
        (["model", "eval"], "give one of --data, --traces, --early"),
    ],
)
def test_wrong_usage_or_configuration_is_exit_code_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(*arguments) == 2
    captured = capsys.readouterr()
    assert message in re.sub(r"[\s│]+", " ", captured.err)
    assert captured.out == ""


def test_the_documentation_is_in_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke("docs") == 0
    assert re.search(r"^defense +Defense$", capsys.readouterr().out, re.MULTILINE)
    for name in ("signers", "docs/signers.md"):  # as errors name it
        assert invoke("docs", name) == 0
        assert capsys.readouterr().out.startswith("# Signers\n")


def replay(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, "replay", *arguments], capture_output=True, text=True, timeout=60, check=False
    )


def test_replay_writes_alerts_to_stdout_and_a_summary_to_stderr(capture: Path) -> None:
    result = replay(str(capture), *ALL, "--json")
    assert result.returncode == 0, result.stderr
    alerts = [json.loads(line) for line in result.stdout.splitlines()]
    assert [alert["tx"]["nonce"] for alert in alerts] == list(range(1, 51))
    assert all(alert["response"]["mode"] == "monitor_only" for alert in alerts)
    summary = json.loads(result.stderr.splitlines()[-1])
    assert summary["transactions"] == summary["alerts"] == 50
    quiet = replay(
        str(capture), "--set", "detection.classification_threshold=1", "--set", "detection.rules=[]"
    )
    assert quiet.stdout == ""
    assert "50 transactions" in quiet.stderr


def test_replay_with_emit_all_gives_every_transaction_with_its_features(capture: Path) -> None:
    result = replay(str(capture), "--emit", "all")
    events = [json.loads(line) for line in result.stdout.splitlines()]
    transactions = [event for event in events if event["event_type"] == "tx"]
    assert [event["tx"]["hash"] for event in transactions] == [f"0x{n:064x}" for n in range(1, 51)]
    assert all(len(event["features"]) == 22 and 0 <= event["probability"] <= 1 for event in transactions)


def test_a_key_without_effect_is_a_warning(capture: Path) -> None:
    result = replay(str(capture), "--set", "simulation.deadline_ms=10", "--set", "server.listen=a:1")
    (warning,) = [line for line in result.stderr.splitlines() if "WARNING" in line]
    assert ": server has no effect: " in warning


def test_replay_stores_nothing(capture: Path, tmp_path: Path) -> None:
    replay(str(capture), *ALL)
    assert list(tmp_path.iterdir()) == [capture]


def test_replay_ends_quietly_when_its_reader_has_enough(tmp_path: Path) -> None:
    big = write_capture(tmp_path / "big.jsonl", 5000)
    command = " ".join([*COMMAND, "replay", str(big), "--emit", "all", *ALL])
    script = f"{command} 2>err | head -n 1 >/dev/null; echo ${{PIPESTATUS[0]}}"
    result = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert result.stdout == "0\n"
    assert "Traceback" not in (tmp_path / "err").read_text()
    assert "BrokenPipe" not in (tmp_path / "err").read_text()


def test_lines_that_are_no_transactions_are_reported_and_skipped(capture: Path) -> None:
    with capture.open("a") as file:
        file.write("garbage\n")
        file.write(json.dumps(transaction(99)) + "\n")
    result = replay(str(capture), *ALL)
    assert len(result.stdout.splitlines()) == 51
    assert "malformed" in result.stderr


def test_rules_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["rules", "list", "--json"])
    assert not ended.value.code
    rules = json.loads(capsys.readouterr().out)
    with pytest.raises(SystemExit):
        main(["rules", "list"])
    table = capsys.readouterr().out
    assert len(rules) >= 6
    assert all(str(rule["sid"]) in table and rule["msg"] in table for rule in rules)


def test_invariants_are_listed_and_linted_with_the_rules_and_are_no_signatures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "mine.yaml"
    text = "invariants:\n- {sid: 9, msg: Shares fall, weight: 0.5, never: 'price() drop > 0.1 %'}\n"
    file.write_text(text)
    assert invoke("rules", "lint", str(file)) == 0
    assert invoke("rules", "list", str(file)) == 0
    assert "price() drop > 0.1 %" in " ".join(capsys.readouterr().out.split())
    assert ExploitPattern.load([str(file)]) == []
    file.write_text(text.replace("drop", "falls"))
    assert invoke("rules", "lint", str(file)) == 1
    assert f"{file}:2: error: sid 9: never: 'falls' is not one of" in capsys.readouterr().out


def test_lint_names_file_and_error_and_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("rules: [{sid: zero}]\n")
    assert invoke("rules", "lint", str(bad)) == 1
    assert "bad.yaml" in capsys.readouterr().out
    assert invoke("rules", "lint", "builtin") == 0


def test_rules_test_says_what_matches_and_meets_expectations(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "tx.jsonl"
    file.write_text(json.dumps(transaction(1)) + "\n")
    assert invoke("rules", "test", "builtin", "--tx", str(file), "--json") == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["hash"] == transaction(1)["hash"]
    assert invoke("rules", "test", "builtin", "--tx", str(file), "--expect", "999999999") == 1
    assert "sid 999999999 does not match" in capsys.readouterr().err


def test_the_card_is_the_shipped_one_and_that_of_the_configured_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["model", "card"])
    assert capsys.readouterr().out == (manifest.BUILTIN / "MODEL_CARD.md").read_text()
    with pytest.raises(SystemExit):
        main(["model", "card", "--set", f"detection.model={_model(tmp_path, '1.2.3')}"])
    assert "1.2.3" in capsys.readouterr().out


def _model(tmp_path: Path, version: str) -> Path:
    """A copy of the shipped model under another version."""
    folder = tmp_path / "model"
    shutil.copytree(manifest.BUILTIN, folder)
    document = json.loads((folder / "manifest.json").read_text())
    document["models"][document["default"]]["version"] = version
    (folder / "manifest.json").write_text(json.dumps(document))
    return folder


def test_eval_measures_the_configured_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[Path] = []

    def evaluate(model_dir: Path, *_: object, **__: object) -> dict[str, str]:
        asked.append(model_dir)
        return {}

    monkeypatch.setattr("mempool_ids.model.training.commands.evaluate", evaluate)
    (tmp_path / "ids.toml").write_text("[detection]\nmodel = 'mine'\n")
    for named in ([], ["."]):
        with pytest.raises(SystemExit):
            main(["model", "eval", *named, "--data", "."])
    assert asked == [tmp_path / "mine", Path()]
    assert capsys.readouterr().out == "{}\n{}\n"


def test_testing_rules_works_as_documented(tmp_path: Path) -> None:
    document = Path(__file__).parent.parent / "docs" / "rules.md"
    (command,) = re.findall(r"^mempool-ids (rules test .*?) +#", document.read_text(), re.MULTILINE)
    (tmp_path / "FILE").write_text(json.dumps(transaction(1)) + "\n")
    assert invoke(*command.split()) == 0


class Live:
    """`mempool-ids` as a process, with a node."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.err = ""

    async def until(self, text: str) -> None:
        assert self.process.stderr is not None
        while text not in self.err:
            line = await asyncio.wait_for(self.process.stderr.readline(), 20)
            assert line, self.err
            self.err += line.decode()

    async def stop(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        self.process.send_signal(number)
        out, err = await asyncio.wait_for(self.process.communicate(), 20)
        self.err += err.decode()
        return self.process.returncode or 0, out.decode()


async def start(*arguments: str) -> Live:
    return Live(
        await asyncio.create_subprocess_exec(
            *COMMAND, *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
    )


def events(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_run_says_ready_alerts_and_stops_cleanly_with_all_events(tmp_path: Path, number: int) -> None:
    async with running(Node()) as node:
        live = await start(
            "run",
            "--set",
            f"chain.websocket_urls={node.url}",
            "--set",
            "alerts.jsonl=e.jsonl",
            "--set",
            "simulation.enabled=false",  # else in the order in which simulations end
            *ALL,
            "--json",
        )
        await live.until("sensor ready")
        for nonce in range(1, 101):
            await node.announce(transaction(nonce))
        # Up to here the node has sent everything; give the socket, not the sensor, a moment.
        await asyncio.sleep(0.5)
        code, out = await live.stop(number)
    assert code == 0, live.err
    alerts = [event for event in events(tmp_path / "e.jsonl") if event["event_type"] == "alert"]
    assert [event["tx"]["nonce"] for event in alerts] == list(range(1, 101))
    assert [json.loads(line)["tx"]["nonce"] for line in out.splitlines()] == list(range(1, 101))
    assert "100 alerts" in live.err


async def test_run_stops_though_nobody_reads_its_stderr(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writing, b"." * 4096)
    os.set_blocking(writing, True)
    async with running(Node()) as node:
        process = await asyncio.create_subprocess_exec(
            *COMMAND,
            "run",
            "--set",
            f"chain.websocket_urls={node.url}",
            "--set",
            "alerts.jsonl=e.jsonl",
            *ALL,
            stderr=writing,
        )
        try:
            await eventually(lambda: (tmp_path / "e.jsonl").exists())
            await asyncio.sleep(1)  # until it has said that it is ready
            await node.announce(transaction(1))
            await eventually(lambda: bool(events(tmp_path / "e.jsonl")))
            process.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(process.wait(), 15) == 0
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            os.close(writing)
            os.close(reading)


async def test_sighup_reloads_rules_and_keeps_the_old_ones_if_they_are_bad(tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text("rules: []\n")
    async with running(Node()) as node:
        live = await start(
            "run", "--set", f"chain.websocket_urls={node.url}", "--set", f"detection.rules={rules}"
        )
        await live.until("sensor ready")
        live.process.send_signal(signal.SIGHUP)
        await live.until("rules reloaded")
        rules.write_text("rules: [{sid: zero}]\n")
        live.process.send_signal(signal.SIGHUP)
        await live.until("rules not reloaded, the old ones stay")
        code, _ = await live.stop()
    assert code == 0


async def test_a_killed_sensor_has_every_alert_it_emitted_in_its_storage(tmp_path: Path) -> None:
    async with running(Node()) as node:
        arguments = [
            "run",
            "--set",
            f"chain.websocket_urls={node.url}",
            "--set",
            "alerts.jsonl=e.jsonl",
            *ALL,
        ]
        live = await start(*arguments)
        await live.until("sensor ready")
        log = tmp_path / "e.jsonl"
        for nonce in range(1, 201):
            await node.announce(transaction(nonce))
        await eventually(lambda: log.exists() and log.read_bytes().count(b"\n") >= 5)
        await live.stop(signal.SIGKILL)
    emitted = {
        json.loads(line)["alert_id"] for line in log.read_bytes().split(b"\n")[:-1] if b'"alert"' in line
    }
    from mempool_ids.storage import Store

    store = Store(tmp_path / "mempool-ids.db", 1)
    stored = {event["alert_id"] for event in store.events()}
    store.close()
    assert emitted
    assert emitted <= stored


async def test_capture_records_what_replay_reads(tmp_path: Path) -> None:
    async with running(Node()) as node:
        live = await start("capture", "-o", "cap", "--set", f"chain.websocket_urls={node.url}", "--json")
        await live.until("sensor ready")
        for nonce in range(1, 21):
            await node.announce(transaction(nonce))
        await asyncio.sleep(0.5)
        code, out = await live.stop()
    assert code == 0, live.err
    assert json.loads(out)["transactions"] == 20
    assert list((tmp_path / "cap").iterdir())


class NodeWithBacklog(Node):
    """Its pool holds 500 transactions that were announced before."""

    def _answer(self, method: str, params: list[Any]) -> Any:
        if method == "txpool_content":
            pool = {transaction(n)["hash"]: {str(n): transaction(n)} for n in range(1000, 1500)}
            return {"pending": pool, "queued": {}}
        return super()._answer(method, params)


@pytest.mark.parametrize("whole", [True, False], ids=["transactions", "hashes"])
async def test_bench_compares_what_endpoints_announce_and_not_their_backlogs(whole: bool) -> None:
    async with running(NodeWithBacklog(whole=whole)) as slow, running(NodeWithBacklog(whole=whole)) as fast:
        urls = f"chain.websocket_urls={slow.url},{fast.url}"
        live = await start("bench", "--json", "--no-stages", "--seconds", "3", "--set", urls)
        await asyncio.gather(slow.subscribed.wait(), fast.subscribed.wait())
        await asyncio.sleep(0.5)  # until the sensor knows it, too
        for nonce in range(1, 11):
            await fast.announce(transaction(nonce))
            await asyncio.sleep(0.01)
            await slow.announce(transaction(nonce))
        out, err = await asyncio.wait_for(live.process.communicate(), 30)
    assert live.process.returncode == 0, err
    winner, loser = json.loads(out)["endpoints"]
    assert (winner["seen"], winner["first"], winner["first_share"]) == (10, 10, 1.0)
    assert (loser["seen"], loser["first"], loser["first_share"]) == (10, 0, 0.0)
    assert (winner["endpoint"], loser["endpoint"]) == (fast.url, slow.url)
    assert loser["mean_lag_us"] > 5_000


async def test_check_passes_a_good_node_and_fails_a_missing_one() -> None:
    async with running(Node()) as node:
        live = await start("check", "--json", "--set", f"chain.websocket_urls={node.url}")
        out, err = await asyncio.wait_for(live.process.communicate(), 30)
    findings = json.loads(out)
    assert live.process.returncode == 0, err
    assert {finding["check"] for finding in findings} >= {
        "configuration",
        "threshold",
        "model",
        "rules",
        "websocket",
        "mode",
    }
    assert [f["detail"] for f in findings if f["check"] == "threshold"] == ["0.7, the model's own"]
    assert [f["status"] for f in findings if f["check"] == "configuration"] == ["ok"]
    unused = ("--set", "server.listen=127.0.0.1:1")
    live = await start("check", "--set", "chain.websocket_urls=ws://127.0.0.1:9", *ALL, *unused)
    out, err = await asyncio.wait_for(live.process.communicate(), 30)
    assert live.process.returncode == 1
    assert b"failed" in out
    assert b"0, configured" in out
    assert re.search(rb"warning +configuration +server +has no effect", out)
