"""image.py, publish.py and find_image.py: an image named by its content, through a real registry."""

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.request

import pytest
from steps import SCRIPTS, git, job, refused

SOURCES = {
    "docker/Dockerfile": "FROM scratch\n",
    "docker/build.sh": "printf 'built\\n'\nexit 7\n",
    "image_classifier/main.py": "x = 1\n",
    "requirements/requirements-prod.txt": "x==1\n",
    "pyproject.toml": "[project]\n",
    "tests/test_x.py": "",
}


@pytest.fixture
def checkout(tmp_path):
    made = job(tmp_path, **SOURCES)
    made.variables = {"GITHUB_REPOSITORY": "Team/Image_Classifier", "GITHUB_ACTOR": "me", "REGISTRY": "127.0.0.1:9"}
    return made


def content(made, **variables):
    """The step that computes the image's name by its content."""
    probe = made.temporary / "probe.py"
    probe.write_text(
        f"import sys; sys.path.insert(0, {str(SCRIPTS)!r}); import content, step\n"
        "step.run(lambda: step.set_outputs({'hash': content.content_hash()}))\n"
    )
    return made.run(probe, **variables)


def commit(made, name, text):
    (made.workspace / name).write_text(text)
    git(made.workspace, "add", "--all")
    git(made.workspace, "commit", "--quiet", "-m", "Change")


def test_the_name_changes_with_what_determines_the_image_and_with_nothing_else(checkout):
    first = content(checkout).outputs["hash"]
    commit(checkout, "tests/test_x.py", "y = 1\n")
    commit(checkout, "notes.md", "nothing\n")
    assert content(checkout).outputs["hash"] == first
    seen = {first, content(checkout, BASE_IMAGE="other").outputs["hash"]}
    for number, name in enumerate(SOURCES, 2):
        if not name.startswith("tests"):
            commit(checkout, name, SOURCES[name] + "# changed\n")
            seen.add(content(checkout).outputs["hash"])
            assert len(seen) == number + 1, name
    (checkout.workspace / "docker/build.sh").chmod(0o755)
    git(checkout.workspace, "commit", "--quiet", "--all", "-m", "Mode")
    assert content(checkout).outputs["hash"] not in seen


def test_what_is_changed_and_not_committed_has_no_name(checkout):
    (checkout.workspace / "image_classifier/main.py").write_text("x = 2\n")
    assert refused(content(checkout), "changed and not committed: image_classifier/main.py", "commit")


def test_a_build_that_fails_is_an_error(checkout, docker):
    checkout.variables["PATH"] = docker.environment["PATH"]
    step = checkout.run("image.py")
    assert refused(step, "docker/build.sh ended with 7", "messages are above")
    assert "built" in step.stdout


def test_the_build_does_not_see_the_token(checkout, docker):
    commit(checkout, "docker/build.sh", "env >&2\nexit 7\n")
    step = checkout.run("image.py", GITHUB_TOKEN="ghs_secret")  # noqa: S106
    assert "IMAGE_NAME=image-classifier" in step.stderr
    assert "ghs_secret" not in step.stderr


