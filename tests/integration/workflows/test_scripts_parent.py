"""fetch_parent.py: the model of an earlier workflow run, from nowhere else and in no other form."""

import pytest
from github_api import serving, zipped
from steps import SCRIPTS, job, refused

from image_classifier.errors import UserError

RUN = {"pets/first/model.pth": b"tensors", "pets/first/metrics.json": b"{}", "pets/first/run.json": b"{}"}
NUMBER = 4711


@pytest.fixture
def github():
    with serving() as running:
        yield running


@pytest.fixture
def fetching(tmp_path, github):
    """Fetch a parent into a repository that has a run: fetching() is the step."""
    made = job(tmp_path, **{"experiments/pets/first/model.pth": b"committed"})
    made.variables = github.environment()

    def fetch(**variables):
        return made.run("fetch_parent.py", PARENT_RUN=NUMBER, **variables)

    fetch.experiments = made.workspace / "experiments"
    fetch.temporary = made.temporary
    return fetch


def left(experiments):
    """Every file under the experiments folder, with its content."""
    return {str(path.relative_to(experiments)): path.read_bytes() for path in experiments.rglob("*") if path.is_file()}


COMMITTED = {"pets/first/model.pth": b"committed"}


def offered(github, archive, run=None, **artifact):
    github.add_artifact(github.add_run(NUMBER, **(run or {})), archive, **artifact)


def test_a_successful_run_becomes_the_parent(github, fetching):
    offered(github, zipped(RUN))
    step = fetching()
    assert step.code == 0, step.stderr
    assert step.outputs == {"parent": f".parents/{NUMBER}/pets/first/model.pth"}
    placed = {f".parents/{NUMBER}/{name}": content for name, content in RUN.items()}
    assert left(fetching.experiments) == COMMITTED | placed


def test_the_token_goes_to_the_api_and_not_to_the_store(github, fetching):
    offered(github, zipped(RUN))
    assert fetching().code == 0
    assert all(headers["Authorization"] == f"Bearer {github.token}" for _, _, headers in github.asked)
    ((path, headers),) = github.asked_blobs
    assert "Authorization" not in headers
    assert github.token not in path + str(headers)


def test_the_newest_attempt_of_a_run_is_taken(github, fetching):
    offered(github, zipped(RUN | {"pets/first/model.pth": b"first attempt"}))
    github.add_artifact(NUMBER, zipped(RUN))
    assert fetching().code == 0
    assert (fetching.experiments / ".parents" / str(NUMBER) / "pets/first/model.pth").read_bytes() == b"tensors"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"repository": {"full_name": "other/image_classifier"}}, "repository"),
        ({"head_repository": {"full_name": "fork/image_classifier"}}, "head repository"),
        ({"head_repository": None}, "head repository"),
        ({"path": ".github/workflows/ci.yaml"}, "workflow"),
        ({"path": ".github/workflows/training.yaml.yaml"}, "workflow"),
        ({"event": "pull_request"}, "event"),
        ({"event": "push"}, "event"),
        ({"conclusion": "failure"}, "conclusion"),
        ({"conclusion": "cancelled"}, "conclusion"),
        ({"conclusion": None, "status": "in_progress"}, "conclusion"),
        ({"id": 4712}, "number"),
    ],
)
def test_a_run_that_anybody_could_have_made_is_refused(changes, words, github, fetching):
    github.add_run(NUMBER)
    github.runs[NUMBER] |= changes
    github.add_artifact(NUMBER, zipped(RUN))
    assert refused(
        fetching(), f"the {words} of the workflow run {NUMBER} is", "successful run of Image Classifier Training"
    )
    assert left(fetching.experiments) == COMMITTED
    assert github.asked_blobs == []


def test_the_workflow_may_be_named_with_its_branch(github, fetching):
    offered(github, zipped(RUN), run={"path": ".github/workflows/training.yaml@main"})
    assert fetching().code == 0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"expired": True}, "has expired"),
        ({"digest": "sha256:" + "0" * 64}, "has the digest"),
        ({"digest": None}, "no digest"),
        ({"digest": "md5:0"}, "no digest"),
        ({"size_in_bytes": 9 << 30}, "bytes"),
        ({"name": "other"}, "has no artifact experiment_results"),
        ({"workflow_run": {"id": 1}}, "has no artifact experiment_results"),
    ],
)
def test_an_artifact_that_cannot_be_trusted_is_refused(changes, words, github, fetching):
    offered(github, zipped(RUN), **changes)
    assert refused(fetching(), words)
    assert left(fetching.experiments) == COMMITTED


def test_a_run_that_does_not_exist_is_refused(fetching):
    assert refused(fetching(), "answered 404 Not Found", "permissions")


def test_a_refused_token_is_an_error_that_does_not_show_it(github, fetching):
    offered(github, zipped(RUN))
    github.token = "another"  # noqa: S105
    step = fetching()
    assert refused(step, "answered 401 Bad credentials")
    assert "ghs_" not in step.stderr + step.stdout


def test_an_api_that_is_gone_is_an_error(fetching):
    with serving() as other:
        gone = other.url
    assert refused(fetching(GITHUB_API_URL=gone), "cannot be reached", "if GitHub has a fault")


def test_a_store_that_lost_the_artifact_is_an_error_without_its_signature(github, fetching):
    number = github.add_artifact(github.add_run(NUMBER), zipped(RUN))
    github.archives[number] = None
    step = fetching()
    assert refused(step, f"/{number} answered 404")
    assert "signature" not in step.stderr


@pytest.mark.parametrize("place", ["file:///etc/passwd", "ftp://127.0.0.1/x", "//127.0.0.1/x", ""])
def test_a_download_is_not_followed_to_any_kind_of_address(place, github, fetching):
    offered(github, zipped(RUN))
    github.blobs_url = place
    assert refused(fetching(), "an address that is not https")
    assert left(fetching.experiments) == COMMITTED


def test_a_download_ends_where_it_becomes_too_large(github, fetching, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPTS))
    import github as client

    number = github.add_artifact(github.add_run(NUMBER), zipped(RUN))
    for name, value in github.environment().items():
        monkeypatch.setenv(name, value)
    size = len(github.archives[number])
    assert client.download(f"actions/artifacts/{number}/zip", tmp_path / "fits", size)
    with pytest.raises(UserError, match="larger than"):
        client.download(f"actions/artifacts/{number}/zip", tmp_path / "too large", size - 1)


def test_an_answer_that_is_no_json_is_an_error(github, fetching):
    github.add_run(NUMBER)
    github.runs[NUMBER] = b"<html>"
    assert refused(fetching(), "is no JSON")


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"pets/first/model.pth": b"x", "../../pets/first/model.pth": b"x"}, "the artifact holds '../../pets"),
        ({"pets/first/metrics.json": b"{}"}, "left no model.pth"),
    ],
)
def test_an_artifact_that_is_no_finished_run_is_refused(files, words, github, fetching):
    offered(github, zipped(files))
    assert refused(fetching(), words)
    assert (fetching.experiments / "pets/first/model.pth").read_bytes() == b"committed"


def test_a_parent_that_was_fetched_before_is_not_overwritten(github, fetching):
    offered(github, zipped(RUN))
    assert fetching().code == 0
    assert refused(fetching(), "is there already")


def test_a_link_in_the_place_of_the_parents_is_not_followed(github, fetching, tmp_path):
    offered(github, zipped(RUN))
    (tmp_path / "elsewhere").mkdir()
    (fetching.experiments / ".parents").symlink_to(tmp_path / "elsewhere")
    assert refused(fetching(), "is a link")
    assert list((tmp_path / "elsewhere").iterdir()) == []
