"""What is simulated: options that all commands spell and understand in the same way, each defined only here."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import wraps
from inspect import Parameter, signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_type_hints

import numpy as np
import typer

from mmvsolvers.cli.parsing import ACTIVITY_HELP, CASES, PILOT_KINDS, own_object, pilots_of

if TYPE_CHECKING:
    from mmvsolvers.activity import ActivityModel
    from mmvsolvers.named_scenarios import NamedScenario
    from mmvsolvers.scenario import Scenario

PANEL = "Scenario"
DEFAULT = "cui2021"
Command = TypeVar("Command", bound=Callable[..., None])


def _option(*names: str, words: str, metavar: str | None = None) -> Any:
    return typer.Option(*names, help=words, metavar=metavar, rich_help_panel=PANEL)


def _count(name: str, words: str) -> Any:
    return typer.Option(name, min=1, help=words, rich_help_panel=PANEL)


# How much is drawn; the commands differ in what they need.
SAMPLES = _count("--samples", "Test samples for each pilot matrix.")
TRAIN_SAMPLES = _count("--train-samples", "Samples that are learned from.")
PILOT_DRAWS = _count("--pilot-draws", "Pilot matrices to average over.")
TestSamples = Annotated[int, SAMPLES]
TrainSamples = Annotated[int, TRAIN_SAMPLES]
PilotDraws = Annotated[int, PILOT_DRAWS]
Seed = Annotated[int, typer.Option(min=0, help="Seed of everything random.", rich_help_panel=PANEL)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioOptions:
    """What a user said of the scenario; None is what nothing was said of, which stays as it is."""

    scenario: Annotated[
        str | None,
        _option("--scenario", words=f"A name, such as fengler2021, file.json or file.py:object [{DEFAULT}]."),
    ] = None
    N: Annotated[int | None, _option("--devices", "-N", words="Number of devices N [100].")] = None
    L: Annotated[
        str | None,
        _option("--pilot-length", "--pilot-lengths", "-L", words="Pilot length L; several, by commas, to compare."),
    ] = None
    M: Annotated[int | None, _option("--antennas", "-M", words="Number of antennas M [4].")] = None
    activity: Annotated[str | None, _option("--activity", words=ACTIVITY_HELP)] = None
    p: Annotated[
        float | None, _option("--activity-prob", "-p", words="Average probability that a device is active [0.1].")
    ] = None
    ratio: Annotated[float | None, _option("--ratio", words="p1/p2 of the two halves, of 'independent' [3].")] = None
    groups: Annotated[int | None, _option("--groups", "--G", words="Number of groups G, of 'groups' [20].")] = None
    channel: Annotated[
        str | None,
        _option("--channel", words="Such as 'Rician(k_factor_db=3)', or your own: file.py:Class [Rayleigh]."),
    ] = None
    correlation: Annotated[
        float | None, _option("--antenna-correlation", words="Correlation of neighbouring antennas [0].")
    ] = None
    noise_var: Annotated[float | None, _option("--noise-var", words="σ² of an entry of Y [0.1].")] = None
    snr_db: Annotated[float | None, _option("--snr-db", words="SNR, in the place of σ².")] = None
    pilots: Annotated[
        str | None,
        _option("--pilots", words=f"{PILOT_KINDS}; or your own, as file.mat:A [gaussian]."),
    ] = None

    @property
    def lengths(self) -> list[int]:
        """The pilot lengths that were given, each once."""
        try:
            return list(dict.fromkeys(int(word) for word in self.L.split(","))) if self.L is not None else []
        except ValueError:
            raise ValueError(f"--pilot-lengths must be integers separated by commas; got {self.L!r}") from None

    def named(self) -> "NamedScenario | None":
        """Return the scenario of the literature that was named, or that is meant where none was; None for a file's."""
        from mmvsolvers.named_scenarios import named_scenario

        text = self.scenario or DEFAULT
        return None if ":" in text or text.endswith(".json") else named_scenario(text)

    def build(self) -> "Scenario":
        """Return the scenario that was named, changed in what was said besides.

        Raises
        ------
        ValueError, TypeError
            For what cannot be together; the message names the option.
        """
        named = self.named()
        return self.over(_from_file(str(self.scenario)) if named is None else named.scenario)

    def over(self, base: "Scenario") -> "Scenario":
        """Return another scenario, changed in what was said."""
        changes: dict[str, Any] = {
            name: getattr(self, name) for name in ("N", "M") if getattr(self, name) is not None
        } | ({"L": self.lengths[0]} if self.lengths else {})
        if self.pilots is not None:
            changes["pilots"] = pilots_of(self.pilots)
            if not isinstance(changes["pilots"], str):
                changes = dict(zip("LN", changes["pilots"].shape, strict=True)) | changes
        if self.noise_var is not None and self.snr_db is not None:
            raise ValueError("--noise-var and --snr-db exclude each other")
        if self.noise_var is not None or self.snr_db is not None:
            changes |= {"noise_var": self.noise_var, "snr_db": self.snr_db}
        activity, channel = self._activity(base), self._channel(base)
        return replace(base, activity=activity, channel=channel, **changes)

    def only_length(self) -> None:
        """Refuse several pilot lengths, where a command has use for one."""
        if len(self.lengths) > 1:
            raise ValueError(f"-L must be one pilot length here; got {self.L!r}")

    def _activity(self, base: "Scenario") -> "ActivityModel":
        """Return the activity model: one of this package's by its case, a user's own, or the base's."""
        from mmvsolvers.activity import ActivityModel
        from mmvsolvers.codec import find_class
        from mmvsolvers.scenario import model_fields

        said = {
            "p": ("--activity-prob", self.p),
            "ratio": ("--ratio", self.ratio),
            "n_groups": ("--groups", self.groups),
        }
        given = {field: value for field, (_, value) in said.items() if value is not None}
        if self.activity is not None and self.activity in CASES:
            name, defaults = CASES[self.activity]
            kind = find_class(name, ActivityModel)
            average = getattr(base.activity, "p", None) or round(float(np.mean(base.activity.marginal(base.N))), 12)
            of_kind = {field: value for field, value in given.items() if field in model_fields(kind)}
            model: Any = kind(**{"p": average, **defaults, **of_kind})
        else:
            model = own_object("--activity", self.activity, ActivityModel) if self.activity else base.activity
        for field in given:
            if field not in model_fields(model):
                raise ValueError(f"{said[field][0]} is nothing of the activity model {type(model).__name__}")
        found: ActivityModel = replace(model, **given) if given else model
        return found

    def _channel(self, base: "Scenario") -> Any:
        from mmvsolvers.channels import ChannelModel
        from mmvsolvers.scenario import model_fields

        model: Any = own_object("--channel", self.channel, ChannelModel) if self.channel else base.channel
        if self.correlation is None:
            return model
        if "antenna_correlation" not in model_fields(model):
            raise ValueError(f"--antenna-correlation is nothing of the channel model {type(model).__name__}")
        return replace(model, antenna_correlation=self.correlation)


