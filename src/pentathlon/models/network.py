"""A small neural network (Keras on JAX) on the shared design."""

from __future__ import annotations

import atexit
import importlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from pentathlon.features.design import Design, DesignBuilder
from pentathlon.models.device import check_jax, jax_platforms
from pentathlon.models.metrics import log_loss
from pentathlon.models.protocol import Hyperparameters, TrainingRows, Validation
from pentathlon.special import expit

CHUNK_ROWS = 200_000
PATIENCE = 3


class NetworkParameters(Hyperparameters):
    """Hyper-parameters of the network.

    Attributes
    ----------
    units : int
        Width of the first hidden layer; each further layer is half as wide.
    layers : int
        Number of hidden layers.
    dropout : float
    l2 : float
        Weight decay of the hidden layers.
    learning_rate : float
        Of Adam, decayed to zero along a cosine.
    batch_size : int
    epochs : int
        At most so many passes; early stopping may end sooner.
    """

    units: Annotated[int, Field(ge=1)] = 64
    layers: Annotated[int, Field(ge=1, le=4)] = 2
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    l2: Annotated[float, Field(ge=0)] = 1e-5
    learning_rate: Annotated[float, Field(gt=0)] = 3e-3
    batch_size: Annotated[int, Field(ge=1)] = 1024
    epochs: Annotated[int, Field(ge=1)] = 20


