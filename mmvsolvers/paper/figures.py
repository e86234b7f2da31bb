"""What Figs 3 to 12 of Cui, Li, Zhang, 2021, show: a table of scenarios, abscissas and schemes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from mmvsolvers.activity import ActivityModel, GroupActivity, IndependentActivity, SingleActiveGroup
from mmvsolvers.scenario import Scenario
from mmvsolvers.sweep import vary

NOISE_VAR = 0.1


def activity_of(case: str, values: Mapping[str, float]) -> ActivityModel:
    """Return who is active in a case: "independent", "single_group" or "groups", of the values that it knows."""
    match case:
        case "independent":
            return IndependentActivity(values["p"], float(values["ratio"]))
        case "single_group":
            return SingleActiveGroup(values["p"])
        case _:
            return GroupActivity(values["p"], round(values["G"]))


@dataclass(frozen=True, slots=True)
class Scheme:
    """Something that recovers.

    Attributes
    ----------
    label : str
        What figures call it.
    solver : str
        Name in ``SOLVERS`` or, where it is learned, among the schemes of `mmvsolvers_nn`; "oracle_mmse" and
        "optimum" are neither.
    pilots : str
        What ``draw_pilots`` calls its pilots; "learned" says that the scheme is.
    options : mapping
        Keyword arguments of the solver.
    knows_prior : bool
        Whether it is told every device's own probability ε(n) of being active, instead of the average p.
    """

    label: str
    solver: str
    pilots: str = "gaussian"
    options: Mapping[str, Any] = field(default_factory=dict)
    knows_prior: bool = False

    @property
    def is_learned(self) -> bool:
        """Whether it has to be trained."""
        return self.pilots == "learned"


# The paper does not say its λ; 2 is near the best at N=100, and AMP with every column divided by √L is its Algorithm 2.
_PAPER_LASSO = {"max_iter": 200, "lam": 2.0}
_PAPER_AMP = {"max_iter": 50, "tol": 0.0, "damping": 1.0, "column_scaling": "sqrt_length"}

SCHEMES: Mapping[str, Scheme] = MappingProxyType(
    {
        "group_lasso": Scheme("GROUP LASSO", "group_lasso_bcd", options=_PAPER_LASSO),
        "amp": Scheme("AMP", "amp_mmse", options=_PAPER_AMP),
        "ml": Scheme("ML", "ml_cd", options={"max_iter": 55}),
        "covariance_lasso": Scheme("covariance LASSO", "covariance_lasso", options={"max_iter": 200}),
        "ml_mmse": Scheme("ML-MMSE", "ml_mmse", options={"max_iter": 55}),
        "group_lasso_nn": Scheme("GROUP LASSO-NN", "group_lasso_nn", "learned"),
        "amp_nn": Scheme("AMP-NN", "amp_nn", "learned"),
        "covariance_nn": Scheme("NN", "covariance_nn", "learned"),
        "map_nn": Scheme("MAP-NN", "map_nn", "learned"),
        # What the paper does not have.
        "map": Scheme("MAP, true ε", "map_cd", options={"max_iter": 55}, knows_prior=True),
        "amp_true_prior": Scheme("AMP, true ε", "amp_mmse", options=_PAPER_AMP, knows_prior=True),
        "amp_adaptive": Scheme("AMP, own norms, damped", "amp_mmse"),
        "group_lasso_weak": Scheme("GROUP LASSO, λ=0.5", "group_lasso_bcd", options=_PAPER_LASSO | {"lam": 0.5}),
        "oracle_mmse": Scheme("MMSE, true support", "oracle_mmse"),
        "optimum": Scheme("optimum", "optimum", knows_prior=True),
        "group_lasso_unit": Scheme("GROUP LASSO, unit norm", "group_lasso_bcd", "unit_norm", _PAPER_LASSO),
        "amp_unit": Scheme("AMP, unit norm", "amp_mmse", "unit_norm", _PAPER_AMP),
        "ml_unit": Scheme("ML, unit norm", "ml_cd", "unit_norm", {"max_iter": 55}),
        "ml_mmse_unit": Scheme("ML-MMSE, unit norm", "ml_mmse", "unit_norm", {"max_iter": 55}),
        "covariance_lasso_unit": Scheme(
            "covariance LASSO, unit norm", "covariance_lasso", "unit_norm", {"max_iter": 200}
        ),
    }
)


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel: a quantity against one parameter, the others fixed.

    Attributes
    ----------
    letter : str
        Its name in the figure.
    x : {"L/N", "p", "M", "ratio", "G"}
        The abscissa.
    quantity : str
        The ordinate: "mse", "error_rate", "epsilon_ratio", "coherence", "block_coherence", "sub_coherence" or
        "seconds_per_sample".
    fixed : mapping
        Parameters that differ from the figure's own.
    """

    letter: str
    x: str
    quantity: str
    fixed: Mapping[str, float] = field(default_factory=dict)


