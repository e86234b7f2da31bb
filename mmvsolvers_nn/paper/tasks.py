"""The units of work: one scheme in one scenario with one seed, or the times of all schemes in one scenario."""

import json
import statistics
import sys
import time
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from mmvsolvers._versions import versions
from mmvsolvers.activity import IndependentActivity
from mmvsolvers.bayes import Optimum
from mmvsolvers.codec import encode
from mmvsolvers.coherence import block_coherence, coherence, sub_coherence
from mmvsolvers.comparison import Samples
from mmvsolvers.data import MMVData
from mmvsolvers.evaluation import Decoder, Evaluation, evaluate, evaluate_until
from mmvsolvers.metrics import Estimate
from mmvsolvers.ml_mmse import mmse_estimate
from mmvsolvers.paper.figures import SCHEMES, Scheme
from mmvsolvers.registry import SOLVERS
from mmvsolvers.result import DivergenceWarning, SolverResult
from mmvsolvers.scenario import Scenario
from mmvsolvers.stopping import UntilErrors
from mmvsolvers_nn.paper.scales import Scale

SEED = 0
PACKAGES = ("mmvsolvers", "mmvsolvers_nn")
_CASES = {"IndependentActivity": "independent", "SingleActiveGroup": "single_group", "GroupActivity": "groups"}
RATES = ("error_rate", "missed_detection", "false_alarm")
# Raised whenever a change of the code may change what points or timings find; those of another one are measured anew.
PROTOCOL = 2


@dataclass(frozen=True, slots=True)
class Finding:
    """What a task found.

    Attributes
    ----------
    quantities : mapping of str to Estimate
        By the name of the quantity; those that are no means have an interval of no width.
    samples : int
        Test samples.
    seconds : float
        Time the task took, training included.
    versions : str
        Of what computed it.
    """

    quantities: Mapping[str, Estimate]
    samples: int
    seconds: float
    versions: str

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> "Finding":
        """Return what `dataclasses.asdict` was made of."""
        quantities = {
            name: Estimate(float(value["mean"]), float(value["low"]), float(value["high"]), int(value["n"]))
            for name, value in fields["quantities"].items()
        }
        return cls(quantities, int(fields["samples"]), float(fields["seconds"]), str(fields["versions"]))


@dataclass(frozen=True, slots=True)
class Point:
    """One scheme in one scenario: its errors, its pilots' coherence, and the prior it learned.

    Attributes
    ----------
    scenario : Scenario
        Where.
    scheme : str
        An entry of ``SCHEMES``.
    seed : int
        Number of the draw of the pilots and the samples, or seed of the training.
    """

    scenario: Scenario
    scheme: str
    seed: int

    @property
    def key(self) -> str:
        """A name for files."""
        return f"{name_of(self.scenario)}_{self.scheme}_seed{self.seed}"

    @property
    def schemes(self) -> tuple[str, ...]:
        """Whose finding there is."""
        return (self.scheme,)

    @property
    def is_training(self) -> bool:
        """Whether a network is trained for it."""
        return SCHEMES[self.scheme].is_learned

    def definition(self, scale: Scale) -> str:
        """Return all that the result depends on; a finding of another definition is not this point's."""
        fields = {
            "seed": self.seed,
            "samples": asdict(scale.samples[self.scenario.N]),
            "until": asdict(scale.rule(self.scenario.N)),
            "recipe": asdict(scale.recipe(self.scheme, self.scenario.N)) if self.is_training else None,
        }
        return _definition(self.scenario, self.schemes, fields)

    def measure(self, scale: Scale, directory: Path) -> dict[str, Finding]:
        """Return the finding of the scheme; trainings keep their files in ``directory``."""
        start = time.perf_counter()
        found = self._learned(scale, directory) if self.is_training else self._classical(scale)
        evaluation, pilots, samples, quantities = found
        measured = {name: getattr(evaluation, name) for name in (*RATES, "mse")}
        quantities |= {name: estimate for name, estimate in measured.items() if estimate is not None}
        quantities |= _coherences(pilots, n_groups_of(self.scenario))
        return {
            self.scheme: Finding(
                quantities, samples, time.perf_counter() - start, versions(*(["torch"] if self.is_training else []))
            )
        }

    def _classical(self, scale: Scale) -> "_Found":
        scheme = SCHEMES[self.scheme]
        scenario = replace(self.scenario, pilots=scheme.pilots)
        samples = scale.samples[self.scenario.N]
        train, test = (_told(data, scheme) for data in samples.draw(scenario, self.seed))
        batches = (_told(data, scheme) for data in samples.batches(scenario, self.seed))
        rule = scale.rule(self.scenario.N)
        found = _evaluate(classical(scheme, scenario), train, test, batches, rule, **scheme.options)
        return found, train.A, found.n_samples, {}

    def _learned(self, scale: Scale, directory: Path) -> "_Found":
        from mmvsolvers_nn import train
        from mmvsolvers_nn.distributed import gpu_for
        from mmvsolvers_nn.evaluation import LearnedSolver

        configuration = training(self.scenario, self.scheme, self.seed, scale)
        model = train(configuration, directory / file_name(self, scale), device=gpu_for(self.key))
        solver = LearnedSolver(model, configuration)
        samples = scale.samples[self.scenario.N]
        # One matrix, and as many samples on it as a classical scheme has on all of its own.
        samples = replace(samples, n_train=samples.n_train * samples.n_draws, n_test=samples.n_test * samples.n_draws)
        scenario = replace(self.scenario, pilots=solver.pilots)
        learned_on, test = samples.draw(scenario, self.seed)
        batches, rule = samples.batches(scenario, self.seed), scale.rule(self.scenario.N, 1)
        quantities = {}
        prior = model.exported().get("activity_prob")
        if prior is not None and isinstance(self.scenario.activity, IndependentActivity):
            first, second = np.split(prior, 2)
            quantities["epsilon_ratio"] = exact(float(first.mean() / second.mean()))
        found = _evaluate(solver, learned_on, test, batches, rule)
        return found, solver.pilots, found.n_samples, quantities


