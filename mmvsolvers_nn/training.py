"""Training of auto-encoders: resumable, early stopping, the same result however often it is interrupted."""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import ExitStack
from math import isfinite
from pathlib import Path
from typing import Any

import torch

from mmvsolvers.writing import sole_user
from mmvsolvers_nn.autoencoders import CHUNK, AutoEncoder
from mmvsolvers_nn.configuration import Configuration, build
from mmvsolvers_nn.distributed import Processes, as_device, processes
from mmvsolvers_nn.files import (
    CONFIGURATION,
    foreign_checkpoint,
    load_checkpoint,
    read_configuration,
    save_checkpoint,
    save_weights,
    write_configuration,
)
from mmvsolvers_nn.reporting import Reporter
from mmvsolvers_nn.sampling import Sampler, Samples
from mmvsolvers_nn.steps import TrainingStep, captured

# Steps between two checkpoints inside an epoch.
_CHECKPOINT_STEPS = 200


class TrainingError(FloatingPointError):
    """A training that cannot go on: its numbers are not finite.

    Examples
    --------
    >>> import mmvsolvers_nn as mmvnn
    >>> try:
    ...     raise mmvnn.TrainingError("the validation loss is not finite")
    ... except FloatingPointError as error:
    ...     print(error)
    ...
    the validation loss is not finite
    """


def train(
    configuration: Configuration,
    directory: Path | str,
    *,
    device: str | None = None,
    show_progress: bool = False,
) -> AutoEncoder:
    """Train an auto-encoder, or go on with an interrupted training of the same configuration.

    Writes ``configuration.json``, ``log.jsonl``, ``checkpoint.pt``, TensorBoard's event files where it is installed
    and, at the end, ``weights.safetensors``. On a CPU the result does not depend, to the last bit, on interruptions.

    Parameters
    ----------
    configuration : Configuration
        What to train.
    directory : Path or str
        Where the run's files are, or go.
    device : str, optional
        Where to compute, such as "cpu" or "cuda:1"; a GPU by default, if there is one.
    show_progress : bool, default False
        Whether to draw a progress bar on the terminal.

    Returns
    -------
    AutoEncoder
        With the weights of the best validation loss, the untrained ones among them, and the threshold fitted.

    Raises
    ------
    ValueError
        If ``directory`` holds a run of another configuration or files that are none of a run, for a device that is not
        there, and for batches that the processes cannot share equally.
    OSError
        If another process trains in ``directory``, or it cannot be written.
    TrainingError
        If most steps of an epoch had a gradient that is not finite, or the validation loss is not.

    Examples
    --------
    >>> import mmvsolvers as mmv, mmvsolvers_nn as mmvnn
    >>> scenario = mmv.Scenario(N=20, L=8, M=4, noise_var=0.1, activity=mmv.IndependentActivity(0.1))
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> configuration = mmvnn.Configuration(
    ...     scenario=scenario,
    ...     architecture=mmvnn.Architecture(scheme="amp_nn", U=2, V=0),
    ...     optimisation=mmvnn.Optimisation(n_train=64, n_validation=64, max_epochs=1),
    ... )
    >>> with TemporaryDirectory() as folder:
    ...     model = mmvnn.train(configuration, folder, device="cpu")
    ...     print((Path(folder) / "weights.safetensors").exists())
    ...
    True
    """
    place, directory = as_device(device), Path(directory)
    with processes(place) as group:
        if configuration.optimisation.batch_size % group.total:
            raise ValueError(
                f"batch_size must be a multiple of the number of processes, {group.total}; "
                f"got {configuration.optimisation.batch_size}"
            )
        with ExitStack() as held:
            group.agree(lambda: _claim(directory, configuration, held))
            run = _Run(configuration, directory, place, group)
            if not run.is_finished:
                with Reporter(
                    directory, configuration, run.epoch, enabled=group.is_first, progress=show_progress
                ) as report:
                    run.go_on(report)
            return run.conclude()