def _as_it_is(scenario: Scenario) -> Scenario:
    return scenario


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure.

    Attributes
    ----------
    number : int
        The paper's.
    title : str
        What it shows.
    case : str
        See `activity_of`.
    N : tuple of int
        Devices; with several, each panel is drawn for each.
    panels : tuple of Panel
        In the paper's order.
    schemes, extras : tuple of str
        Who is compared in the paper, and who besides.
    edit : callable
        What is to be different in all scenarios, apart from what a panel varies; nothing by default.
    at : tuple of float
        The only abscissas that are wanted; all by default.
    """

    number: int
    title: str
    case: str
    N: tuple[int, ...]
    panels: tuple[Panel, ...]
    schemes: tuple[str, ...]
    extras: tuple[str, ...] = ()
    edit: Callable[[Scenario], Scenario] = _as_it_is
    at: tuple[float, ...] = ()

    def scenario(self, N: int, panel: Panel, x: float) -> Scenario:
        """Return the scenario of an abscissa of a panel: the paper's, as edited, with what the panel varies."""
        values = {**_COMMON[N], **panel.fixed}
        if self.case == "single_group" and panel.x == "p":
            values["p"] = x  # its groups are as many as p says
        base = self.edit(
            Scenario(
                N=N,
                L=round(values["L/N"] * N),
                M=round(values["M"]),
                activity=activity_of(self.case, values),
                noise_var=NOISE_VAR,
            )
        )
        if panel.x == "L/N":
            return replace(base, L=round(x * N))
        return vary(base, panel.x, float(x) if panel.x in ("p", "ratio") else round(x))

    def abscissas(self, N: int, panel: Panel, scale: str) -> tuple[float, ...]:
        """Return the abscissas of a panel at a scale."""
        by_axis = _ABSCISSAS[scale]
        found = by_axis.get(f"{panel.x}, {self.case}") or by_axis.get(f"{panel.x}, N={N}") or by_axis[panel.x]
        return tuple(x for x in found if x in self.at) if self.at else found


_COMMON: Mapping[int, Mapping[str, float]] = {
    100: {"L/N": 0.12, "p": 0.1, "M": 4, "ratio": 3.0, "G": 20},
    1000: {"L/N": 0.11, "p": 0.1, "M": 16, "ratio": 3.0, "G": 200},
}
# N = 1000 has p varied at another length than the rest, and more antennas to vary.
_PAPER_AXES: Mapping[str, tuple[float, ...]] = {
    "L/N, N=100": (0.08, 0.10, 0.12, 0.14, 0.16, 0.18, 0.20),
    "L/N, N=1000": (0.09, 0.10, 0.11, 0.12, 0.13, 0.14, 0.15),
    "p": (0.05, 0.075, 0.1, 0.125, 0.15),
    "p, single_group": (0.05, 0.1, 0.2),
    "M, N=100": (2, 4, 6, 8, 10),
    "M, N=1000": (8, 12, 16, 20, 24),
    "ratio": (1, 3, 5, 7, 9),
    "G, N=1000": (100, 200, 500),
    "G, N=100": (10, 20, 50),
}
_QUICK_AXES: Mapping[str, tuple[float, ...]] = {
    "L/N, N=100": (0.08, 0.12, 0.20),
    "L/N, N=1000": (0.09, 0.11, 0.15),
    "p": (0.05, 0.1, 0.15),
    "p, single_group": (0.05, 0.1, 0.2),
    "M, N=100": (2, 4, 8),
    "M, N=1000": (8, 16, 24),
    "ratio": (1, 3, 9),
    "G, N=1000": (100, 200, 500),
    "G, N=100": (10, 20, 50),
}
_ABSCISSAS: Mapping[str, Mapping[str, tuple[float, ...]]] = {
    "paper": _PAPER_AXES,
    "quick": _QUICK_AXES,
    "smoke": {axis: values[:2] for axis, values in _QUICK_AXES.items()},
}

