"""What is in the image: the locked packages and no more, who runs it, how large it is, what it says of itself."""

import json
import re
import tomllib

import pytest

INSTALLED = """
import json, os
from importlib.metadata import distributions
found = list(distributions(path=["/opt/venv/lib/python3.%d/site-packages" % __import__("sys").version_info[1]]))
files = {os.path.realpath(file.locate()) for each in found for file in each.files}
print(json.dumps({"versions": {each.name: each.version for each in found}, "bytes": sum(map(os.path.getsize, files))}))
"""
LOADED = """
import json, os, sys
from image_classifier import main
train = "train --experiment_name e --dataset_folder"
code = main.main(f"{train} digits --run_name one --model cnn --num_epochs 1".split())
code = code or main.main(f"{train} wine --run_name two --model random_forest".split())
assert "mlflow" in sys.modules, "the run was sent to the store beside it"
cached = [getattr(module, "__cached__", None) for module in list(sys.modules.values())]
cached = [path for path in cached if isinstance(path, str) and path.startswith("/opt/venv/")]
print(json.dumps({"code": code, "loaded": len(cached), "uncompiled": [p for p in cached if not os.path.exists(p)]}))
"""


def normal(name):
    """A package's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(text):
    return {normal(name): version for name, version in re.findall(r"^([\w.-]+)==([^\s;]+)", text, flags=re.MULTILINE)}


@pytest.fixture(scope="module")
def settings(docker, image):
    """What the image says of itself."""
    return json.loads(docker("image", "inspect", image).stdout)[0]


@pytest.fixture(scope="module")
def inside(docker, image):
    """inside(command…) is what a command prints in a container of the image."""
    return lambda *command: docker("run", "--rm", "--network=none", image, *command).stdout


@pytest.fixture(scope="module")
def installed(inside):
    """Names, versions and bytes of the packages in the image, as Python itself finds them."""
    return json.loads(inside("python", "-c", INSTALLED))


@pytest.fixture(scope="module")
def expected(clone):
    """What the locks say should be there."""
    version = tomllib.loads((clone / "pyproject.toml").read_text())["project"]["version"]
    locks = {
        name: pins((clone / "requirements" / f"requirements-{name}.txt").read_text())
        for name in ("prod", "pipelines", "image")
    }
    return locks["prod"] | locks["pipelines"] | {"dumb-init": locks["image"]["dumb-init"], "image-classifier": version}


def test_it_holds_two_locks_the_init_and_the_package_and_nothing_else(installed, expected):
    assert {normal(name): version for name, version in installed["versions"].items()} == expected
    assert "pip" not in expected


def test_the_bill_of_materials_lists_the_packages_of_the_image(inside, clone, expected):
    text = inside("cat", "/opt/image_classifier/sbom.cdx.json")
    bill = json.loads(text)
    assert bill["bomFormat"] == "CycloneDX"
    assert {normal(each["name"]): each["version"] for each in bill["components"]} == expected
    assert len(bill["components"]) == len(expected)
    assert {each["purl"] for each in bill["components"] if each["name"] == "torch"} == {
        f"pkg:pypi/torch@{expected['torch']}"
    }
    assert (clone / "docker" / "sbom.cdx.json").read_text() == text, "the copy that build.sh makes"


def test_it_is_no_larger_than_base_and_wheels_and_100_megabytes(docker, base_image, settings, installed):
    base = int(docker("image", "inspect", "--format", "{{.Size}}", base_image).stdout)
    assert settings["Size"] <= base + installed["bytes"] + 100_000_000


def test_what_a_training_imports_is_compiled(inside):
    said = json.loads(inside("python", "-c", LOADED).splitlines()[-1])
    assert said["code"] == 0
    assert said["loaded"] > 1000
    assert len(said["uncompiled"]) < 0.01 * said["loaded"], said["uncompiled"]


def test_dvc_runs_without_git_and_is_compiled(inside):
    script = "cd /tmp && dvc init --no-scm --quiet && dvc stage add --quiet --name a --outs b 'echo x > b' && dvc repro"
    assert "Running stage 'a'" in inside("sh", "-c", script)
    assert inside("sh", "-c", "command -v git || true") == ""
    program = (
        "import dvc.repo, dulwich.client as d, os; print(*map(os.path.exists, (dvc.repo.__cached__, d.__cached__)))"
    )
    assert inside("python", "-c", program).split() == ["True", "True"]


def test_labels_say_what_it_is_and_where_it_comes_from(settings, clone, git, expected):
    labels = settings["Config"]["Labels"]
    assert labels == {
        "org.opencontainers.image.title": "image_classifier",
        "org.opencontainers.image.description": tomllib.loads((clone / "pyproject.toml").read_text())["project"][
            "description"
        ],
        "org.opencontainers.image.licenses": "MIT",
        "org.opencontainers.image.version": expected["image-classifier"],
        "org.opencontainers.image.revision": git(clone, "rev-parse", "HEAD"),
        "org.opencontainers.image.created": "2026-01-02T03:04:05Z",
        "org.opencontainers.image.source": "",
    }


def test_nobody_in_it_may_change_the_program(inside, settings):
    assert settings["Config"]["User"] == "10001:10001"
    assert inside("id", "-u").strip() == "10001"
    assert inside("find", "/opt", "/usr", "-writable", "!", "-type", "l") == ""


def test_an_init_is_the_first_process(inside, settings):
    assert settings["Config"]["Entrypoint"] == ["dumb-init", "--"]
    assert inside("cat", "/proc/1/comm").strip() == "dumb-init"


def test_a_gpu_is_used_where_there_is_one(docker, image, settings):
    assert {"NVIDIA_VISIBLE_DEVICES=all", "NVIDIA_DRIVER_CAPABILITIES=compute,utility"} <= set(
        settings["Config"]["Env"]
    )
    asked = docker("run", "--rm", "--gpus=all", image, "true", check=False)
    gpu = ["--gpus=all"] if asked.returncode == 0 else []
    seen = docker("run", "--rm", *gpu, image, "python", "-c", "import torch; print(torch.cuda.is_available())").stdout
    assert seen.strip() == str(bool(gpu))