class _Run:
    """One training run: the model, what an interrupted run needs to know, and the files that hold it."""

    def __init__(self, configuration: Configuration, directory: Path, device: torch.device, group: Processes) -> None:
        self.configuration, self.directory, self.device, self.group = configuration, directory, device, group
        self.options = configuration.optimisation
        self.model = build(configuration)
        self.n_iter = self.model.decoder.approximation.U
        self.sampler = Sampler(configuration.scenario, self.options, self.model.encoder().detach().numpy())
        self.model = self.model.to(device)
        self.optimizer = torch.optim.Adam(
            [{"params": parameters, "lr": torch.zeros((), device=device)} for parameters in self._parts()],
            fused=True,
            capturable=device.type == "cuda",
        )
        self.training_step = TrainingStep(self.model, self.optimizer, self.options.clip_norm, group)
        self.step, self.best_epoch, self.best_loss = 0, 0, torch.inf
        self.best_weights = copy.deepcopy(self.model.state_dict())
        state = group.agree(lambda: load_checkpoint(directory))
        if state is not None:
            self._load(state)

    @property
    def epoch(self) -> int:
        """Number of finished epochs."""
        return self.step // self.options.steps_per_epoch

    @property
    def is_finished(self) -> bool:
        """Whether there is no epoch left, or early stopping has come."""
        waited = self.epoch - max(self.best_epoch, self.options.last_stage)
        return self.epoch >= self.options.max_epochs or waited >= self.options.patience

    def go_on(self, report: Reporter) -> None:
        """Train to the end."""
        validation = self._mine(self.sampler.validation())
        if self.step == 0:
            # The untrained weights, the solver that a scheme unrolls, are the first to be beaten.
            loss = self._validation_loss(validation)
            self.best_loss = loss if isfinite(loss) else self.best_loss
        iterations = -1
        while not self.is_finished:
            if iterations != self._iterations:
                iterations = self.model.decoder.approximation.U = self._iterations
                take_step = self._compiled_step(report)
            for group, rate in zip(self.optimizer.param_groups, self._rates, strict=True):
                group["lr"].fill_(rate)
            take_step(self._mine(self.sampler.batch(self.step)))
            self.step += 1
            report.advance()
            if self.step % self.options.steps_per_epoch == 0:
                self._finish_epoch(validation, report)
            elif self.step % _CHECKPOINT_STEPS == 0:
                self._save()

    @property
    def _rates(self) -> tuple[float, ...]:
        """Learning rates of the parts."""
        options, step = self.options, self.step
        rates = options.pilot_learning_rate_at(step), options.learning_rate_at(step)
        if options.correction_learning_rate is None:
            return rates
        return *rates, options.correction_learning_rate_at(step)

    def _parts(self) -> list[list[torch.nn.Parameter]]:
        """Parameters of the pilots, of the decoder, and of its correction part where that has a rate of its own."""
        pilots, decoder = (list(part.parameters()) for part in (self.model.encoder, self.model.decoder))
        if self.options.correction_learning_rate is None:
            return [pilots, decoder]
        correction = list(self.model.decoder.correction.parameters())
        known = {id(parameter) for parameter in correction}
        return [pilots, [parameter for parameter in decoder if id(parameter) not in known], correction]

    @property
    def _iterations(self) -> int:
        """Iterations of the stage at hand."""
        return self.options.iterations_at(self.epoch, self.n_iter)

    def conclude(self) -> AutoEncoder:
        """Return the best model with its threshold, and write its weights."""
        self.model.load_state_dict(self.best_weights)
        self.model.decoder.approximation.U = self.n_iter
        self.model.eval()
        samples = self.sampler.for_threshold().to(self.device)
        with torch.no_grad():
            scores = [self.model(part.X, part.Z).score for part in _chunks(samples)]
        self.model.threshold.fit(torch.cat(scores), samples.activity)
        if self.group.is_first:
            save_weights(self.directory, self.model, self.configuration)
        return self.model

    def _compiled_step(self, report: Reporter) -> Callable[[Samples], None]:
        if self.device.type != "cuda":
            return self.training_step
        sums = float(self.training_step.loss_sum), float(self.training_step.n_skipped)
        report.compiling(True)
        replay = captured(self.training_step, self._mine(self.sampler.batch(self.step)))
        report.compiling(False)
        self.training_step.reset(*sums)
        return replay

    def _mine(self, samples: Samples) -> Samples:
        """Return this process's share of the samples, on its device."""
        return samples.share(self.group.rank, self.group.total).to(self.device)

    def _finish_epoch(self, validation: Samples, report: Reporter) -> None:
        step = self.training_step
        self.group.average([step.loss_sum])
        n_skipped, n_steps = int(step.n_skipped), self.options.steps_per_epoch
        if n_skipped > n_steps // 2:
            raise TrainingError(
                f"the training in {self.directory} exploded: {n_skipped} of the {n_steps} steps of epoch {self.epoch} "
                f"had a gradient that is not finite; "
                f"lower learning_rate={self.options.learning_rate:g} or clip_norm={self.options.clip_norm:g}"
            )
        loss = self._validation_loss(validation)
        if not isfinite(loss):
            raise TrainingError(
                f"the training in {self.directory} exploded: the validation loss of epoch {self.epoch} is {loss}; "
                f"lower learning_rate={self.options.learning_rate:g} or clip_norm={self.options.clip_norm:g}"
            )
        # Losses of different stages do not compare.
        if loss < self.best_loss and self.epoch > self.options.last_stage:
            self.best_loss, self.best_epoch = loss, self.epoch
            self.best_weights = copy.deepcopy(self.model.state_dict())
        report.epoch(
            epoch=self.epoch,
            step=self.step,
            train_loss=float(step.loss_sum) / max(n_steps - n_skipped, 1),
            validation_loss=loss,
            best_epoch=self.best_epoch,
            learning_rate=self.options.learning_rate_at(self.step),
            skipped_steps=n_skipped,
        )
        step.reset()
        self._save()

    @torch.no_grad()
    def _validation_loss(self, samples: Samples) -> float:
        losses = [self.model.loss(part.X, part.Z, part.activity) * len(part.X) for part in _chunks(samples)]
        mean = torch.stack(losses).sum().double() / self.options.n_validation * self.group.total
        self.group.average([mean])
        return float(mean)

    def _save(self) -> None:
        if not self.group.is_first:
            return
        sums = float(self.training_step.loss_sum), float(self.training_step.n_skipped)
        save_checkpoint(
            self.directory,
            {
                "model": self.model.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "best_weights": self.best_weights,
                "best_epoch": self.best_epoch,
                "best_loss": self.best_loss,
                "step": self.step,
                "sums": sums,
            },
        )

    def _load(self, state: dict[str, Any]) -> None:
        try:
            self.model.load_state_dict(state["best_weights"])  # to see that they fit
            self.model.load_state_dict(state["model"])
            _load_moments(self.optimizer, state["optimizer"])
            self.best_weights = {name: value.to(self.device) for name, value in state["best_weights"].items()}
            self.best_epoch, self.best_loss = int(state["best_epoch"]), float(state["best_loss"])
            self.step = int(state["step"])
            self.training_step.reset(*map(float, state["sums"]))
        except Exception as error:
            # Whatever a file of another run, or of another program, may hold.
            raise foreign_checkpoint(self.directory, error) from error


