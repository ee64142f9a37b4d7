"""The workloads: who does what."""

from __future__ import annotations

from dataclasses import replace

from tests.benchmarks.entries import AVX2, CHOSEN, OURS, OWN, Case, Contender, Workload
from tests.benchmarks.tasks import Chain, Net, Xor

TORCH, JAX, SCIKIT, ONNX = ("torch",), ("jax",), ("sklearn",), ("onnx", "onnxruntime")
BOTH, OWN_ONLY = (AVX2, CHOSEN), (OWN,)
STRAIGHT = "NumPy in a straight line"
BY_HAND, PRODUCTS, TUTORIAL = "NumPy planned by hand", "its matrix products alone", "a tutorial's loop"
PYTORCH, PYTORCH_FUSED, SKLEARN = "PyTorch", "PyTorch, fused optimizer", "scikit-learn"
XLA, XLA_SCANNED = "JAX, jit", "JAX, jit of a whole epoch"
RUNTIME, RUNTIME_ALONE = "ONNX Runtime", "ONNX Runtime, one thread"
DIGITS = (784, 512, 256, 10)
"""The sizes of the larger network."""

XOR = Workload(
    "xor",
    "XOR, a step",
    "2-3-1 with sigmoid, float64, the full batch of 4, squared error, descent; the cost of every step is kept.",
    (
        Case(
            "",
            Xor(),
            (
                Contender(OURS, "ours", "Full"),
                Contender(STRAIGHT, "by_hand", "Straight"),
                Contender(
                    BY_HAND,
                    "by_hand",
                    "Full",
                    note="Its biases are folded into the products, its examples stand in columns.",
                ),
                Contender(TUTORIAL, "tutorial", "Full"),
                Contender(PYTORCH, "pytorch", "Full", TORCH, OWN_ONLY),
                Contender(SKLEARN, "scikit", "Full", SCIKIT, note="Its cost is the crossentropy."),
                Contender(XLA, "xla", "Full", JAX, OWN_ONLY),
            ),
        ),
    ),
)


def mlp(optimizer: str, rate: float, tolerance: float) -> Workload:
    """Training of the larger network."""
    task = Net(DIGITS, batch=128, rows=12_800, optimizer=optimizer, rate=rate)
    return Workload(
        f"mlp-{optimizer}",
        f"{'-'.join(map(str, DIGITS))} with {optimizer}, a step",
        "float32, batches of 128 out of 12,800 examples in memory, shuffled for each epoch; ReLU, softmax and"
        " crossentropy of class numbers; the mean cost of every epoch is kept.",
        (
            Case(
                "",
                task,
                (
                    Contender(OURS, "ours", "Batches", kernels=BOTH),
                    Contender(PRODUCTS, "by_hand", "Products", kernels=BOTH),
                    Contender(BY_HAND, "by_hand", "Batches", kernels=BOTH),
                    Contender(PYTORCH, "pytorch", "Batches", TORCH, OWN_ONLY),
                    Contender(PYTORCH_FUSED, "pytorch", "Batches", TORCH, OWN_ONLY, {"fused": True}),
                    Contender(SKLEARN, "scikit", "Batches", SCIKIT, BOTH),
                    Contender(XLA, "xla", "Batches", JAX, OWN_ONLY),
                    Contender(XLA_SCANNED, "xla", "Scanned", JAX, OWN_ONLY),
                ),
                tolerance,
            ),
        ),
    )


def predict(name: str, sizes: tuple[int, ...], kernels: tuple[str, ...]) -> Workload:
    """Prediction for one row."""
    return Workload(
        name,
        f"{'-'.join(map(str, sizes))}, predicting one row",
        "float32, ReLU; from a NumPy array to a NumPy array.",
        (
            Case(
                "",
                Net(sizes),
                (
                    Contender(OURS, "ours", "Predict", kernels=kernels),
                    Contender(BY_HAND, "by_hand", "Predict", kernels=kernels, note="Its input is not looked at."),
                    Contender(RUNTIME, "onnx_runtime", "Predict", ONNX, OWN_ONLY),
                    Contender(RUNTIME_ALONE, "onnx_runtime", "Predict", ONNX, OWN_ONLY, {"threads": 1}),
                    Contender(PYTORCH, "pytorch", "Predict", TORCH, OWN_ONLY),
                    Contender(XLA, "xla", "Predict", JAX, OWN_ONLY),
                    Contender(SKLEARN, "scikit", "Predict", SCIKIT, kernels),
                ),
                1e-4,
            ),
        ),
    )


START = Workload(
    "start",
    "From nothing to the first prediction",
    "Seconds from the start of the interpreter to its end: a saved 4-16-3 is loaded and predicts one row.",
    (
        Case(
            "",
            Net((4, 16, 3)),
            (
                Contender(OURS, "commands", "Program", options={"program": "ours"}),
                Contender("`import numpy` and no more", "commands", "Program", options={"program": "numpy"}),
                Contender("`python -m nbn_spec --version`", "commands", "Version"),
                Contender(RUNTIME, "commands", "Program", ONNX, OWN_ONLY, {"program": "onnx"}),
                Contender(PYTORCH, "commands", "Program", TORCH, OWN_ONLY, {"program": "torch"}),
            ),
            1e-4,
        ),
    ),
)

