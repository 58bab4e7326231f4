import json
import shutil
from pathlib import Path

import pytest
from pydantic import ValidationError

from mempool_ids import _core
from mempool_ids.config import (
    Contract,
    IDSConfig,
    IDSMode,
    Secret,
    Url,
    load,
    redact_url,
    sensor_config,
    without_effect,
)
from mempool_ids.config.contracts import Donation, Invariants, Outflow, Release, Takeover, Views
from mempool_ids.config.core import contracts_json
from mempool_ids.config.load import locate
from mempool_ids.config.models import Simulation
from mempool_ids.config.section import Section
from mempool_ids.exceptions import ConfigError, ModelError
from mempool_ids.model import manifest
from tests.support import write_capture

DESIGN = """
operational_mode = "monitor_only"
[chain]
id = 1
websocket_urls = ["ws://127.0.0.1:8546"]
rpc_urls = ["http://127.0.0.1:8545"]
[[contracts]]
name = "Vault"
address = "0x5f5f5f5f5f5F5f5F5F5F5F5f5F5f5f5F5F5F5F5f"
abi = "vault.abi.json"
assets = ["native", "0x6b175474e89094c44da98b954eedeac495271d0f"]
pause = { call = "pause()", check = "paused()", gas = 80000 }
[detection]
classification_threshold = 0.7
threat_level_threshold = "HIGH"
rules = ["builtin", "rules/*.yaml"]
[simulation]
deadline_ms = 250
[defense]
signer = { type = "keystore", path = "guardian.json", password = "env:GUARDIAN_PASSWORD" }
gas = { buffer_multiplier = 1.5, max_fee_gwei = 500, max_cost_eth = 0.5, daily_budget_eth = 2.0 }
[alerts]
jsonl = "alerts.jsonl"
webhooks = [{ url = "https://hooks.example/services/T0000000000/B", secret = "env:HOOK_SECRET" }]
[storage]
url = "sqlite:///mempool-ids.db"
[server]
listen = "127.0.0.1:9464"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "conf" / "ids.toml"
    path.parent.mkdir()
    path.write_text(DESIGN)
    return path


def problem(path: Path | None, *overrides: str, **environ: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(path, overrides, environ=environ)
    return str(caught.value)


def test_the_designs_example_is_valid_and_paths_are_relative_to_the_file(file: Path) -> None:
    config = load(file, environ={})
    folder = file.parent
    assert config.operational_mode is IDSMode.MONITOR_ONLY
    assert config.contracts[0].abi == folder / "vault.abi.json"
    assert config.contracts[0].address == "0x" + "5f" * 20
    assert config.detection.rules == ("builtin", str(folder / "rules/*.yaml"))
    assert config.alerts.jsonl == folder / "alerts.jsonl"
    assert config.storage.path == folder / "mempool-ids.db"
    assert config.defense.signer is not None
    assert config.defense.signer.path == folder / "guardian.json"


def test_flag_wins_over_environment_over_file(file: Path) -> None:
    environ = {"MEMPOOL_IDS_CHAIN__ID": "5", "MEMPOOL_IDS_DETECTION_CLASSIFICATION_THRESHOLD": "0.5"}
    config = load(file, ["chain.id=7"], environ=environ)
    assert config.chain.id == 7
    assert config.detection.classification_threshold == 0.5
    assert load(file, environ=environ).chain.id == 5


def test_lists_can_be_given_as_comma_separated_text(file: Path) -> None:
    config = load(file, ["chain.websocket_urls=ws://a:1, ws://b:2"], environ={})
    assert [url.full for url in config.chain.websocket_urls] == ["ws://a:1", "ws://b:2"]
    config = load(file, ['chain.websocket_urls=["ws://c:3"]', "contracts.0.name=Bank"], environ={})
    assert config.chain.websocket_urls[0].full == "ws://c:3"
    assert config.contracts[0].name == "Bank"


def test_lists_of_tables_can_be_given_as_json_or_toml() -> None:
    contracts = json.dumps([{"name": "Vault", "address": "0x" + "5F" * 20, "abi": None}], indent=1)
    hooks = '[{url = "https://h/x", secret = "env:S"}]'
    environ = {"MEMPOOL_IDS_CONTRACTS": contracts, "MEMPOOL_IDS_ALERTS__WEBHOOKS": hooks}
    config = load(None, ["contracts.0.name=Bank"], environ=environ)
    assert [(each.name, each.address) for each in config.contracts] == [("Bank", "0x" + "5f" * 20)]
    assert [hook.url.full for hook in config.alerts.webhooks] == ["https://h/x"]
    assert load(None, [f"contracts={contracts}"], environ={}).contracts[0].name == "Vault"
    assert "MEMPOOL_IDS_CONTRACTS: contracts.0.adress: unknown key" in problem(
        None, MEMPOOL_IDS_CONTRACTS='[{"name": "Vault", "adress": "0x"}]'
    )
    assert "MEMPOOL_IDS_CONTRACTS: contracts: " in problem(None, MEMPOOL_IDS_CONTRACTS='[{"name": ')


def test_paths_in_flags_and_variables_are_relative_to_the_working_directory(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    hooks = '[{"url": "https://h/x", "secret": "file:hook.key"}]'
    environ = {"MEMPOOL_IDS_STORAGE_URL": "sqlite:///ids.db", "MEMPOOL_IDS_ALERTS_WEBHOOKS": hooks}
    overrides = ["alerts.jsonl=e.jsonl", "detection.rules=builtin,a.yaml,/b.yaml", "capture={dir='cap'}"]
    overrides.append("chain.spec=own.toml")
    config = load(file, overrides, environ=environ)
    assert config.alerts.jsonl == here / "e.jsonl"
    assert config.chain.spec == here / "own.toml"
    assert config.detection.rules == ("builtin", str(here / "a.yaml"), "/b.yaml")
    assert config.capture is not None
    assert config.capture.dir == here / "cap"
    assert config.storage.path == here / "ids.db"
    assert str(config.alerts.webhooks[0].secret) == f"file:{here}/hook.key"
    assert config.contracts[0].abi == file.parent / "vault.abi.json"


def test_a_misspelt_key_is_an_error_with_its_line_and_the_nearest_key(file: Path) -> None:
    file.write_text(DESIGN.replace("websocket_urls", "websoket_urls"))
    message = problem(file)
    assert message == f"{file}:5: chain.websoket_urls: unknown key; did you mean chain.websocket_urls?"


def test_misspelt_keys_are_named_wherever_they_are(file: Path) -> None:
    file.write_text(DESIGN.replace("[storage]", "[storrage]").replace("check =", "chek ="))
    message = problem(file)
    assert f"{file}:25: storrage: unknown key; did you mean storage?" in message
    assert f"{file}:12: contracts.0.pause.chek: unknown key; did you mean contracts.pause.check?" in message


def test_a_key_in_the_wrong_section_is_pointed_to_the_right_one() -> None:
    assert "did you mean detection.classification_threshold?" in problem(
        None, "chain.classification_threshold=0.5"
    )


def test_a_misspelt_environment_variable_is_an_error_and_a_foreign_one_is_not() -> None:
    assert "did you mean MEMPOOL_IDS_CHAIN_ID?" in problem(None, MEMPOOL_IDS_CHAIN__IDD="1")
    assert "MEMPOOL_IDS_CHAIN_NONSENSE" in problem(None, MEMPOOL_IDS_CHAIN_NONSENSE="1")
    load(None, environ={"MEMPOOL_IDS_XYZZY": "1", "PATH": "/"})


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("chain.id=zero", "--set chain.id: chain.id"),
        ("chain.id=0", "greater than 0"),
        ("chain", "expected key=value"),
        ("chain.id.sub=1", "no keys of its own"),
        ("contracts.3.name=x", "there is no entry 3"),
        ("detection.classification_threshold=1.5", "less than or equal to 1"),
        ("chain.websocket_urls=http://a", "must begin with ws:// or wss://"),
        ("chain.websocket_urls=nonsense", "not a URL"),
        ("operational_mode=watch", "'monitor_only', 'alert_only' or 'active_defense'"),
        ("storage.url=postgresql://user:hunter2@db/x", "SQLite only"),
        ("storage.url=sqlite:///:memory:", "must survive"),
        ("contracts.0.address=0x12", "40 hexadecimal digits"),
        ("sensor=a b", "String should match"),
        ("monitored_contracts=0x12", "did you mean contracts?"),
    ],
)
def test_wrong_values_are_refused_with_the_key(file: Path, override: str, expected: str) -> None:
    assert expected in problem(file, override)


def test_errors_do_not_repeat_values_that_may_be_secret(file: Path) -> None:
    for override in (
        'alerts.webhooks=[{url="https://h/x", secret="hunter2"}]',
        "storage.url=postgresql://user:hunter2@db/x",
        "chain.websocket_urls=http://user:hunter2@a",
    ):
        assert "hunter2" not in problem(file, override)


@pytest.mark.parametrize("text", ["a = [", "a = 1\na = 2", "[" * 5000])
def test_a_file_that_is_no_toml_is_refused_with_its_name(tmp_path: Path, text: str) -> None:
    path = tmp_path / "ids.toml"
    path.write_text(text)
    assert problem(path).startswith(str(path))


def test_a_missing_or_binary_file_is_refused(tmp_path: Path) -> None:
    assert "No such file" in problem(tmp_path / "none.toml")
    binary = tmp_path / "ids.toml"
    binary.write_bytes(b"\xff\xfe")
    assert "not UTF-8" in problem(binary)


def test_two_contracts_with_one_address_or_name_are_refused() -> None:
    address = "0x" + "11" * 20
    with pytest.raises(ValidationError, match="two have the address"):
        IDSConfig(monitored_contracts=[{"name": "a", "address": address}, {"name": "b", "address": address}])


def test_the_short_form_for_python() -> None:
    address = "0x" + "AB" * 20
    config = IDSConfig(websocket_url="ws://127.0.0.1:8546", monitored_contracts=[address], chain={"id": 5})
    assert config.chain.id == 5
    assert config.chain.websocket_urls == (Url("ws://127.0.0.1:8546"),)
    assert config.contracts[0].address == address.lower()
    with pytest.raises(ValidationError):
        IDSConfig(websocket_urls=["ws://a"])


def test_secrets_are_read_at_use_and_never_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = Secret("env:MY_HOOK_SECRET")
    monkeypatch.delenv("MY_HOOK_SECRET", raising=False)
    with pytest.raises(ConfigError, match="env:MY_HOOK_SECRET is not set"):
        secret.reveal()
    monkeypatch.setenv("MY_HOOK_SECRET", "hunter2")
    assert secret.reveal() == "hunter2"
    path = tmp_path / "secret"
    path.write_text("correct horse\n")
    assert Secret(f"file:{path}").reveal() == "correct horse"
    assert "hunter2" not in repr(secret) + str(secret)
    with pytest.raises(ConfigError, match="No such file"):
        Secret(f"file:{tmp_path}/none").reveal()


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("wss://mainnet.infura.io/ws/v3/0123456789abcdef0123", "wss://mainnet.infura.io/ws/v3/***"),
        ("https://user:pw@h:8545/x?key=1", "https://***@h:8545/x?***"),
        ("ws://[::1]:8546", "ws://[::1]:8546"),
        ("ws://h:99999999", "***"),
        ("nonsense", "***"),
    ],
)
def test_urls_are_shown_without_keys(url: str, shown: str) -> None:
    assert redact_url(url) == shown


def test_no_key_shows_in_the_configurations_repr(file: Path) -> None:
    config = load(file, ["chain.websocket_urls=wss://n/v3/abcdefabcdefabcdef"], environ={})
    assert "abcdefabcdefabcdef" not in repr(config)
    assert "abcdefabcdefabcdef" in sensor_config(config.model_copy(update={"contracts": ()}))


def test_early_without_simulation_has_no_effect_where_it_is_set() -> None:
    off = {"enabled": False}
    assert [key for key, _ in without_effect(IDSConfig(early={"beta": True}, simulation=off))] == ["early"]
    assert list(without_effect(IDSConfig(simulation=off))) == []
    assert list(without_effect(IDSConfig(early=off, simulation=off))) == []


def test_keys_without_effect_are_named_once_each_and_only_where_they_are_set(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (file.parent / "vault.abi.json").write_text("[]")
    config = load(file, environ={})
    expected = ["server", "detection.threat_level_threshold"]
    assert [key for key, _ in without_effect(config)] == expected
    sensor_config(config)
    assert [record.getMessage().partition(" has no effect: ")[0] for record in caplog.records] == expected
    caplog.clear()
    sensor_config(load(None, environ={"MEMPOOL_IDS_CHAIN_WEBSOCKET_URLS": "ws://a"}))
    assert not caplog.records
    config = load(None, environ={"MEMPOOL_IDS_SERVER_LISTEN": "127.0.0.1:1"})
    assert [key for key, _ in without_effect(config)] == ["server"]


def test_a_page_for_people_that_nobody_is_led_to_is_named() -> None:
    def told(*overrides: str) -> list[str]:
        return [key for key, _ in without_effect(load(None, overrides, environ={}))]

    asks, listens, leads = (
        f"defense.confirm.{key}" for key in ("seconds=8", "listen=a:1", "url=https://a.test")
    )
    assert told(asks, listens, leads) == told(asks) == []
    assert told(listens) == ["defense.confirm"]
    assert told(asks, leads) == ["defense.confirm.url"]


def test_the_cores_configuration_has_only_what_was_set(file: Path) -> None:
    (file.parent / "vault.abi.json").write_text("[]")
    config = load(file, ["chain.stall_timeout_ms=5000", "limits.batch=8", "capture.dir=cap"], environ={})
    core = json.loads(sensor_config(config))
    assert core["source"] == {
        "type": "live",
        "websocket_urls": ["ws://127.0.0.1:8546"],
        "rpc_urls": ["http://127.0.0.1:8545"],
        "stall_timeout_ms": 5000,
    }
    [contract] = core["contracts"]
    token = "0x6b175474e89094c44da98b954eedeac495271d0f"
    assert contract == {
        "name": "Vault",
        "address": "0x" + "5f" * 20,
        "assets": ["native", token],
        "abi": "[]",
    }
    assert core["limits"] == {"batch": 8}
    assert core["capture"] == {"dir": str(Path.cwd() / "cap")}
    assert core["model"]["onnxruntime"].rpartition("/")[2].startswith("libonnxruntime")
    replayed = json.loads(sensor_config(config, replay=[file], speed=2.0, emit="all", judge=False))
    assert replayed["source"] == {"type": "replay", "paths": [str(file)], "speed": 2.0}
    assert replayed["model"] is None
    assert replayed["capture"] is None


def test_the_models_own_threshold_holds_unless_one_is_configured(tmp_path: Path) -> None:
    assert judged_at() == 0.7
    folder = tmp_path / "model"
    shutil.copytree(manifest.BUILTIN, folder)
    document = json.loads((folder / "manifest.json").read_text())
    document["models"][document["default"]]["threshold"] = 0.4
    (folder / "manifest.json").write_text(json.dumps(document))
    assert judged_at(f"detection.model={folder}") == 0.4
    assert judged_at(f"detection.model={folder}", "detection.classification_threshold=0.7") == 0.7
    with pytest.raises(ModelError, match=r"none/manifest\.json"):
        judged_at(f"detection.model={tmp_path}/none")


def test_what_is_simulated_reaches_the_core_as_far_as_it_was_set(file: Path) -> None:
    assert simulated(file) == {"deadline_ms": 250}
    given = {
        "backend": "eth_simulate_v1",
        "deadline_ms": 40,
        "threshold": 0.25,
        "young_blocks": 100,
        "threads": 0,
        "queue": 9,
        "per_sender": 3,
        "gas": 1_000_000,
        "frames": 100,
        "bytes": 4096,
        "accesses": 64,
        "state": 1000,
        "vary": False,
    }
    assert given.keys() == Simulation.model_fields.keys() - {"enabled"}
    assert simulated(None, *(f"simulation.{key}={value}" for key, value in given.items())) == given
    assert simulated(file, "simulation.enabled=false") is None


@pytest.mark.parametrize("backend", ["revm", "debug_trace_call", "eth_simulate_v1"])
def test_the_core_takes_every_backend_and_every_limit(backend: str, tmp_path: Path) -> None:
    limits = [
        f"simulation.{key}=1"
        for key in sorted(Simulation.model_fields.keys() - {"enabled", "vary", "backend"})
    ]
    config = load(None, [*limits, "simulation.vary=true", f"simulation.backend={backend}"], environ={})
    _core.Sensor(sensor_config(config, replay=[write_capture(tmp_path / "c.jsonl", 1)]))


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("simulation.backend=geth", "'revm', 'debug_trace_call' or 'eth_simulate_v1'"),
        ("simulation.deadline_ms=0", "greater than 0"),
        ("simulation.threads=-1", "greater than or equal to 0"),
        ("simulation.threshold=2", "less than or equal to 1"),
        ("simulation.gass=1", "did you mean simulation.gas?"),
    ],
)
def test_a_simulation_that_cannot_be_is_refused(override: str, expected: str) -> None:
    assert expected in problem(None, override)


def simulated(path: Path | None, *overrides: str) -> object:
    config = load(path, ["chain.websocket_urls=ws://a", *overrides], environ={})
    contracts = [contract.model_copy(update={"abi": None}) for contract in config.contracts]
    return json.loads(sensor_config(config.model_copy(update={"contracts": contracts})))["simulation"]


def judged_at(*overrides: str) -> float:
    config = load(None, ["chain.websocket_urls=ws://a", *overrides], environ={})
    threshold = json.loads(sensor_config(config))["detection"]["threshold"]
    assert isinstance(threshold, float)
    return threshold


def test_without_a_node_or_an_abi_the_message_says_what_to_do(file: Path) -> None:
    with pytest.raises(ConfigError, match=r"chain\.websocket_urls is empty"):
        sensor_config(IDSConfig())
    with pytest.raises(ConfigError, match=r"ABI of Vault: .*vault.abi.json: No such file"):
        sensor_config(load(file, environ={}))


def test_lines_are_found_in_tables_arrays_and_dotted_keys() -> None:
    text = "a.b = 1\n[[c]]\nx = 1\n[[c]]\n# x = 2\nx = 2\n[d.e]\n'f' = 1\n"
    assert locate(text, ("a", "b")) == 1
    assert locate(text, ("c", 1, "x")) == 6
    assert locate(text, ("d", "e", "f", "g")) == 8
    assert locate(text, ("nowhere",)) is None


def test_what_is_allowed_on_a_contract_reaches_the_core_as_it_was_set(file: Path) -> None:
    token = "0x6b175474e89094c44da98b954eedeac495271d0f"
    outflow = Outflow(share=0.5, amounts={"native": 10**18, token: 2**255})
    config = load(file, environ={})
    contract = config.contracts[0].model_copy(update={"abi": None})
    assert contracts_json([contract]) == [
        {"name": "Vault", "address": "0x" + "5f" * 20, "assets": ["native", token]}
    ]
    contract = Contract(
        name="Vault",
        address=token,
        receivers=(token,),
        views=Views(share_price="sharePrice()"),
        invariants=Invariants(disabled=("donation",), outflow=outflow),
    )
    [entry] = contracts_json([contract])
    assert entry["receivers"] == [token]
    assert entry["views"] == {"share_price": "sharePrice()"}
    assert entry["invariants"]["disabled"] == ["donation"]
    assert entry["invariants"]["outflow"] == {
        "share": 0.5,
        "amounts": {"native": str(10**18), token: str(2**255)},
    }


@pytest.mark.parametrize(
    ("section", "values"),
    [
        (Outflow, {"share": 1.5}),
        (Outflow, {"amounts": {"native": -1}}),
        (Outflow, {"amounts": {"native": 2**256}}),
        (Outflow, {"amounts": {"ether": 1}}),
        (Views, {"share_price": "sharePrice"}),
        (Donation, {"factor": 0.5}),
        (Takeover, {"slots": ["0x12"]}),
        (Release, {"function": "release(bytes32)"}),
        (Release, {"function": "release(bytes32)", "root_word": -1}),
        (Invariants, {"outflows": {}}),
    ],
)
def test_a_wrong_parameter_of_an_invariant_is_refused(
    section: type[Section], values: dict[str, object]
) -> None:
    with pytest.raises(ValidationError):
        section.model_validate(values)


CHECKSUMMED = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
MISTYPED = CHECKSUMMED.replace("0x5aA", "0x5aa")


@pytest.mark.parametrize(
    "override",
    [
        f"contracts.0.address={MISTYPED}",
        f'contracts.0.assets=["native", "{MISTYPED}"]',
        f'contracts.0.admins=["{MISTYPED}"]',
        f'contracts.0.receivers=["{MISTYPED}"]',
        f'contracts.0.pause={{call = "pause()", via = "pauser:{MISTYPED}"}}',
        f"defense.guardian={MISTYPED}",
        f'defense.signer={{type = "jsonrpc", url = "http://a", address = "{MISTYPED}"}}',
    ],
)
def test_a_mistyped_address_is_refused_by_its_checksum(file: Path, override: str) -> None:
    assert "checksum is wrong" in problem(file, override)
    for right in (CHECKSUMMED, CHECKSUMMED.lower(), "0x" + CHECKSUMMED[2:].upper()):
        load(file, [override.replace(MISTYPED, right)], environ={})


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        (
            'contracts.0.admins=["0xmultisig"]',
            "contracts.0.admins.0: an address is 0x and 40 hexadecimal digits",
        ),
        (
            'contracts.0.assets=["ether"]',
            "contracts.0.assets.0: an asset is native, or the address of a token",
        ),
        (
            'contracts.0.pause={call = "pause"}',
            "contracts.0.pause.call: a function is its name and the types",
        ),
        ('contracts.0.pause={call = "pause()", via = "safe:0x12"}', "must be pauser:0x…"),
        ('defense.confirm.listen="8123"', "must be host:port"),
        ("defense.confirm.listen=localhost:http", "must be host:port"),
        ("defense.confirm.listen=localhost:70000", "must be host:port"),
    ],
)
def test_what_a_defense_needs_is_refused_where_it_cannot_be(file: Path, override: str, expected: str) -> None:
    assert expected in problem(file, override)


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("defense.arm=true", "did you mean defense.armed?"),
        ("defense.gas.max_fee=5", "did you mean defense.gas.max_fee_gwei?"),
        ("defense.rails.cooldown=5", "did you mean defense.rails.cooldown_s?"),
        ('defense.broadcast.builder=["titan"]', "did you mean defense.broadcast.builders?"),
        ("defense.confirm.second=5", "did you mean defense.confirm.seconds?"),
        ('contracts.0.pause={call = "pause()", chek = "paused()"}', "did you mean contracts.pause.check?"),
        (
            'defense.signer={type = "keystore", path = "k.json", pasword = "env:P"}',
            "defense.signer.pasword: unknown key; did you mean defense.signer.password?",
        ),
        (
            'defense.backup={type = "jsonrpc", url = "http://a", adress = "0x"}',
            "defense.backup.adress: unknown key; did you mean defense.backup.address?",
        ),
        (
            'defense.signer={type = "keystor"}',
            "defense.signer: there is no type 'keystor'; did you mean keystore? (types: keystore, environment,",
        ),
        ('defense.signer={path = "k.json"}', "defense.signer: its type is missing (types: keystore,"),
        ('defense.signer={type = "keystore", path = "k.json"}', "defense.signer.password: is missing"),
    ],
)
def test_a_misspelt_key_of_the_defense_is_named(file: Path, override: str, expected: str) -> None:
    assert expected in problem(file, override)


def test_every_kind_of_signer_can_be_set_by_variables() -> None:
    signer = {"MEMPOOL_IDS_DEFENSE_SIGNER_TYPE": "environment", "MEMPOOL_IDS_DEFENSE_SIGNER_KEY": "env:KEY"}
    assert str(load(None, environ=signer).defense.signer.key) == "env:KEY"