@pytest.fixture
def registry(tmp_path, docker):
    """The address of a real registry of this test's own."""
    program = shutil.which("docker-registry")
    if program is None and not os.environ.get("CI"):
        pytest.skip("docker-registry is not installed (apt install docker-registry)")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    settings = tmp_path / "registry.yml"
    settings.write_text(
        f"version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {tmp_path}/registry\nhttp:\n  addr: {address}\n"
    )
    running = subprocess.Popen([program, "serve", settings], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(100):
        try:
            urllib.request.urlopen(f"http://{address}/v2/").close()
            break
        except OSError:
            time.sleep(0.1)
    yield address
    running.terminate()
    running.wait()


@pytest.fixture
def built(docker, checkout, tmp_path):
    """The id of a small image that stands for the one that docker/build.sh has built."""
    name = checkout.variables["IMAGE_NAME"] = f"workflow-test-{tmp_path.parent.name}-{tmp_path.name}".lower()
    (tmp_path / "Dockerfile").write_text(f"FROM scratch\nLABEL test={tmp_path.name}\nCOPY Dockerfile /\n")
    docker("build", "--quiet", "--tag", name, tmp_path)
    found = docker("image", "inspect", "--format", "{{.Id}}", name).stdout.strip()
    yield found
    docker("image", "rm", "--force", found)


def test_a_published_image_is_pulled_by_its_content_and_not_built(checkout, registry, built, docker):
    checkout.variables |= {"REGISTRY": registry, "GITHUB_REF_TYPE": "tag", "GITHUB_REF_NAME": "v1.2.3"}
    pushed = checkout.run("publish.py")
    assert pushed.code == 0, pushed.stderr
    name = f"{registry}/team/image_classifier/image-classifier"
    tags = {content(checkout).outputs["hash"], "1.2.3"}
    with urllib.request.urlopen(f"http://{registry}/v2/{name.partition('/')[2]}/tags/list") as answer:
        assert set(json.load(answer)["tags"]) == tags
    docker("image", "rm", "--force", built)
    pulled = checkout.run("image.py", GITHUB_TOKEN="ghs_secret")  # noqa: S106
    assert pulled.code == 0, pulled.stderr
    assert pulled.outputs == {"image": built}
    assert pushed.outputs["name"] == name
    digests = docker("image", "inspect", "--format", "{{.RepoDigests}}", built).stdout
    assert f"{name}@{pushed.outputs['digest']}" in digests
    assert not list(checkout.temporary.rglob("config.json")), "the login is gone"
    found = checkout.run("find_image.py", GITHUB_TOKEN="ghs_secret")  # noqa: S106
    assert found.outputs == {"image": f"{name}:{content(checkout).outputs['hash']}"}
    assert "::warning::" not in found.stdout


def test_an_image_that_is_not_published_is_named_with_a_warning(checkout, docker):
    checkout.variables["PATH"] = docker.environment["PATH"]
    found = checkout.run("find_image.py", GITHUB_TOKEN="ghs_secret")  # noqa: S106
    name = f"127.0.0.1:9/team/image_classifier/image-classifier:{content(checkout).outputs['hash']}"
    assert (found.code, found.outputs) == (0, {"image": name})
    assert f'::warning::{name} was not found: run "Publish the image"' in found.stdout
    assert not list(checkout.temporary.rglob("config.json")), "the login is gone"


@pytest.mark.parametrize("tag", ["v1", "latest", "v1.2.3;x", "v1.2", "vx.y.z", "v1.2.3-" + "a" * 99])
def test_a_tag_that_is_no_version_is_not_pushed(tag, checkout, docker):
    checkout.variables |= {"GITHUB_REF_TYPE": "tag", "GITHUB_REF_NAME": tag}
    assert refused(checkout.run("publish.py"), "is no version", "v1.2.3")


def test_a_registry_that_refuses_is_an_error(checkout, docker, built):
    assert refused(checkout.run("publish.py", GITHUB_REF_TYPE="branch"), "docker push ended with 1", "above")


@pytest.fixture
def trying(docker, image):
    """try_image.sh with the words as the command."""

    def run(*words):
        command = ["bash", SCRIPTS / "try_image.sh", *words]
        return subprocess.run(command, env=docker.environment | {"IMAGE_NAME": image}, capture_output=True, text=True)

    return run


def test_the_built_image_trains_without_network_and_rights(trying):
    names = ["--experiment_name=try", "--run_name=image"]
    done = trying("image_classifier_trainer", *names, "--dataset_folder=digits", "--model=cnn", "--num_epochs=1")
    assert done.returncode == 0, done.stderr
    assert "test        270 images" in done.stdout


@pytest.mark.parametrize(
    "wrong",
    ["open('/opt/x', 'w')", "import socket; socket.create_connection(('1.1.1.1', 53), 5)", "import os; os.setuid(0)"],
)
def test_an_image_that_wants_more_is_found(wrong, trying):
    assert trying("python", "-c", wrong).returncode == 1