CHAINS = (1_000, 10_000, 100_000)
COMPILES, PREDICTS = "compile", "predict one row"
COMPILE = Workload(
    "compile",
    "Compiling a chain",
    "Linear layers of four units, each with a tanh, one behind the other.",
    tuple(
        Case(
            f"{nodes:,} nodes",
            Chain(nodes),
            (Contender(COMPILES, "ours", "Compile"), Contender(PREDICTS, "ours", "PredictChain")),
        )
        for nodes in CHAINS
    ),
    layout="grid",
    growth=True,
    most=3,
)


def step(title: str, task: Net, steps: int = 1) -> Case:
    """A training step, or so many, by this program, its matrix products, and PyTorch."""
    return Case(
        title,
        task,
        (
            Contender(OURS, "ours", "Batches"),
            Contender(PRODUCTS, "by_hand", "Products"),
            Contender(PYTORCH, "pytorch", "Batches", TORCH, OWN_ONLY),
        ),
        1e-3,
        steps,
    )


def epoch(title: str, task: Net) -> Case:
    """All steps of an epoch."""
    return step(title, task, task.steps)


def grown(name: str, title: str, doc: str, cases: list[Case]) -> Workload:
    """How a step, or an epoch, grows with one thing."""
    ratios = ((f"{PYTORCH} ÷ {OURS}", PYTORCH, OURS), (f"{OURS} ÷ products", OURS, PRODUCTS))
    return Workload(f"growth-{name}", title, doc, tuple(cases), "grid", ratios=ratios, growth=True, most=5)


SLOW = Net((), rate=1e-4)
"""A rate at which nothing diverges, however deep."""
GROWTH = (
    grown(
        "depth",
        "A step by depth",
        "Layers of 64 units, batches of 32.",
        [step(f"{n} layers", replace(SLOW, sizes=(*[64] * n, 10), batch=32, rows=3200)) for n in (2, 8, 32, 128)],
    ),
    grown(
        "width",
        "A step by width",
        "Two hidden layers as wide as the input, batches of 128.",
        [step(f"{n} units", replace(SLOW, sizes=(n, n, n, 10), batch=128, rows=1280)) for n in (64, 256, 1024)],
    ),
    grown(
        "batch",
        "A step by batch size",
        "784-512-256-10.",
        [
            step(f"batch of {n:,}", replace(SLOW, sizes=DIGITS, batch=n, rows=min(100 * n, 10_240)))
            for n in (1, 16, 128, 1024)
        ],
    ),
    grown(
        "rows",
        "An epoch by the number of examples",
        "16-32-10, batches of 100: ten times as many examples should take ten times as long.",
        [
            epoch(f"{n:,} rows", replace(SLOW, sizes=(16, 32, 10), batch=100, rows=n))
            for n in (1000, 10_000, 100_000)
        ],
    ),
    grown(
        "nodes",
        "A step by the number of nodes",
        "Layers of four units with ReLU between them, batches of 8.",
        [
            step(f"{2 * n - 1:,} nodes", replace(SLOW, sizes=(*[4] * n, 10), batch=8, rows=80))
            for n in (50, 500, 5000)
        ],
    ),
)

MEASURED, ANNOUNCED, SHARE = "measured", "announced", "measured ÷ announced"
SHAPES = (
    ("784-512-256-10", Net(DIGITS, batch=128, rows=12_800, optimizer="adam")),
    ("64 layers of 256", Net((*[256] * 64, 10), batch=128, rows=1280, optimizer="adam", rate=1e-6)),
    ("256-4096-4096-10", Net((256, 4096, 4096, 10), batch=512, rows=5120, optimizer="adam")),
)
MEMORY = Workload(
    "memory",
    "Memory of a training",
    "The most that a process holds while it makes the data, compiles and trains with Adam, beyond what it held"
    " before; and what the program announced.",
    tuple(
        Case(title, task, (Contender(MEASURED, "memory", "Peak"), Contender(ANNOUNCED, "memory", "Announced")))
        for title, task in SHAPES
    ),
    layout="grid",
    unit="B",
    ratios=((SHARE, MEASURED, ANNOUNCED),),
    most=3,
)

SMALL, LARGE = predict("predict-small", (4, 16, 3), (CHOSEN,)), predict("predict-large", DIGITS, BOTH)
WORKLOADS = {
    item.name: item
    for item in (
        XOR,
        mlp("sgd", 0.01, 1e-3),
        mlp("adam", 0.001, 5e-3),
        SMALL,
        LARGE,
        START,
        COMPILE,
        *GROWTH,
        MEMORY,
    )
}
