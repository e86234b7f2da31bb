"""NumPy and Numba reference solvers for jointly sparse recovery and grant-free random access."""

from mmvsolvers.activity import ActivityModel, FixedActivity, GroupActivity, IndependentActivity, SingleActiveGroup
from mmvsolvers.activity_prior import ActivityPrior, fit_activity_prior
from mmvsolvers.bayes import bayes
from mmvsolvers.channels import CellFading, ChannelModel, Rayleigh, Rician
from mmvsolvers.codec import from_json, to_json
from mmvsolvers.coherence import block_coherence, coherence, spread_apart, sub_coherence
from mmvsolvers.data import MMVData
from mmvsolvers.evaluation import Evaluation, average, evaluate, evaluate_until
from mmvsolvers.gibbs import gibbs
from mmvsolvers.group_lasso import duality_gap, lambda_max
from mmvsolvers.group_lasso_bcd import GroupLassoPath, group_lasso_path
from mmvsolvers.identifiability import fisher_information, identifiable, predict_ml
from mmvsolvers.likelihood import negative_log_likelihood
from mmvsolvers.metrics import ROC, Estimate, bayes_error, error_rate, false_alarm, missed_detection, mse, nmse_db, roc
from mmvsolvers.ml_mmse import mmse_estimate
from mmvsolvers.named_scenarios import NamedScenario, named_scenario, named_scenarios
from mmvsolvers.pilots import draw_pilots
from mmvsolvers.prepared_pilots import Pilots
from mmvsolvers.registry import SOLVERS, Solver, register
from mmvsolvers.result import ConvergenceWarning, DivergenceWarning, SolverResult, best_of
from mmvsolvers.scenario import Scenario, generate
from mmvsolvers.shared_pilots import draw_orthogonal_pilots, draw_shared_pilots, map_shared
from mmvsolvers.solvers import *  # noqa: F403
from mmvsolvers.solvers import __all__ as _all_solvers
from mmvsolvers.state_evolution import StateEvolution, state_evolution
from mmvsolvers.stopping import UntilErrors
from mmvsolvers.thresholds import EqualError, best_threshold, equal_error, threshold_at

__version__ = "0.1.0"
__all__ = [
    "ROC",
    "SOLVERS",
    "ActivityModel",
    "ActivityPrior",
    "CellFading",
    "ChannelModel",
    "ConvergenceWarning",
    "DivergenceWarning",
    "EqualError",
    "Estimate",
    "Evaluation",
    "FixedActivity",
    "GroupActivity",
    "GroupLassoPath",
    "IndependentActivity",
    "MMVData",
    "NamedScenario",
    "Pilots",
    "Rayleigh",
    "Rician",
    "Scenario",
    "SingleActiveGroup",
    "Solver",
    "SolverResult",
    "StateEvolution",
    "UntilErrors",
    "__version__",
    "average",
    "bayes",
    "bayes_error",
    "best_of",
    "best_threshold",
    "block_coherence",
    "coherence",
    "draw_orthogonal_pilots",
    "draw_pilots",
    "draw_shared_pilots",
    "duality_gap",
    "equal_error",
    "error_rate",
    "evaluate",
    "evaluate_until",
    "false_alarm",
    "from_json",
    "fisher_information",
    "fit_activity_prior",
    "generate",
    "gibbs",
    "group_lasso_path",
    "identifiable",
    "lambda_max",
    "map_shared",
    "missed_detection",
    "mmse_estimate",
    "mse",
    "named_scenario",
    "named_scenarios",
    "negative_log_likelihood",
    "nmse_db",
    "predict_ml",
    "register",
    "roc",
    "spread_apart",
    "state_evolution",
    "sub_coherence",
    "threshold_at",
    "to_json",
    *_all_solvers,
]
