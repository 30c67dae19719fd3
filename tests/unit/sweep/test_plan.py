"""A sweep's plan: its runs, the threads that are each one's share, and what is refused."""

import pytest

from image_classifier import cpus
from image_classifier.errors import UserError
from image_classifier.settings.layers import CODE, Layer
from image_classifier.sweep.plan import SweepRequest, plan
from image_classifier.training import train

pytestmark = pytest.mark.unit


@pytest.fixture
def planned(cache, tmp_path, monkeypatch):
    """planned(**settings) is the plan of a sweep on wine, on a machine with 8 CPUs."""
    monkeypatch.setattr(cpus, "available_cpus", lambda: 8)

    def call(at_once=2, name="e", **values):
        given = [Layer(CODE, {"dataset_folder": "wine", "model": ["naive_bayes", "dense"]} | values)]
        return plan(SweepRequest(name, given, at_once, tmp_path, cache, None, {}))

    return call


def test_every_combination_is_a_run_with_its_share_of_the_cpus(planned, tmp_path):
    made = planned(seed=[1, 2], val_fraction=0.2)
    assert [child.name for child in made.children][:2] == ["naive_bayes--seed-1", "naive_bayes--seed-2"]
    assert made.grid == {"model": ["naive_bayes", "dense"], "seed": [1, 2]}
    assert made.fixed == {"dataset_folder": "wine", "val_fraction": 0.2}
    first, *others = made.layers(made.children[0])
    assert (first.origin.name, first.values) == ("the sweep", {"num_threads": "4"})
    assert others == list(made.children[0].layers)
    assert (made.earlier, made.trained, list(tmp_path.iterdir())) == (None, {}, [])


def test_threads_that_are_given_are_everyones(planned):
    made = planned(num_threads="3")
    assert made.threads is None
    assert made.layers(made.children[0]) == list(made.children[0].layers)
    assert planned(at_once=64).threads == "1"


def test_a_run_that_is_there_counts_if_it_is_what_the_grid_asks_for(planned, cache, tmp_path):
    child = planned().children[0]
    threads = Layer(CODE, {"num_threads": "1"})
    train.train(train.TrainingRequest("e", child.name, [*child.layers, threads], tmp_path, cache))
    made = planned()
    assert list(made.trained) == [child.name]
    assert made.layers(made.children[0])[0].values == {"num_threads": "1"}, "a run that has begun keeps its own"
    with pytest.raises(UserError, match="e/naive_bayes was trained with seed 0, and the sweep asks for 5") as caught:
        planned(seed=5)
    assert caught.value.hint == "choose another --experiment_name"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"name": "a/b"}, "--experiment_name 'a/b' is not a valid name"),
        ({"model": "dense"}, "no setting has a list of values"),
        ({"dataset_folder": "nowhere/at/all"}, "nowhere"),
        ({"num_threads": "200", "at_once": 2}, "num_threads 200 in each of 2 runs at a time is far more"),
        ({"drop_columns": ["hue", "hua"], "model": "dense", "target_column": "x"}, "target_column"),
    ],
)
def test_what_is_no_sweep_is_refused(planned, tmp_path, values, words):
    with pytest.raises(UserError, match=words):
        planned(**values)
    assert list(tmp_path.iterdir()) == []


def test_data_that_one_run_alone_cannot_have_is_that_runs_trouble(planned):
    assert len(planned(model="dense", drop_columns=["hue", "hua"]).children) == 2