_Found = tuple[Evaluation, NDArray[Any], int, dict[str, Estimate]]


@dataclass(frozen=True, slots=True)
class Timing:
    """The time per sample of several schemes on one scenario, measured in turns in one process on one thread.

    Learned schemes have the paper's sizes and no training, which would not change their times.

    Attributes
    ----------
    scenario : Scenario
        Where.
    schemes : tuple of str
        Entries of ``SCHEMES``.
    seed : int
        Of the pilots and the samples.
    """

    scenario: Scenario
    schemes: tuple[str, ...]
    seed: int = 0

    @property
    def key(self) -> str:
        """A name for files."""
        return f"time_{name_of(self.scenario)}_{crc32(','.join(self.schemes).encode()):08x}"

    def definition(self, scale: Scale) -> str:
        """Return all that the result depends on but the machine."""
        fields = {
            "seed": self.seed,
            "samples": scale.timing_samples,
            "rounds": scale.timing_rounds,
            "iterations": {scheme: paper_iterations(scheme) for scheme in self.schemes},
        }
        return _definition(self.scenario, self.schemes, fields)

    def measure(self, scale: Scale, directory: Path) -> dict[str, Finding]:
        """Return a finding for every scheme; a first run that compiles and warms up is not in the times."""
        start = time.perf_counter()
        samples = Samples(n_train=scale.timing_samples, n_test=1)
        data, _ = samples.draw(self.scenario, self.seed)
        spent: dict[str, list[float]] = {scheme: [] for scheme in self.schemes}
        contestants = {scheme: self._contestant(scheme, data) for scheme in self.schemes}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DivergenceWarning)
            for turn in range(scale.timing_rounds + 1):
                for scheme, (solver, problems, options) in contestants.items():
                    before = time.perf_counter()
                    solver.solve(problems, **options)
                    if turn:
                        spent[scheme].append((time.perf_counter() - before) / problems.T)
        total = time.perf_counter() - start
        return {
            scheme: Finding({"seconds_per_sample": _median(times)}, data.T, total, versions("torch"))
            for scheme, times in spent.items()
        }

    def _contestant(self, scheme: str, data: MMVData) -> tuple[Decoder, MMVData, dict[str, Any]]:
        entry = SCHEMES[scheme]
        if not entry.is_learned:
            options = {**entry.options, "max_iter": paper_iterations(scheme), "tol": 0.0}
            solver = classical(entry, self.scenario)
            needs_threshold = "threshold" in getattr(solver, "needs", ())
            return solver, data, options | ({"threshold": 0.5} if needs_threshold else {})
        from mmvsolvers_nn import Architecture, Configuration, Optimisation, build
        from mmvsolvers_nn.evaluation import LearnedSolver

        configuration = Configuration(
            scenario=self.scenario, architecture=Architecture(scheme=scheme), optimisation=Optimisation()
        )
        solver = LearnedSolver(build(configuration), configuration)
        return solver, replace(data, A=solver.pilots), {}


Task = Point | Timing


def file_name(task: Task, scale: Scale) -> str:
    """Return the name of a task's files: tasks of other definitions have others."""
    return f"{task.key}_{crc32(task.definition(scale).encode()):08x}"


def uses_torch(task: Task) -> bool:
    """Tell whether a network is computed for a task."""
    return any(SCHEMES[scheme].is_learned for scheme in task.schemes)


def paper_iterations(scheme: str) -> int | None:
    """Return the paper's fixed count of a classical scheme's iterations."""
    entry = SCHEMES[scheme]
    return None if entry.is_learned else SOLVERS[entry.solver].paper_iterations


