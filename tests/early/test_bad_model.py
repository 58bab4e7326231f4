"""A model that fails on what it is asked: told where it begins, counted, and attacks are proved all the same."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from mempool_ids.demo.anvil import Anvil, AnvilOptions
from mempool_ids.demo.rpc import Rpc
from mempool_ids.model.manifest import BUILTIN
from tests.early.hostile import anomalies, early, sensing
from tests.early.test_deployed import configure, early_alerts
from tests.early.traps import TRAPS

onnx = pytest.importorskip("onnx")


def failing(folder: Path) -> Path:
    """The shipped models, but one of those over contracts has an answer for the empty row alone."""
    shutil.copytree(BUILTIN, folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    of = manifest["early"]["high_precision"]
    width = len(manifest["early"]["feature_schema"]["names"]) + sum(
        size for _, size in manifest["early"]["blocks"]
    )
    real, rows = onnx.TensorProto.FLOAT, ["N", width]
    make = onnx.helper.make_node
    nodes = [
        make("ReduceMax", ["features"], ["most"], axes=[1], keepdims=0),
        make("Cast", ["most"], ["place"], to=onnx.TensorProto.INT64),
        # Of one element: any other place is none.
        make("Gather", ["one", "place"], ["probability"]),
    ]
    graph = onnx.helper.make_graph(
        nodes,
        "fails",
        [onnx.helper.make_tensor_value_info("features", real, rows)],
        [onnx.helper.make_tensor_value_info("probability", real, ["N"])],
        [onnx.numpy_helper.from_array(np.array([0.5], np.float32), "one")],
    )
    opset = [onnx.helper.make_opsetid("", 13)]
    model = onnx.helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString()
    (folder / of["file"]).write_bytes(model)
    of["sha256"] = hashlib.sha256(model).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


async def test_a_model_that_fails_is_told_once_and_each_score_counted(
    anvil_binary: Path, tmp_path: Path
) -> None:
    models = failing(tmp_path / "models")
    with Anvil(anvil_binary, AnvilOptions()) as anvil:
        async with Rpc(anvil.http_url) as rpc:
            trap = await TRAPS["reentrancy"](rpc)
            config = configure(tmp_path / "run", anvil, {"reentrancy": trap})
            async with sensing(config, f"detection.model={models}") as sensor:
                for _ in range(2):
                    contract = await trap.place()
                    await trap.stage.settle()
                    await sensor.until(
                        lambda contract=contract: bool(early_alerts(sensor.events(), contract)),  # type: ignore[misc]
                        "the attack to be told",
                        30,
                    )
                    (alert, *_) = early_alerts(sensor.events(), contract)
                    assert alert["early"]["contract"]["score"] is None
                await sensor.until(lambda: early(sensor)["scores_failed"] >= 2, "both to be counted")
                assert len(anomalies(sensor.events(), "inference")) == 1
