"""The best run is chosen by validation and never by test, and repeats count as one setting."""

import itertools

import pytest

from image_classifier.sweep import ranking
from image_classifier.sweep.ranking import Scored

pytestmark = pytest.mark.unit


def scored(name, values, validation, test=0.5, loss=1.0):
    val = None if validation is None else {"accuracy": validation, "loss": loss, "n": 20, "accuracy_ci95": [0, 1]}
    return Scored(name, values, {"accuracy": test, "n": 40, "accuracy_ci95": [0, 1], "val": val})


def test_validation_decides_then_its_loss_then_the_order_of_the_grid_and_test_never():
    runs = [
        scored("a", {}, 0.7, test=1.0),
        scored("b", {}, 0.9, test=0.1, loss=2.0),
        scored("c", {}, 0.9, test=0.0, loss=1.0),
        scored("d", {}, None, test=1.0),
        scored("e", {}, 0.7, test=1.0),
    ]
    assert [run.name for run in ranking.ranked(runs)] == ["c", "b", "a", "e", "d"]


def test_a_setting_is_chosen_by_the_mean_over_its_seeds_and_not_by_its_luckiest_run():
    axes = {"model": ["lucky", "steady"], "seed": [0, 1, 2]}
    shares = {"lucky": [1.0, 0.5, 0.5], "steady": [0.8, 0.82, 0.81]}
    runs = [
        scored(f"{model}-{seed}", {"model": model, "seed": seed}, shares[model][seed])
        for model, seed in itertools.product(*axes.values())
    ]
    first, second = ranking.groups(runs, axes)
    assert first.values == {"model": "steady"}
    assert first.validation.value == pytest.approx(0.81)
    # t(0.975, 2) = 4.302653 (tables), standard deviation 0.01
    half = 4.302653 * 0.01 / 3**0.5
    assert first.validation.interval == pytest.approx((0.81 - half, 0.81 + half))
    assert [run.name for run in second.runs] == ["lucky-0", "lucky-1", "lucky-2"]
    assert ranking.best(runs, axes).name == "steady-1"


def test_seeds_on_one_split_count_as_one_measurement():
    axes = {"split_seed": [0, 1], "seed": [0, 1, 2]}
    shares = [0.4, 0.5, 0.6, 0.7, 0.7, 0.7]
    runs = [
        scored(str(index), dict(zip(axes, values, strict=True)), shares[index])
        for index, values in enumerate(itertools.product(*axes.values()))
    ]
    (group,) = ranking.groups(runs, axes)
    half = 12.7062047 * 0.2 / 2  # t(0.975, 1), and the standard error of 0.5 and 0.7
    assert group.validation.value == pytest.approx(0.6)
    assert group.validation.interval == pytest.approx((max(0, 0.6 - half), min(1, 0.6 + half)))
    one_split = [scored(str(seed), {"split_seed": 7, "seed": seed}, shares[seed]) for seed in range(3)]
    (group,) = ranking.groups(one_split, {"split_seed": [7], "seed": [0, 1, 2]})
    assert group.validation.interval == pytest.approx((0.5 - 4.302653 * 0.1 / 3**0.5, 0.5 + 4.302653 * 0.1 / 3**0.5))


def test_one_seed_is_no_repeat():
    assert ranking.repeated({"seed": [1], "split_seed": [1, 2], "model": ["a", "b"]}) == ("split_seed",)
    runs = [scored("a", {"seed": 1, "model": "a"}, 0.5), scored("b", {"seed": 1, "model": "b"}, 0.6)]
    groups = ranking.groups(runs, {"seed": [1], "model": ["a", "b"]})
    assert [group.values for group in groups] == [{"seed": 1, "model": "b"}, {"seed": 1, "model": "a"}]
    assert groups[0].validation.interval is None


def test_equal_means_are_equal_whatever_the_order_of_their_runs():
    axes = {"model": ["a", "b"], "seed": [0, 1, 2]}
    shares, losses = {"a": [0.1, 0.7, 0.2], "b": [0.7, 0.2, 0.1]}, {"a": 1.0, "b": 0.5}
    runs = [
        scored(f"{model}{seed}", {"model": model, "seed": seed}, shares[model][seed], loss=losses[model])
        for model, seed in itertools.product(*axes.values())
    ]
    assert ranking.groups(runs, axes)[0].values == {"model": "b"}


def test_without_validation_nothing_is_the_best():
    runs = [scored("a", {"model": "a"}, None), scored("b", {"model": "b"}, None)]
    assert ranking.best(runs, {"model": ["a", "b"]}) is None
    assert ranking.best([], {"model": ["a", "b"]}) is None
    assert not ranking.validated(runs)
    assert not ranking.validated([])


def test_the_effect_of_a_value_is_measured_on_validation_where_all_runs_have_it():
    runs = [scored("a", {"m": 1}, 0.5, test=0.1), scored("b", {"m": 1}, 0.7, test=0.2), scored("c", {"m": None}, 0.9)]
    (one, shares, mean), (nothing, alone, single) = ranking.effects(runs, "m", [1, 2, None])
    assert (one, shares, mean.value) == (1, [0.5, 0.7], pytest.approx(0.6))
    assert (nothing, alone, single.interval) == (None, [0.9], None)
    without = [*runs, scored("d", {"m": 2}, None, test=0.3)]
    assert [level[1] for level in ranking.effects(without, "m", [1, 2])] == [[0.1, 0.2], [0.3]]
