"""request.py: what the form asks for becomes arguments, or is refused before anything else sees it."""

import json

import pytest
from steps import SCRIPTS, job, refused

from image_classifier.errors import UserError
from image_classifier.settings import names

FORM = {
    **dict.fromkeys(
        ("dataset_folder", *names.IN_THE_FORM, "overrides"), ""),
    "experiment_name": "pets",
    "run_name": "first",
    "runner": "ubuntu-24.04",
    "save_results": False,
}  # fmt: skip

# Each is put into every field: shells, paths, GitHub's expressions, YAML, files of outputs, arguments.
HOSTILE = [
    "'; touch {trace} #", '"; touch {trace} #', "$(touch {trace})", "`touch {trace}`", "a;touch {trace}",
    "a\ntouch {trace}", "a\nrun_folder=x/y", "a\r\nb", "a\0b", "../../etc", "/etc/passwd", "a/../../b",
    "${{{{ github.token }}}}", "${{{{ secrets.DB_PASS }}}}", "a b", " a", "a ", "--help", "-x", "a|b", "a&b",
    "a>{trace}", "*", "~root", "a\tb", "é", "::set-output name=a::b", "%0Atouch", "a\\b", "=", "\u202e", "a" * 70_000,
]  # fmt: skip
FIELDS = [name for name, value in FORM.items() if isinstance(value, str)]


@pytest.fixture
def asked(tmp_path):
    """Ask for a training in a repository with a data set, a finished run and links out of it: asked(**inputs)."""
    made = job(
        tmp_path,
        **{
            "photos/cat/1.png": "x",
            "photos/dog/1.png": "x",
            "experiments/pets/old/model.pth": "version https://git-lfs.github.com/spec/v1\n",
            "models/base.pth": "x",
        },
    )
    (made.workspace / "out").symlink_to("/etc")
    (made.workspace / "metadata").symlink_to(".git")
    made.variables = {"GITHUB_EVENT_NAME": "workflow_dispatch"}

    def ask(event="workflow_dispatch", **inputs):
        return made.run("request.py", INPUTS=json.dumps(FORM | inputs), GITHUB_EVENT_NAME=event)

    ask.job = made
    return ask


def arguments(job, name="arguments.train"):
    return (job.temporary / name).read_bytes().decode().split("\0")[:-1]


def test_an_empty_form_asks_for_the_defaults(asked):
    step = asked()
    assert step.code == 0, step.stderr
    assert arguments(asked.job) == ["--experiment_name=pets", "--run_name=first", "--dataset_folder=data/cifar_dataset"]
    assert step.outputs["run_folder"] == "pets/first"


def test_what_a_caller_leaves_out_is_empty(asked):
    names = {"experiment_name": "pets", "run_name": "first"}
    for more in ({}, dict.fromkeys(FORM.keys() - names.keys())):
        step = asked.job.run("request.py", INPUTS=json.dumps(names | more))
        assert step.code == 0, step.stderr
        assert len(arguments(asked.job)) == 3


def test_every_field_becomes_one_argument(asked):
    step = asked(
        dataset_folder="photos", model="resnet18", learning_rate="1e-3", momentum="0.5", num_epochs="3",
        num_workers="1", batch_size="16", pretrained_model="torchvision", overrides="seed=7 flip=none  image_size=64",
    )  # fmt: skip
    assert step.code == 0, step.stderr
    wanted = [
        "--dataset_folder=photos", "--model=resnet18", "--learning_rate=1e-3", "--momentum=0.5", "--num_epochs=3",
        "--num_workers=1", "--batch_size=16", "--seed=7", "--flip=none", "--image_size=64",
        "--pretrained_model=torchvision",
    ]  # fmt: skip
    assert arguments(asked.job) == ["--experiment_name=pets", "--run_name=first", *wanted]
    assert arguments(asked.job, "arguments.prepare") == wanted
    assert step.outputs["lfs"] == "photos"
    assert step.outputs["cache"].endswith("-resnet18")


@pytest.mark.parametrize("field", FIELDS)
def test_a_hostile_text_is_refused_and_leaves_no_trace(field, asked, tmp_path):
    assert refused(asked(**{field: f"$(touch {tmp_path / 'trace'})"}), field)
    assert not (tmp_path / "trace").exists()
    assert sorted(path.name for path in asked.job.temporary.iterdir()) == ["output", "step_summary"]


