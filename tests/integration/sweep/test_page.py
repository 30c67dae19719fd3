"""What docs/sweep.md shows works as it is shown, and a webhook that fails costs nothing but a warning."""

import http.server
import json
import os
import re
import shlex
import threading

import pytest
import warm

from image_classifier.main import main

HIDDEN = "/services/xyzzy"


@pytest.fixture(scope="module")
def page(repository):
    return (repository / "docs" / "sweep.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def commands(page):
    return [shlex.split(line)[1:] for line in re.findall(r"^    (image_classifier .*)$", page, flags=re.MULTILINE)]


@pytest.fixture(scope="module")
def tried(page, commands, tmp_path_factory):
    """The folder in which the page's first command was given."""
    folder = tmp_path_factory.mktemp("page")
    (grid,) = re.findall(r"^```yaml\n# grid.yaml\n(.*?)^```", page, flags=re.MULTILINE | re.DOTALL)
    (folder / "grid.yaml").write_text(grid)
    environment = os.environ | {"XDG_CACHE_HOME": str(folder / "cache")}
    done = warm.run("image_classifier", *commands[0], folder=folder, environment=environment)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def server():
    """The address of a server that answers with `server.status`, and what it was sent."""

    class Server(http.server.ThreadingHTTPServer):
        status, heard = 200, ()

        @property
        def url(self):
            return f"http://127.0.0.1:{self.server_port}{HIDDEN}"

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.server.heard = (*self.server.heard, json.loads(body))
            self.send_response(self.server.status)
            self.end_headers()

        def log_message(self, *_):
            pass

    with Server(("127.0.0.1", 0), Handler) as made:
        threading.Thread(target=made.serve_forever, args=(0.01,), daemon=True).start()
        yield made
        made.shutdown()


@pytest.fixture
def there(tried, monkeypatch):
    monkeypatch.chdir(tried)
    monkeypatch.setenv("NO_PROXY", "*")
    return tried


def test_the_commands_of_the_page_work(there, commands, capsys):
    assert len(commands) >= 4
    for command in commands[1:]:
        assert main(command) == 0, command
    assert "## tried" in (there / "tried.md").read_text()
    assert "McNemar" in capsys.readouterr().out


def test_the_files_of_the_page_are_there_and_no_others(there, page):
    files = set(re.findall(r"^\| `(sweep\S+)` \|", page, flags=re.MULTILINE))
    assert len(files) == 6
    assert {path.name for path in (there / "experiments/tried").iterdir() if path.is_file()} == files
    assert (there / "experiments/tried/knn--split_seed-0/run.json").is_file()


def test_the_webhook_is_told_of_a_sweep_what_the_page_says(there, page, server, monkeypatch, capsys):
    monkeypatch.setenv("IMAGE_CLASSIFIER_WEBHOOK_URL", f"  {server.url}\n")
    assert main(["notify", "tried"]) == 0
    (shown,) = re.findall(r"^```json\n(.*?)^```", page, flags=re.MULTILINE | re.DOTALL)
    (told,) = server.heard
    assert told.keys() == json.loads(shown).keys()
    assert (told["kind"], told["name"], told["finished"], told["failed"]) == ("sweep", "tried", 6, 0)
    assert told["text"] == capsys.readouterr().out
    best = json.loads((there / "experiments" / told["best"] / "metrics.json").read_text())
    assert (told["accuracy"], told["validation_accuracy"]) == (best["accuracy"], best["val"]["accuracy"])


def test_the_webhook_is_told_of_a_run(there, server, monkeypatch):
    monkeypatch.setenv("IMAGE_CLASSIFIER_WEBHOOK_URL", server.url)
    assert main(["notify", "tried/knn--split_seed-1", "--output", "run.md"]) == 0
    (told,) = server.heard
    metrics = json.loads((there / "experiments/tried/knn--split_seed-1/metrics.json").read_text())
    assert told == {
        "text": (there / "run.md").read_text(),
        "kind": "run",
        "name": "tried/knn--split_seed-1",
        "accuracy": metrics["accuracy"],
        "accuracy_ci95": metrics["accuracy_ci95"],
        "validation_accuracy": metrics["val"]["accuracy"],
        "nb_freq_sets": 0,
    }


def test_a_webhook_that_refuses_is_a_warning_without_its_address(there, server):
    server.status = 404
    environment = os.environ | {"IMAGE_CLASSIFIER_WEBHOOK_URL": server.url}
    told = warm.run(
        "image_classifier", "notify", "tried", "--output", "told.md", folder=there, environment=environment
    )  # fmt: skip
    warning = "warning: the webhook in $IMAGE_CLASSIFIER_WEBHOOK_URL was not told: the server answered 404\n"
    assert (told.returncode, told.stdout, told.stderr) == (0, "", warning)
    assert (there / "told.md").is_file()


@pytest.mark.parametrize("url", [f"ftp://example.org{HIDDEN}", HIDDEN, f"https://{HIDDEN}", "a b"])
def test_nonsense_for_a_webhook_is_a_warning(there, monkeypatch, capsys, caplog, url):
    monkeypatch.setenv("IMAGE_CLASSIFIER_WEBHOOK_URL", url)
    assert main(["notify", "tried"]) == 0
    assert capsys.readouterr().out.startswith("## tried")
    assert "the webhook in $IMAGE_CLASSIFIER_WEBHOOK_URL was not told: it " in caplog.text
    assert HIDDEN not in caplog.text


@pytest.mark.parametrize("url", ["", "  "])
def test_an_empty_address_is_none(there, monkeypatch, caplog, url):
    monkeypatch.setenv("IMAGE_CLASSIFIER_WEBHOOK_URL", url)
    assert main(["notify", "tried"]) == 0
    assert caplog.text == ""


def test_a_webhook_is_not_told_of_what_is_not_there(there, server, monkeypatch):
    monkeypatch.setenv("IMAGE_CLASSIFIER_WEBHOOK_URL", server.url)
    assert main(["notify", "treid"]) == 2
    assert server.heard == ()