def with_scenario(*without: str) -> Callable[[Command], Command]:
    """Give a command, in the place of its argument ``said``, all options of :class:`ScenarioOptions` but some."""
    names = [field.name for field in fields(ScenarioOptions) if field.name not in without]
    hints = get_type_hints(ScenarioOptions, include_extras=True)
    made = [Parameter(name, Parameter.KEYWORD_ONLY, default=None, annotation=hints[name]) for name in names]

    def decorate(command: Command) -> Command:
        @wraps(command)
        def run(**given: Any) -> None:
            said = ScenarioOptions(**{name: given.pop(name) for name in names})
            command(said=said, **given)

        own = [one for one in signature(command).parameters.values() if one.name != "said"]
        rest = [one for one in own if one.kind is Parameter.VAR_KEYWORD]
        own = [one.replace(kind=Parameter.KEYWORD_ONLY) for one in own if one not in rest]
        run.__signature__ = signature(command).replace(parameters=made + own + rest)  # type: ignore[attr-defined]
        return run  # type: ignore[return-value]

    return decorate


def _from_file(text: str) -> "Scenario":
    """Return the scenario of ``file.json``, or of an object at ``file.py:`` or ``module:``."""
    from mmvsolvers.codec import from_json
    from mmvsolvers.loading import load_object
    from mmvsolvers.scenario import Scenario

    if text.endswith(".json"):
        path = Path(text)
        if not path.is_file():
            raise FileNotFoundError(f"no such file: {path}")
        try:
            return from_json(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{path} cannot be read: {error}") from error
    found = load_object(text)
    if not isinstance(found, Scenario):
        raise TypeError(f"--scenario {text} must be a Scenario; got {type(found).__name__}")
    return found
