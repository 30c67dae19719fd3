"""save_results.py: an artifact becomes a branch with real Git LFS, and a pull request."""

import json
import os
import shutil
import stat

import pytest
from github_api import REPOSITORY, serving, zipped
from steps import git, job, refused

pytestmark = pytest.mark.skipif(
    shutil.which("git-lfs") is None and not os.environ.get("CI"),
    reason="git-lfs is not installed (apt install git-lfs)",
)

NUMBER = 99
PIXELS, TENSORS = b"\x89PNG pixels" * 999, bytes(range(256)) * 500
METRICS = {"n": 270, "accuracy": 0.97, "accuracy_ci95": [0.94, 0.99]}
RUN = {
    "pets/first/model.pth": TENSORS,
    "pets/first/metrics.png": PIXELS,
    "pets/first/predictions.npz": b"PK arrays",
    "pets/first/metrics.json": json.dumps(METRICS),
    "pets/first/training_history.csv": "epoch,loss\n1,0.5\n",
}


@pytest.fixture
def github():
    with serving() as running:
        yield running


@pytest.fixture
def saving(tmp_path, github, repository):
    """Save an artifact from a clone of a bare remote: saving(files) is the step, saving.remote the remote."""
    made = job(
        tmp_path,
        **{".gitattributes": (repository / ".gitattributes").read_text(), ".gitignore": "/experiments/demo/\n"},
    )
    git(made.workspace, "commit", "--quiet", "--allow-empty", "-m", "Another")
    remote = tmp_path / "remote.git"
    git(tmp_path, "clone", "--quiet", "--bare", made.workspace, remote)
    shutil.rmtree(made.workspace)
    # As actions/checkout leaves it: one commit deep.
    git(tmp_path, "clone", "--quiet", "--depth=1", "--branch=main", remote.as_uri(), made.workspace)
    made.variables = github.environment() | {
        "GITHUB_RUN_ID": NUMBER, "GITHUB_SERVER_URL": "https://github.example", "GITHUB_REF_TYPE": "branch",
        "GITHUB_REF_NAME": "main", "DEFAULT_BRANCH": "main", "RUN_FOLDER": "pets/first",
    }  # fmt: skip

    def save(files=RUN, *, archive=None, changes=None, **variables):
        archive = zipped(files) if archive is None else archive
        number = github.add_artifact(github.add_run(NUMBER, conclusion=None), archive, **(changes or {}))
        digest = str(github.artifacts[number]["digest"]).removeprefix("sha256:")
        return made.run("save_results.py", **{"ARTIFACT_ID": number, "ARTIFACT_DIGEST": digest} | variables)

    save.remote, save.job = remote, made
    return save


def branches(remote):
    return git(remote, "for-each-ref", "--format=%(refname:short)", "refs/heads").split()


def test_a_run_becomes_a_branch_whose_large_files_are_in_git_lfs(saving, tmp_path):
    step = saving()
    assert step.code == 0, step.stderr
    assert branches(saving.remote) == ["main", "results/pets/first"]
    git(tmp_path, "clone", "--quiet", "--branch=results/pets/first", saving.remote.as_uri(), "elsewhere")
    run = tmp_path / "elsewhere/experiments/pets/first"
    assert {path.name for path in run.iterdir()} == {name.rpartition("/")[2] for name in RUN}
    assert (run / "training_history.csv").read_text() == "epoch,loss\n1,0.5\n"
    for name in ("model.pth", "metrics.png", "predictions.npz"):
        text = git(saving.remote, "show", f"results/pets/first:experiments/pets/first/{name}")
        assert text.startswith("version https://git-lfs.github.com/spec/v1\noid sha256:")
    git(tmp_path / "elsewhere", "lfs", "install", "--local")
    git(tmp_path / "elsewhere", "lfs", "pull")
    assert (run / "model.pth").read_bytes() == TENSORS
    assert (run / "metrics.png").read_bytes() == PIXELS


def test_the_branch_is_one_commit_by_the_bot_with_nothing_else_in_it(saving):
    (saving.job.workspace / "stray").write_text("left by another step")
    assert saving().code == 0
    log = git(saving.remote, "log", "--format=%an <%ae>|%s", "--name-only", "main..results/pets/first")
    who, *names = [line for line in log.splitlines() if line]
    bot = "41898282+github-actions[bot]@users.noreply.github.com"
    assert who == f"github-actions[bot] <{bot}>|Results of pets/first"
    assert sorted(names) == sorted(f"experiments/{name}" for name in RUN)


def test_the_pull_request_says_how_good_the_run_is(saving, github):
    step = saving()
    (pull,) = github.pulls
    assert (pull["title"], pull["head"], pull["base"]) == ("Results of pets/first", "results/pets/first", "main")
    assert "0.9700 (95 % interval 0.9400 to 0.9900)" in pull["body"]
    assert f"https://github.example/{REPOSITORY}/actions/runs/{NUMBER}" in pull["body"]
    assert f"https://example.org/{REPOSITORY}/pull/1" in step.summary
    assert "error_sets.png" not in step.summary + pull["body"], "this run has no such picture"


def test_the_job_and_the_pull_request_show_the_error_sets_as_they_were_committed(saving, github):
    step = saving(RUN | {"pets/first/error_sets.png": PIXELS})
    commit = git(saving.remote, "rev-parse", "results/pets/first").strip()
    address = f"https://github.example/{REPOSITORY}/raw/{commit}/experiments/pets/first/error_sets.png"
    for text in (step.summary, github.pulls[-1]["body"]):
        assert f"![Frequent error sets]({address})" in text


