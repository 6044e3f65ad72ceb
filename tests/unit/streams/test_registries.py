"""Everything that a new registration needs. Each failure names the missing part."""

import importlib
import inspect
import pkgutil
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from types import ModuleType
from typing import Any

import pytest

from agents.sizing.constants import MODEL_KINDS
from streams import drift, usecases
from streams.drift import registry as detectors
from streams.features import feature
from streams.features import kinds as feature_kinds
from streams.features import registry as features
from streams.models import kinds as model_kinds
from streams.models import registry as models
from streams.models.declaration import Model
from streams.targets import outcomes as outcome_kinds
from streams.targets import registry as outcomes

REGISTRIES: list[tuple[ModuleType, type, ModuleType, Mapping[str, Any]]] = [
    (models, models.Declaration, model_kinds, models.MODELS),
    (features, features.Feature, feature_kinds, features.FEATURES),
    (outcomes, outcomes.Outcome, outcome_kinds, outcomes.OUTCOMES),
]
"""Module of the registry, base class, folder of the files, and the registered classes by name."""


def defined(folder: ModuleType, base: type) -> Iterator[type]:
    """Yield the subclasses of `base` that are defined in the modules of a folder."""
    for found in pkgutil.iter_modules(folder.__path__):
        module = importlib.import_module(f"{folder.__name__}.{found.name}")
        for each in vars(module).values():
            if inspect.isclass(each) and issubclass(each, base) and each.__module__ == module.__name__:
                yield each


@pytest.mark.parametrize("registry,base,folder,registered", REGISTRIES)
def test_every_file_is_registered(
    registry: ModuleType, base: type, folder: ModuleType, registered: Mapping[str, Any]
) -> None:
    for each in defined(folder, base):
        line = f"from {each.__module__} import {each.__name__} as {each.__name__}"
        assert registered.get(each.__name__) is each, f"add to {registry.__name__}: {line}"


@pytest.mark.parametrize("registry,base,folder,registered", REGISTRIES)
def test_what_is_registered_is_complete(
    registry: ModuleType, base: type, folder: ModuleType, registered: Mapping[str, Any]
) -> None:
    assert registered
    for name, each in registered.items():
        assert is_dataclass(each) and each.__dataclass_params__.frozen, f"{name} is not a frozen dataclass"
        stated = {part for parent in each.__mro__ for part in vars(parent).get("__annotations__", {})}
        settings = {field.name for field in fields(each)}
        missing = each.__abstractmethods__ | {part for part in stated - settings if not hasattr(each, part)}
        assert not missing, f"{name} lacks {', '.join(sorted(missing))}"
        assert each.__doc__ and not each.__doc__.startswith(f"{name}("), f"{name} has no docstring"


@pytest.mark.parametrize("registry,base,folder,registered", REGISTRIES)
def test_use_cases_can_import_it(
    registry: ModuleType, base: type, folder: ModuleType, registered: Mapping[str, Any]
) -> None:
    for name, each in registered.items():
        assert getattr(usecases, name) is each
    assert set(registered) <= set(usecases.__all__)


def test_star_import_brings_declarations_and_nothing_else() -> None:
    """An exported module could hide a built-in function of the same name in a use case."""
    assert len(set(usecases.__all__)) == len(usecases.__all__)
    assert not [name for name in usecases.__all__ if inspect.ismodule(getattr(usecases, name))]


@pytest.mark.parametrize("name", models.MODELS)
def test_a_models_cost_is_measured(name: str) -> None:
    declared = models.MODELS[name]
    assert declared.cost in MODEL_KINDS, f"{name}.cost is {declared.cost!r}; state one of {', '.join(MODEL_KINDS)}"


@pytest.mark.parametrize("name", models.MODELS)
def test_a_models_snapshots_can_be_loaded(name: str) -> None:
    for path in models.MODELS[name].models:
        module, _, cls = path.rpartition(".")
        found = getattr(importlib.import_module(module), cls)
        assert issubclass(found, Model), f"{path} is not a Model"


@pytest.mark.parametrize("name", features.FEATURES)
def test_a_feature_belongs_to_one_family(name: str) -> None:
    families = (feature.Total, feature.Aggregate, feature.Latest, feature.Derived)
    found = [family.__name__ for family in families if issubclass(features.FEATURES[name], family)]
    assert len(found) == 1, f"{name} is of {found or 'no family'}; make it a Total, Aggregate, Latest or Derived"


@pytest.mark.parametrize(
    "base,registered", [(detectors.Statistic, detectors.STATISTICS), (detectors.LossDetector, detectors.DETECTORS)]
)
def test_every_detector_is_registered_under_its_name(base: type, registered: Mapping[str, Any]) -> None:
    for each in defined(drift, base):
        if each is not base:
            assert registered.get(each.name) is each, f"add {each.__name__} to the end in {detectors.__name__}"


def test_the_order_of_detectors_stays() -> None:
    """Alerts are written to the log in this order. A replay from an older position must write the same order."""
    assert list(detectors.STATISTICS)[:2] == ["psi", "ks"]
    assert list(detectors.DETECTORS)[:1] == ["adwin"]
