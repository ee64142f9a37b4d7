"""ONNX Runtime on the processor."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from tests.benchmarks.machine import cores
from tests.benchmarks.rounds import Repeated
from tests.benchmarks.tasks import Net, probabilities


def facts() -> dict[str, str]:
    """Versions and threads; without a setting it takes as many as there are processors."""
    return {"version": f"ONNX Runtime {onnxruntime.__version__}", "threads": str(cores())}


def document(task: Net) -> bytes:
    """The network as an ONNX model: a Gemm for each layer, Relu between them."""
    nodes, held, name = [], [], "x"
    for number, (weight, bias) in enumerate(task.parameters(), 1):
        held += [numpy_helper.from_array(weight, f"w{number}"), numpy_helper.from_array(bias, f"b{number}")]
        nodes.append(helper.make_node("Gemm", [name, f"w{number}", f"b{number}"], [f"z{number}"], transB=1))
        nodes.append(helper.make_node("Relu", [f"z{number}"], [f"a{number}"]))
        name = f"a{number}"
    last = f"z{len(task.sizes) - 1}"
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", task.sizes[0]])
    out = helper.make_tensor_value_info(last, TensorProto.FLOAT, ["N", task.sizes[-1]])
    graph = helper.make_graph(nodes[:-1], "net", [x], [out], held)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model.SerializeToString()


class Predict(Repeated):
    """``run`` for one row."""

    def __init__(self, task: Net, threads: int = 0) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.session = onnxruntime.InferenceSession(document(task), options, ["CPUExecutionProvider"])
        self.x = task.data()[0]

    def predict(self, x: np.ndarray) -> np.ndarray:
        """The scores."""
        return self.session.run(None, {"x": x})[0]

    def run(self, calls: int) -> None:
        run, x = self.session.run, self.x
        for _ in range(calls):
            run(None, {"x": x})

    def answer(self) -> list[float]:
        return probabilities(self.predict(self.x))