@dataclass(frozen=True)
class NeuralNetworkModel:
    """Multilayer perceptron with a logit output, trained on binary cross-entropy.

    Inference is a handful of matrix products in NumPy: the same numbers as Keras within float32
    rounding, without the seconds that importing it costs.

    Attributes
    ----------
    parameters : NetworkParameters
        With the number of epochs that early stopping found, where it was used.
    builder : DesignBuilder
        Scales of the inputs.
    network : keras.Model
    weights : tuple of (kernel, bias)
        The dense layers, first to last.
    logit_offset : float
    """

    name: ClassVar[str] = "neural_network"
    hyperparameters: ClassVar[type[Hyperparameters]] = NetworkParameters

    parameters: NetworkParameters
    builder: DesignBuilder
    network: Any
    weights: tuple[tuple[NDArray[np.float32], NDArray[np.float32]], ...]
    logit_offset: float

    @classmethod
    def fit(
        cls,
        rows: TrainingRows,
        builder: DesignBuilder,
        parameters: Mapping[str, Any],
        *,
        logit_offset: float,
        seed: int,
        threads: int,
        validation: Validation | None = None,
    ) -> Self:
        """Train; with validation rows, keep the epoch of their lowest natural-rate log loss."""
        keras = import_keras(threads)
        p = NetworkParameters.model_validate(dict(parameters))
        keras.utils.set_random_seed(seed)
        x = builder.standardise(rows.design).logged(rows.message)
        y = rows.response.astype(np.float32)
        network = _build(keras, p, x.shape[1])
        steps = max(1, int(np.ceil(len(x) / p.batch_size)))
        network.compile(
            optimizer=keras.optimizers.Adam(
                keras.optimizers.schedules.CosineDecay(p.learning_rate, p.epochs * steps)
            ),
            loss=keras.losses.BinaryCrossentropy(from_logits=True),
        )
        # The output starts at the sample's rate, so that no epoch is spent on learning it.
        network.layers[-1].bias.assign([float(np.log(y.mean() / (1 - y.mean())))])
        callbacks: list[Any] = []
        if validation is not None:
            callbacks.append(_early_stopping(keras, builder, validation, logit_offset))
        network.fit(
            x,
            y,
            batch_size=p.batch_size,
            epochs=p.epochs,
            verbose=0,
            shuffle=True,
            callbacks=callbacks,
        )
        if callbacks:
            network.set_weights(callbacks[0].best_weights)
            p = p.model_copy(update={"epochs": callbacks[0].best_epoch + 1})
        return cls(p, builder, network, _dense_weights(network), logit_offset)

    @property
    def fitted_parameters(self) -> dict[str, Any]:
        """Hyper-parameters with the number of epochs that were kept."""
        return self.parameters.model_dump()

    def _probability(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        z = forward(self.weights, x)
        return expit(z.astype(np.float64) + self.logit_offset).astype(np.float32)

    def predict(self, design: Design) -> NDArray[np.float32]:
        """Purchase probabilities, shape ``(n, n_messages)``."""
        out = np.empty((len(design), design.n_messages), dtype=np.float32)
        for start in range(0, len(design), CHUNK_ROWS):
            part = self.builder.standardise(design.take(slice(start, start + CHUNK_ROWS)))
            for k in range(design.n_messages):
                out[start : start + CHUNK_ROWS, k] = self._probability(part.under(k))
        return out

    def predict_logged(self, rows: TrainingRows) -> NDArray[np.float32]:
        """Purchase probability under each row's own message, shape ``(n,)``."""
        return self._probability(self.builder.standardise(rows.design).logged(rows.message))

    def save(self, folder: Path) -> None:
        """Write ``network.keras`` and ``model.json``."""
        self.network.save(folder / "network.keras")
        state = {
            "parameters": self.parameters.model_dump(),
            "builder": self.builder.to_dict(),
            "logit_offset": self.logit_offset,
        }
        (folder / "model.json").write_text(json.dumps(state, indent=1), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what :meth:`save` wrote; Keras refuses layers that carry code."""
        keras = import_keras(threads=None)
        state = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        network = keras.models.load_model(folder / "network.keras", compile=False, safe_mode=True)
        return cls(
            NetworkParameters.model_validate(state["parameters"]),
            DesignBuilder.from_dict(state["builder"]),
            network,
            _dense_weights(network),
            state["logit_offset"],
        )


def import_keras(threads: int | None) -> ModuleType:
    """Import Keras on the JAX backend, on the current device, with a set number of threads.

    The environment must be set before JAX starts; where it already runs, its settings stay.
    Every fit builds a network anew, and JAX would compile it anew: seconds that a cache saves,
    kept for as long as the process lives.
    """
    os.environ.setdefault("KERAS_BACKEND", "jax")
    os.environ.setdefault("JAX_PLATFORMS", jax_platforms())
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        folder = tempfile.mkdtemp(prefix="pentathlon-jax-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        os.environ["JAX_COMPILATION_CACHE_DIR"] = folder
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")
    if threads is not None and "XLA_FLAGS" not in os.environ:
        os.environ["XLA_FLAGS"] = (
            f"--xla_cpu_multi_thread_eigen={'false' if threads == 1 else 'true'}"
        )
    keras = importlib.import_module("keras")
    check_jax()
    return keras


def forward(
    weights: tuple[tuple[NDArray[np.float32], NDArray[np.float32]], ...], x: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Logit of a rectified multilayer perceptron, shape ``(n,)``."""
    for kernel, bias in weights[:-1]:
        x = np.maximum(x @ kernel + bias, np.float32(0))
    kernel, bias = weights[-1]
    return np.asarray(x @ kernel + bias, dtype=np.float32)[:, 0]


def _build(keras: ModuleType, p: NetworkParameters, n_inputs: int) -> Any:
    layers: list[Any] = [keras.layers.Input((n_inputs,))]
    for depth in range(p.layers):
        layers.append(
            keras.layers.Dense(
                max(1, p.units // 2**depth),
                activation="relu",
                kernel_regularizer=keras.regularizers.L2(p.l2),
            )
        )
        if p.dropout > 0:
            layers.append(keras.layers.Dropout(p.dropout))
    layers.append(keras.layers.Dense(1))
    return keras.Sequential(layers)


def _dense_weights(
    network: Any,
) -> tuple[tuple[NDArray[np.float32], NDArray[np.float32]], ...]:
    dense = [layer for layer in network.layers if hasattr(layer, "kernel")]
    return tuple(
        (np.asarray(kernel, dtype=np.float32), np.asarray(bias, dtype=np.float32))
        for kernel, bias in (layer.get_weights() for layer in dense)
    )


def _early_stopping(
    keras: ModuleType, builder: DesignBuilder, validation: Validation, logit_offset: float
) -> Any:
    """Callback that watches the natural-rate log loss of the validation rows."""
    held_out = builder.standardise(validation.rows.design).logged(validation.rows.message)

    class NaturalRateStopping(keras.callbacks.Callback):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.best_loss = np.inf
            self.best_epoch = 0
            self.best_weights: list[Any] = []

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            rows = validation.rows
            z = forward(_dense_weights(self.model), held_out).astype(np.float64)
            loss = log_loss(rows.response, expit(z + logit_offset), rows.sampling_weight)
            if loss < self.best_loss:
                self.best_loss, self.best_epoch = loss, epoch
                self.best_weights = self.model.get_weights()
            if validation.on_step is not None:
                validation.on_step(epoch + 1, self.best_loss)
            if epoch - self.best_epoch >= PATIENCE:
                self.model.stop_training = True

    return NaturalRateStopping()
