"""docs/docker.md: its commands are run as they stand there, in their order, in one shell."""

import os
import re
import subprocess
import uuid

import pytest
from PIL import Image

BLOCK = re.compile(r"^```bash\n(.*?)^```", flags=re.DOTALL | re.MULTILINE)
IMAGE = re.compile(r"(?<![\w/-])image-classifier(?![\w-])")


def photos(folder):
    """A user's images: two classes that a small network can tell apart."""
    for name, shade in (("dark", 20), ("light", 220)):
        (folder / name).mkdir(parents=True)
        for number in range(20):
            Image.new("RGB", (16, 16), (shade + number, shade, shade)).save(folder / name / f"{number}.png")


@pytest.fixture(scope="module")
def work_tree(committed, tmp_path_factory):
    """The repository with a user's images in it."""
    folder = committed(tmp_path_factory.mktemp("a copy") / "image classifier")
    photos(folder / "photos")
    return folder


@pytest.fixture(scope="module")
def said(*, work_tree, docker, building, image, one_cpu):
    """What the page's commands printed: (output, errors)."""
    names = {IMAGE: f"{image}-page", re.compile(r"\btraining\b"): f"training-{uuid.uuid4().hex[:12]}"}
    script = "\n".join(BLOCK.findall((work_tree / "docs" / "docker.md").read_text()))
    for word, name in names.items():
        script = word.sub(name, script)
    with one_cpu():
        (cpu,) = os.sched_getaffinity(0)
    # Each container has one CPU: the other one is another test's.
    runs = f'[[ $1 != run ]] || set -- run --cpuset-cpus={cpu} "${{@:2}}"'
    script = f'docker() {{ {runs}; "{docker.argv[0]}" "$@"; }}\n{script}'
    image_name, container = names.values()
    command = ["bash", "-euo", "pipefail", "-c", script]
    done = subprocess.run(command, cwd=work_tree, env=building(IMAGE_NAME=image_name), capture_output=True, text=True)
    yield done.stdout, done.stderr, done.returncode
    docker("rm", "--force", container, check=False)
    docker("image", "rm", image_name)


def test_every_command_of_the_page_ends_well(said):
    assert said[2] == 0, said[0] + said[1]


def test_without_a_word_it_trains_on_digits_and_shows_the_metrics(said):
    demonstration = said[0].partition("test        270 images\n")[2]
    assert demonstration.startswith("accuracy    0.9")
    assert "results     experiments/demo/digits\n" in demonstration


def test_without_any_right_it_does_the_same_in_a_temporary_folder(said):
    assert "/workspace/experiments cannot be written: the run goes to /tmp\n" in said[1]
    assert said[0].count("test        270 images\n") == 3, "and once with one epoch"


def test_a_build_ends_with_about_the_size_on_the_page(said, work_tree):
    written = re.search(r"^    size   (\d+) MB$", (work_tree / "docs" / "docker.md").read_text(), flags=re.MULTILINE)
    printed = re.search(r"^size   (\d+) MB$", said[0], flags=re.MULTILINE)
    assert abs(int(written[1]) / int(printed[1]) - 1) < 0.1


def test_a_stopped_training_ends_with_143_and_is_finished_by_the_second(said, work_tree):
    assert "\n143\n" in said[0]
    for name in ("first", "second"):
        assert (work_tree / "experiments" / "pets" / name / "model.pth").is_file()
        assert not (work_tree / "experiments" / "pets" / name / "checkpoint.pth").exists()


def test_the_record_names_the_image(said, docker, image):
    digest = docker("image", "inspect", "--format", "{{.Id}}", image).stdout.strip()
    assert f'"image_digest": "{digest}"' in said[0]


def test_the_page_names_every_variable_of_configure_with_its_default(repository):
    rows = re.findall(r"^\| `(\w+)` \| `([^`]+)`", (repository / "docs/docker.md").read_text(), flags=re.MULTILINE)
    script = '. docker/configure.sh; printf "%s\\n" "$IMAGE_NAME" "$BASE_IMAGE"'
    clean = {"PATH": "/usr/bin:/bin"}
    said = subprocess.run(["bash", "-c", script], cwd=repository, env=clean, capture_output=True, text=True).stdout
    assert dict(rows) == dict(zip(("IMAGE_NAME", "BASE_IMAGE"), said.split(), strict=True)) | {
        "PYTHON": ".venv/bin/python"
    }