def test_a_tag_was_trained_and_the_default_branch_gets_the_pull_request(saving, github):
    assert saving(GITHUB_REF_TYPE="tag", GITHUB_REF_NAME="v1.0.0", DEFAULT_BRANCH="trunk").code == 0
    assert github.pulls[0]["base"] == "trunk"


def test_unreadable_figures_do_not_keep_a_run_from_being_saved(saving, github):
    assert saving(RUN | {"pets/first/metrics.json": b"{"}).code == 0
    assert "| accuracy | – (95 % interval – to –) |" in github.pulls[0]["body"]


def test_a_folder_that_git_ignores_is_saved_when_it_was_asked_for(saving):
    step = saving({"demo/digits/model.pth": b"x"}, RUN_FOLDER="demo/digits")
    assert step.code == 0, step.stderr
    assert "results/demo/digits" in branches(saving.remote)


def test_the_token_is_in_no_argument_and_in_no_file(saving, github, tmp_path):
    """`strace` is not everywhere: git itself says with which arguments it starts what."""
    trace = tmp_path / "trace"
    assert saving(GIT_TRACE=trace, GIT_TRACE_SETUP=1).code == 0
    assert "git push" in trace.read_text() or "push" in trace.read_text()
    for path in [trace, *(saving.job.workspace / ".git").rglob("*"), *saving.remote.rglob("*")]:
        if path.is_file():
            assert github.token.encode() not in path.read_bytes(), path


def test_a_branch_that_exists_is_left_alone(saving, github):
    git(saving.remote, "branch", "results/pets/first", "main")
    before = git(saving.remote, "rev-parse", "results/pets/first")
    assert refused(saving(), "the branch results/pets/first exists already", "another run_name")
    assert git(saving.remote, "rev-parse", "results/pets/first") == before
    assert github.pulls == []


def test_a_branch_that_appears_meanwhile_is_left_alone(saving, github, tmp_path):
    """While the large files are sent, somebody else makes the branch."""
    programs = tmp_path / "programs"
    programs.mkdir()
    meanwhile = programs / "git-lfs"
    meanwhile.write_text(
        f"#!/bin/sh\n[ \"$1\" != push ] || git -C '{saving.remote}' branch results/pets/first main\n"
        f'exec {shutil.which("git-lfs")} "$@"\n'
    )
    meanwhile.chmod(0o755)
    assert refused(saving(PATH=f"{programs}:{os.environ['PATH']}"), "git push failed")
    assert git(saving.remote, "rev-parse", "results/pets/first") == git(saving.remote, "rev-parse", "main")
    assert github.pulls == []


def test_a_run_that_is_in_the_branch_is_left_alone(saving, github):
    folder = saving.job.workspace / "experiments/pets/first"
    folder.mkdir(parents=True)
    assert refused(saving(), "experiments/pets/first is in this branch already", "another run_name")
    assert github.asked_blobs == []


def test_nothing_is_written_through_a_link(saving, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (saving.job.workspace / "experiments").mkdir()
    (saving.job.workspace / "experiments/pets").symlink_to(tmp_path / "elsewhere")
    assert refused(saving(), "experiments/pets is a link")
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.parametrize("name", ["../../x", "pets", "pets/first/more", "pets/.git", "-x/y", ""])
def test_a_name_that_is_no_run_is_refused(name, saving):
    assert saving(RUN_FOLDER=name).code == 2
    assert branches(saving.remote) == ["main"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"ARTIFACT_ID": 1}, "the artifact is"),
        ({"ARTIFACT_DIGEST": "0" * 64}, "the artifact is"),
        ({"changes": {"expired": True}}, "has expired"),
        ({"changes": {"digest": "sha256:" + "1" * 64}}, "has the digest"),
        ({"files": {"pets/second/model.pth": b"x"}}, "holds pets/second and not pets/first"),
        ({"files": {"pets/first/../../x": b"x"}}, "holds"),
        ({"archive": b"no zip"}, "no sound zip"),
    ],
)
def test_an_artifact_that_is_not_this_runs_is_refused(given, words, saving, github):
    assert refused(saving(**given), words)
    assert branches(saving.remote) == ["main"]
    assert github.pulls == []


def test_large_files_are_not_committed_where_git_lfs_is_not_set_up(saving):
    (saving.job.workspace / ".gitattributes").write_text("*.npz filter=lfs diff=lfs merge=lfs -text\n")
    step = saving()
    assert refused(step, "experiments/pets/first/metrics.png, experiments/pets/first/model.pth", ".gitattributes")
    assert branches(saving.remote) == ["main"]


def test_a_remote_that_refuses_is_an_error_and_no_pull_request_is_opened(saving, github):
    hook = saving.remote / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\necho 'GH006: protected' >&2\nexit 1\n")
    hook.chmod(0o755)
    assert refused(saving(), "git push failed", "may write")
    assert github.pulls == []


def test_a_hook_of_the_repository_is_not_run(saving, tmp_path):
    hook = saving.job.workspace / ".git/hooks/pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/hook-ran\n")
    hook.chmod(hook.stat().st_mode | stat.S_IXUSR)
    assert saving().code == 0
    assert not (tmp_path / "hook-ran").exists()


def test_a_pull_request_that_may_not_be_opened_leaves_the_branch_and_says_so(saving, github):
    github.refuse_pulls = "GitHub Actions is not permitted to create or approve pull requests."
    assert refused(saving(), "results/pets/first was pushed, but no pull request opened", "Settings, Actions, General")
    assert "results/pets/first" in branches(saving.remote)
