"""The package from Python: settings by name, from files, or whole; and what was trained."""

import numpy as np
import pytest
import torch

import image_classifier
from image_classifier import Config, UserError, compose, load_run, train
from image_classifier.data.preparing import prepare

pytestmark = pytest.mark.unit


def test_the_package_shows_its_public_names_and_no_other():
    assert all(callable(getattr(image_classifier, name)) for name in image_classifier.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = image_classifier.nothing


def test_settings_compose_from_the_recipe_the_files_in_order_and_what_is_given_by_name(tmp_path):
    for name, text in (("a", "seed: 1\nnum_epochs: 7\nmodel: cnn\n"), ("b", "seed: 2\n")):
        (tmp_path / name).write_text(text)
    config = compose(tmp_path / "a", str(tmp_path / "b"), num_epochs=9)
    assert isinstance(config, Config)
    assert (config.model, config.seed, config.num_epochs) == ("cnn", 2, 9)
    assert config.learning_rate == compose(model="cnn").learning_rate


@pytest.fixture
def where(cache, tmp_path):
    return {"dataset_folder": "wine", "experiment_name": "e", "experiments_folder": tmp_path, "cache_folder": cache}


def test_settings_by_name_change_a_whole_config(where, trained):
    whole = compose(model="naive_bayes", num_threads="1", seed=8, val_fraction=0.2)
    done = train(whole, run_name="a", tags={"n": 1}, seed=9, **where)
    assert (done.config.seed, done.config.val_fraction, done.config.model) == (9, 0.2, "naive_bayes")
    assert done.record["tags"] == {"n": "1"}
    assert train(whole, run_name="a", seed=9, resume=True, **where).record == done.record
    with pytest.raises(UserError, match="begun with seed 9 and not with 8"):
        train(whole, run_name="a", resume=True, **where)


def test_a_name_that_is_no_setting_is_refused(where, tmp_path):
    with pytest.raises(UserError, match="lr in Python is not a setting"):
        train(run_name="a", lr=1, **where)
    assert not (tmp_path / "e").exists()


def test_a_run_is_found_by_its_name_and_gives_its_model(trained, cache):
    run = load_run("e/r", trained.folder.parents[1])
    assert run.record == load_run(trained.folder).record == trained.record
    network = run.model()
    assert not network.training
    rows = prepare("wine", cache_folder=cache, quiet=True, image_size=None, split_seed=0).splits["test"].inputs
    mean, std = (np.array(run.card["input"][name]) for name in ("mean", "std"))
    scaled = torch.from_numpy(((rows - mean) / std).astype(np.float32)).permute(0, 3, 1, 2)
    with torch.no_grad():
        shares = network(scaled).softmax(1).numpy()
    np.testing.assert_allclose(shares, run.predictions()["test_probabilities"], atol=1e-5)