@pytest.mark.parametrize("field", FIELDS)
def test_every_hostile_text_is_refused(field, asked, tmp_path, monkeypatch):
    """In this process, because a process for each of some hundred would take a minute."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    import request

    monkeypatch.chdir(asked.job.workspace)
    for name in ("RUNNER_TEMP", "GITHUB_OUTPUT"):
        monkeypatch.setenv(name, str(tmp_path / "nowhere"))
    monkeypatch.setenv("GITHUB_EVENT_NAME", "workflow_dispatch")
    for text in HOSTILE:
        monkeypatch.setenv("INPUTS", json.dumps(FORM | {field: text.format(trace=tmp_path / "trace")}))
        with pytest.raises(UserError):
            request.main()
    assert not (tmp_path / "trace").exists()


@pytest.mark.parametrize(
    ("inputs", "words", "hint"),
    [
        ({"run_name": ""}, "run_name ''", "1 to 64 letters"),
        ({"run_name": ".hidden"}, "run_name '.hidden'", "beginning with a letter"),
        ({"run_name": "old"}, "pets/old is in this branch already", "another run_name"),
        ({"run_name": "a" * 65}, "not a valid name", "1 to 64"),
        ({"experiment_name": "mlflow.db"}, "experiment_name mlflow.db is what tracking keeps", "another name"),
        ({"model": "resnet19"}, "model", "did you mean resnet18?"),
        ({"learning_rate": "0"}, "learning_rate must be a number from 1e-09 to 100", "peak"),
        ({"learning_rate": "0,1"}, "learning_rate must be a number", ""),
        ({"learning_rate": "nan"}, "learning_rate must be a number", ""),
        ({"learning_rate": "1e999"}, "learning_rate must be a number", ""),
        ({"learning_rate": "1e400"}, "learning_rate must be a number", ""),
        ({"learning_rate": "-0.1"}, "learning_rate must be a number", ""),
        ({"num_epochs": "2.5"}, "num_epochs must be a whole number", ""),
        ({"num_epochs": "0"}, "num_epochs must be a whole number", ""),
        ({"num_epochs": "1_0"}, "num_epochs must be a whole number", ""),
        ({"num_epochs": "٣"}, "num_epochs must be a whole number", ""),
        ({"batch_size": "1e3"}, "batch_size must be a whole number", ""),
        ({"dataset_folder": "photo"}, "'photo' is not in this repository", "committed in this branch"),
        ({"dataset_folder": "out"}, "leads out of the repository through a link", "inside"),
        ({"dataset_folder": "out/ssl"}, "leads out of the repository through a link", "inside"),
        ({"dataset_folder": "metadata"}, "leads out of the repository through a link", "inside"),
        ({"dataset_folder": ".git"}, "not a plain relative path", ""),
        ({"dataset_folder": "photos//cat"}, "not a plain relative path", ""),
        ({"pretrained_model": "pets/new/model.pth"}, "neither under experiments/ nor in the repository", "run:"),
        ({"pretrained_model": "pets/old"}, "neither under experiments/ nor in the repository", "model.pth"),
        ({"pretrained_model": "out/passwd"}, "leads out of the repository", ""),
        ({"pretrained_model": "run:"}, "'run:'", "address"),
        ({"pretrained_model": "run:12x"}, "'run:12x'", "address"),
        ({"pretrained_model": "run:0"}, "'run:0'", "address"),
        ({"pretrained_model": "run:-1"}, "'run:-1'", "address"),
        ({"pretrained_model": "run:" + "9" * 20}, "run:", "address"),
        ({"overrides": "seed"}, "'seed' in overrides is not name=value", "seed=1"),
        ({"overrides": "sed=1"}, "sed is not a setting", "did you mean seed?"),
        ({"overrides": "seed=1 seed=2"}, "seed is in overrides twice", "once"),
        ({"overrides": "seed=1\nflip=none"}, "in overrides is not name=value", ""),
        ({"overrides": "learning_rate=1"}, "learning_rate is in overrides", "a field of its own"),
        ({"overrides": "pretrained_model=pets"}, "pretrained_model is in overrides", "a field of its own"),
        ({"overrides": "experiments_folder=elsewhere"}, "experiments_folder is not a setting", ""),
        ({"overrides": "config=photos"}, "config is not a setting", ""),
        ({"overrides": "db_pass=x"}, "db_pass is not a setting", ""),
        ({"overrides": "freeze_backbone=yes"}, "freeze_backbone must be true or false", ""),
        ({"overrides": "flip=up"}, "flip must be one of", ""),
        ({"overrides": "num_threads=-1"}, "num_threads must be auto or", ""),
        ({"runner": "self-hosted"}, "runner is 'self-hosted'", "ubuntu-24.04, self-hosted-gpu"),
        ({"save_results": "true"}, "save_results is 'true'", ""),
        ({"num_epochs": 3}, "num_epochs is 3 and not a text", ""),
        ({"run_name": "a..b", "save_results": True}, "results/pets/a..b cannot be the name of a branch", "two dots"),
        ({"run_name": "a.lock", "save_results": True}, "results/pets/a.lock cannot be", ".lock"),
        ({"surprise": "x"}, "the inputs hold ['surprise']", "different inputs"),
        ({"save_results": 1}, "save_results is 1", "true or false"),
    ],
)
def test_what_cannot_be_trained_is_refused_with_a_hint(inputs, words, hint, asked):
    assert refused(asked(**inputs), words, hint)


def test_names_that_are_no_branches_train_when_nothing_is_saved(asked):
    assert asked(run_name="a..b").code == 0


@pytest.mark.parametrize(
    ("given", "argument", "lfs", "model"),
    [
        ("pets/old/model.pth", "pets/old/model.pth", "experiments/pets/old", ""),
        ("experiments/pets/old/model.pth", "pets/old/model.pth", "experiments/pets/old", ""),
        ("models/base.pth", "../models/base.pth", "models/base.pth", "models/base.pth"),
    ],
)
def test_a_parent_in_the_repository_is_given_as_the_trainer_takes_it(given, argument, lfs, model, asked):
    step = asked(pretrained_model=given, dataset_folder="digits")
    assert step.code == 0, step.stderr
    assert arguments(asked.job)[-1] == f"--pretrained_model={argument}"
    assert (step.outputs["lfs"], step.outputs["model"], step.outputs["parent_run"]) == (lfs, model, "")


@pytest.mark.parametrize("word", ["imagenet", "torchvision", "none"])
def test_published_weights_and_none_are_no_files(word, asked):
    step = asked(pretrained_model=word, model="resnet18", dataset_folder="digits")
    assert step.code == 0, step.stderr
    assert arguments(asked.job)[-1] == f"--pretrained_model={word}"
    assert (step.outputs["lfs"], step.outputs["model"], step.outputs["parent_run"]) == ("", "", "")
    assert step.outputs["cache"] == ("" if word == "none" else "data-resnet18")


def test_the_parent_of_a_workflow_run_is_left_to_the_step_that_fetches_it(asked):
    step = asked(pretrained_model="run:123", dataset_folder="digits")
    assert step.outputs["parent_run"] == "123"
    assert not any("pretrained" in argument for argument in arguments(asked.job))


@pytest.mark.parametrize("event", ["pull_request", "pull_request_target", "issue_comment", "workflow_run"])
def test_our_own_machines_serve_no_event_that_anybody_can_cause(event, asked):
    assert refused(asked(event, runner="self-hosted-gpu"), f"self-hosted-gpu was asked for by {event}")
    assert asked(event, runner="ubuntu-24.04").code == 0


def test_built_in_data_is_neither_fetched_nor_kept(asked):
    step = asked(dataset_folder="digits")
    assert (step.outputs["lfs"], step.outputs["cache"], step.outputs["dataset"]) == ("", "", "")


def test_a_database_is_what_the_repository_describes(asked):
    assert refused(asked(dataset_folder="database"), "there is no db_connect.yaml", "DB_PASS")
    (asked.job.workspace / "db_connect.yaml").write_text("dialect: sqlite\n")
    step = asked(dataset_folder="database")
    assert step.code == 0, step.stderr
    assert arguments(asked.job)[2:] == ["--dataset_folder=database", "--db_connect=db_connect.yaml"]
    assert step.outputs["dataset"] == "db_connect.yaml", "what the container sees of the repository"
    assert (step.outputs["lfs"], step.outputs["cache"]) == ("", "")
    (asked.job.workspace / "db_connect.yaml").unlink()
    (asked.job.workspace / "db_connect.yaml").symlink_to("/etc/passwd")
    assert refused(asked(dataset_folder="database"), "leads out of the repository", "")


def test_what_lies_behind_a_link_is_fetched_under_its_own_name(asked):
    (asked.job.workspace / "pictures").symlink_to("photos")
    assert asked(dataset_folder="pictures").outputs["lfs"] == "photos"


def test_an_experiments_folder_outside_the_repository_is_refused(asked, tmp_path):
    (asked.job.workspace / "experiments").rename(tmp_path / "elsewhere")
    (asked.job.workspace / "experiments").symlink_to(tmp_path / "elsewhere")
    assert refused(asked(), "the experiments folder 'experiments' leads out of the repository")


def test_the_cache_is_named_by_the_content_of_the_data(asked):
    first = asked(dataset_folder="photos").outputs["cache"]
    assert first == asked(dataset_folder="photos", run_name="second").outputs["cache"]
    assert first != asked(dataset_folder="photos/cat").outputs["cache"]
    assert asked().outputs["cache"] == "data-cifar_dataset"


def test_a_refusal_cannot_give_the_runner_a_command(asked):
    step = asked(run_name="x\n::set-env name=PATH::/tmp%0A")
    assert [line for line in step.stdout.splitlines() if not line.startswith("::error::")] == []
    assert "%250A" in step.stdout
    assert all(line.startswith(("error: ", " hint: ")) for line in step.stderr.splitlines())