def _definition(scenario: Scenario, schemes: tuple[str, ...], fields: Mapping[str, Any]) -> str:
    known = {name: value for name, value in encode(scenario).items() if name != "format"}
    entries = {scheme: asdict(SCHEMES[scheme]) for scheme in schemes}
    own = _sources(scenario)
    sources = {"sources": own} if own else {}
    return json.dumps(
        {"protocol": PROTOCOL, "scenario": known, "schemes": entries, **sources, **fields}, sort_keys=True
    )


def _sources(scenario: Scenario) -> dict[str, int]:
    """Return checksums of the files of own models: one that was edited, or another of its name, is another model."""
    return {name: crc32(file.read_bytes()) for name, file in own_modules(scenario).items()}


def own_modules(scenario: Scenario) -> dict[str, Path]:
    """Return the files that a scenario's own models come from, by the names of their modules."""
    modules = {type(model).__module__ for model in (scenario.activity, scenario.channel)}
    files = {name: getattr(sys.modules[name], "__file__", None) for name in modules}
    return {name: Path(file) for name, file in files.items() if file and name.partition(".")[0] not in PACKAGES}


class OracleMMSE:
    """The MMSE estimate given the true support, in the place of a solver."""

    name = "oracle_mmse"

    def solve(self, data: MMVData, **options: Any) -> SolverResult:
        """Estimate the channels of the devices that are active."""
        X = mmse_estimate(data.A, data.Y, data.noise_var, data.activity, channel_var=data.channel_var)
        return SolverResult.unoptimised(X, data.activity.astype(float))


def classical(scheme: Scheme, scenario: Scenario) -> Decoder:
    """Return what solves for a scheme that is not learned."""
    if scheme.solver == "optimum":
        return Optimum(scenario)
    return OracleMMSE() if scheme.solver == "oracle_mmse" else SOLVERS[scheme.solver]


def training(scenario: Scenario, scheme: str, seed: int, scale: Scale) -> Any:
    """Return the `mmvsolvers_nn.Configuration` by which a scheme is trained for a scenario."""
    from mmvsolvers_nn import Architecture, Configuration, Optimisation

    recipe = scale.recipe(scheme, scenario.N)
    return Configuration(
        scenario=scenario,
        architecture=Architecture(scheme=scheme, **recipe.architecture),
        optimisation=Optimisation(seed=seed, **recipe.optimisation),
    )


def exact(value: float) -> Estimate:
    """Return a figure that is no mean of anything as an estimate."""
    return Estimate(value, value, value, 1)


def _evaluate(
    solver: Decoder, train: MMVData, test: MMVData, batches: Iterable[MMVData], rule: UntilErrors, **options: Any
) -> Evaluation:
    """Measure a solver on ``test``, and where that has too few errors, on as many ``batches`` as the rule asks for."""
    found = evaluate(solver, train, test, **options)
    if round(found.sample_error_rate.mean * found.n_samples) >= rule.n_errors:
        return found
    return evaluate_until(solver, train, batches, rule, **options)


def _told(data: MMVData, scheme: Scheme) -> MMVData:
    """Return the data with what the scheme is told of the prior."""
    if scheme.knows_prior:
        return data
    average = np.broadcast_to(np.mean(data.activity_prob), data.A.shape[1])
    return replace(data, activity_prob=average.astype(np.float64))


def name_of(scenario: Scenario) -> str:
    """Return a name for files; scenarios that differ in what it does not say have other definitions."""
    activity = scenario.activity
    case = _CASES.get(type(activity).__name__, type(activity).__name__)
    words = [case, f"N{scenario.N}", f"L{scenario.L}", f"M{scenario.M}", f"p{_average(scenario):g}"]
    if isinstance(activity, IndependentActivity):
        words.append(f"ratio{activity.ratio:g}")
    return "_".join([*words, *([f"G{n_groups_of(scenario)}"] if n_groups_of(scenario) else [])])


def n_groups_of(scenario: Scenario) -> int:
    """Return G, the number of groups, or 0 where devices are on their own."""
    return int(getattr(scenario.activity, "n_groups", 0))


def _average(scenario: Scenario) -> float:
    p = getattr(scenario.activity, "p", None)
    return float(np.mean(scenario.activity.marginal(scenario.N)) if p is None else p)


def _coherences(A: NDArray[Any], G: int) -> dict[str, Estimate]:
    found = {"coherence": exact(coherence(A))}
    if G:
        found |= {"block_coherence": exact(block_coherence(A, G)), "sub_coherence": exact(sub_coherence(A, G))}
    return found


def _median(times: list[float]) -> Estimate:
    """Return the median of times with their range."""
    return Estimate(statistics.median(times), min(times), max(times), len(times))