def _claim(directory: Path, configuration: Configuration, held: ExitStack) -> None:
    """Make ``directory`` this run's, unless it is another's, and hold it until ``held`` is closed."""
    held.enter_context(sole_user(directory))
    if not (directory / CONFIGURATION).exists():
        write_configuration(directory, configuration)
    elif read_configuration(directory) != configuration:
        raise ValueError(f"{directory} holds a run of another configuration; choose another directory or remove it")


def _load_moments(optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Load what an optimiser remembers of the parameters; how it steps, and on which device, is this run's.

    A captured step reads the learning rates where they lay when it was captured: they must stay on the device.

    Raises
    ------
    ValueError
        Where the moments are of other shapes than the parameters, which torch finds out later.
    """
    own = [dict(group) for group in optimizer.param_groups]
    optimizer.load_state_dict(state)
    for group, settings in zip(optimizer.param_groups, own, strict=True):
        group.update(settings)
    for parameter, state in optimizer.state.items():
        for name, value in state.items():
            if value.ndim and value.shape != parameter.shape:
                raise ValueError(f"{name} of shape {tuple(value.shape)} for a parameter of {tuple(parameter.shape)}")


def _chunks(samples: Samples) -> list[Samples]:
    """Cut samples into pieces of at most `CHUNK`."""
    return [Samples(*parts) for parts in zip(*(torch.split(part, CHUNK) for part in samples), strict=True)]
