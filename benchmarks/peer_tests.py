"""The installed peers behind one signature: (sample, seed) -> p-value."""

import importlib.metadata
from collections.abc import Callable
from typing import Any

import numpy as np
from designs import Sample

Test = Callable[[Sample, int], float]
HYPPO_PERMUTATIONS = 20
SCALE = {"hyppo.Hsic": 1000 / HYPPO_PERMUTATIONS}
"""Time of a run with fewer permutations than the 1,000 reported, scaled up."""


def versions(*, peers: bool) -> dict[str, str]:
    names = ["numpy", "scipy"]
    names += ["causal-learn", "hyppo", "dcor", "mapie", "scikit-learn"] if peers else []
    return {name: importlib.metadata.version(name) for name in names}


def _condition(sample: Sample) -> np.ndarray[Any, Any] | None:
    if sample.Z is not None:
        return sample.Z
    return None if sample.z is None else np.eye(int(sample.z.max()) + 1)[sample.z]


def _x(sample: Sample) -> np.ndarray[Any, Any]:
    return np.asarray(sample.x, dtype=float)[:, None]


def kci(sample: Sample, seed: int) -> float:
    from causallearn.utils.KCI.KCI import KCI_CInd, KCI_UInd

    np.random.seed(seed)  # noqa: NPY002 - the peer draws from the global state
    z = _condition(sample)
    if z is None:
        return float(KCI_UInd().compute_pvalue(sample.R, _x(sample))[0])
    return float(KCI_CInd().compute_pvalue(sample.R, _x(sample), z)[0])


def kci_median(sample: Sample, seed: int) -> float:
    from causallearn.utils.KCI.KCI import KCI_UInd

    np.random.seed(seed)  # noqa: NPY002
    test = KCI_UInd(est_width="median")
    return float(test.compute_pvalue(sample.R, _x(sample))[0])


def rcit(sample: Sample, seed: int, *, full: bool = True) -> float:
    from causallearn.utils.RCIT.RCIT import RCIT, RIT

    np.random.seed(seed)  # noqa: NPY002
    z = _condition(sample)
    if z is None:
        return float(np.ravel(RIT().compute_pvalue(sample.R, _x(sample))[0])[0])
    return float(np.ravel(RCIT(rcit=full).compute_pvalue(sample.R, _x(sample), z)[0])[0])


def rcot(sample: Sample, seed: int) -> float:
    return rcit(sample, seed, full=False)


def classifier(sample: Sample, seed: int) -> float:
    """Two-sample test by a held-out logistic classifier: half to fit, exact binomial on half."""
    from scipy.stats import binomtest
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    order = np.random.default_rng(seed).permutation(len(sample.x))
    fit, held = np.array_split(order, 2)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=300))
    model.fit(sample.R[fit], sample.x[fit])
    right = int((model.predict(sample.R[held]) == sample.x[held]).sum())
    chance = max(sample.x[held].mean(), 1 - sample.x[held].mean())
    return float(binomtest(right, len(held), chance, alternative="greater").pvalue)


def gcm_forest(sample: Sample, seed: int) -> float:
    """Generalised covariance measure with out-of-bag forest residuals: our code, as reference."""
    from scipy.stats import norm
    from sklearn.ensemble import RandomForestRegressor

    def residual(target: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        forest = RandomForestRegressor(
            100, min_samples_leaf=5, oob_score=True, random_state=seed, n_jobs=1
        )
        forest.fit(sample.Z, target)
        return np.asarray(target - forest.oob_prediction_)

    product = residual(sample.R[:, 0]) * residual(np.asarray(sample.x, dtype=float))
    statistic = np.sqrt(len(product)) * product.mean() / product.std()
    return float(2 * norm.sf(abs(statistic)))


def for_design(design: str) -> dict[str, Test]:
    """The peers that can be asked this question."""
    if design.startswith("D"):
        return {"causal-learn KCI": kci, "causal-learn RCIT": rcit, "causal-learn RCoT": rcot}
    if design.startswith("Z"):
        peers = {"causal-learn KCI": kci, "causal-learn RCIT": rcit, "causal-learn RCoT": rcot}
        # a forest is slow: only where its power is the measure
        return peers | ({"GCM, forest (ours)": gcm_forest} if design.endswith("alt") else {})
    tests: dict[str, Test] = {
        "causal-learn KCI-U": kci,
        "causal-learn KCI-U, median": kci_median,
        "causal-learn RIT": rcit,
    }
    return tests | ({"C2ST, logistic": classifier} if design.startswith("U576") else {})


def hyppo_hsic(sample: Sample) -> float:
    from hyppo.independence import Hsic

    _, p = Hsic().test(sample.R, _x(sample), reps=HYPPO_PERMUTATIONS, auto=False)[:2]
    return float(p)


def kci_unconditional(sample: Sample) -> float:
    from causallearn.utils.KCI.KCI import KCI_UInd

    return float(KCI_UInd().compute_pvalue(sample.R, _x(sample))[0])


def timed(what: str) -> Callable[[Sample], float]:
    """One peer, for its CPU time."""
    return {
        "hyppo.Hsic": hyppo_hsic,
        "causal-learn KCI": lambda sample: kci(sample, 0),
        "causal-learn KCI residual": lambda sample: kci(sample, 0),
        "causal-learn KCI-U": kci_unconditional,
    }[what]