_ESTIMATION = ("group_lasso", "amp", "ml_mmse", "group_lasso_nn", "amp_nn")
_ESTIMATION_EXTRAS = (
    "optimum",
    "amp_true_prior",
    "amp_adaptive",
    "oracle_mmse",
    "group_lasso_weak",
    "group_lasso_unit",
    "amp_unit",
    "ml_mmse_unit",
)
_DETECTION = ("group_lasso", "amp", "ml", "covariance_lasso", "covariance_nn", "amp_nn", "map_nn")
_DETECTION_EXTRAS = (
    "optimum",
    "map",
    "amp_true_prior",
    "amp_adaptive",
    "group_lasso_unit",
    "amp_unit",
    "ml_unit",
    "covariance_lasso_unit",
)


def _sweeps(quantity: str, at_p: float, *axes: str) -> tuple[Panel, ...]:
    """Return the panels (a), (b), ... over these axes; p is varied at its own L/N."""
    return tuple(
        Panel(letter, axis, quantity, {"L/N": at_p} if axis == "p" else {})
        for letter, axis in zip("abcdef", axes, strict=False)
    )


_INDEPENDENT = ("L/N", "p", "M", "ratio")
_GROUPS = ("L/N", "p", "M", "G")
_ESTIMATED, _DETECTED = "Channel estimation", "Activity detection"

FIGURES: Mapping[int, Figure] = MappingProxyType(
    {
        figure.number: figure
        for figure in (
            Figure(
                3,
                f"{_ESTIMATED}, independent activity, N=100",
                "independent",
                (100,),
                (*_sweeps("mse", 0.2, *_INDEPENDENT), Panel("e", "ratio", "epsilon_ratio")),
                _ESTIMATION,
                _ESTIMATION_EXTRAS,
            ),
            Figure(
                4,
                f"{_ESTIMATED}, a single active group, N=100",
                "single_group",
                (100,),
                _sweeps("mse", 0.2, "L/N", "p", "M"),
                _ESTIMATION,
                _ESTIMATION_EXTRAS,
            ),
            Figure(
                5,
                f"{_ESTIMATED}, independent activity, N=1000",
                "independent",
                (1000,),
                (*_sweeps("mse", 0.15, *_INDEPENDENT), Panel("e", "L/N", "coherence")),
                _ESTIMATION,
                ("optimum", "amp_true_prior", "amp_adaptive", "oracle_mmse", "group_lasso_weak"),
            ),
            Figure(
                6,
                f"{_ESTIMATED}, a single active group, N=1000",
                "single_group",
                (1000,),
                (
                    *_sweeps("mse", 0.15, "L/N", "p", "M"),
                    Panel("d", "L/N", "block_coherence"),
                    Panel("e", "L/N", "sub_coherence"),
                ),
                _ESTIMATION,
                ("optimum", "amp_true_prior", "amp_adaptive", "oracle_mmse", "group_lasso_weak"),
            ),
            Figure(
                7,
                "Time of channel estimation, independent activity",
                "independent",
                (100, 1000),
                (Panel("a", "L/N", "seconds_per_sample"),),
                _ESTIMATION,
            ),
            Figure(
                8,
                f"{_DETECTED}, independent activity, N=100",
                "independent",
                (100,),
                (*_sweeps("error_rate", 0.2, *_INDEPENDENT), Panel("e", "ratio", "epsilon_ratio")),
                _DETECTION,
                _DETECTION_EXTRAS,
            ),
            Figure(
                9,
                f"{_DETECTED}, independent groups, N=100",
                "groups",
                (100,),
                _sweeps("error_rate", 0.2, *_GROUPS),
                _DETECTION,
                _DETECTION_EXTRAS,
            ),
            Figure(
                10,
                f"{_DETECTED}, independent activity, N=1000",
                "independent",
                (1000,),
                (*_sweeps("error_rate", 0.15, *_INDEPENDENT), Panel("e", "ratio", "epsilon_ratio")),
                _DETECTION,
                ("optimum", "map", "amp_true_prior", "amp_adaptive"),
            ),
            Figure(
                11,
                f"{_DETECTED}, independent groups, N=1000",
                "groups",
                (1000,),
                (
                    *_sweeps("error_rate", 0.15, *_GROUPS),
                    Panel("e", "L/N", "block_coherence"),
                    Panel("f", "L/N", "sub_coherence"),
                ),
                _DETECTION,
                ("optimum", "map", "amp_true_prior", "amp_adaptive"),
            ),
            Figure(
                12,
                "Time of activity detection, independent activity",
                "independent",
                (100, 1000),
                (Panel("a", "L/N", "seconds_per_sample"),),
                _DETECTION,
            ),
        )
    }
)
