"""--type update against a server that holds each request against KFP's published API.

This is the test of the modules client, server and updating.
"""

import datetime as dt
import ipaddress
import json
import os
import re
import socket
import urllib.error
import urllib.request

import kfp_api
import pytest

from image_classifier.pipelines import kubeflow, server

pytest.importorskip("kfp", reason="an extra")

TOKEN = "eyJ.canary-of-the-token"  # noqa: S105
NAME = "frequent-error-sets"
VERSION = re.compile(
    r"version ([0-9a-f]{12}(?:-dirty)?-[0-9a-f]{8}) of frequent-error-sets is (uploaded|there already)"
)
CRON = "0 0 6 * * 1"


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch, tmp_path):
    """No server, no token and no settings of whoever runs the tests."""
    for name in [name for name in os.environ if name.startswith(("KFP_", "KF_PIPELINES_")) or name == "SSL_CERT_FILE"]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture
def kfp():
    with kfp_api.serving() as running:
        yield running
    assert running.wrong == [], "every request is as published"


@pytest.fixture
def update(capsys):
    """update(server, …) is the exit code of the command, what it said on stdout, and on stderr."""

    def given(running, *more):
        host = running if isinstance(running, str) else running.url
        code = kubeflow.main(["--type", "update", "--host", host, *map(str, more)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return given


def refused(ended, words, hint=""):
    """Check that a command ended with one error and its hint, on stderr alone."""
    code, out, errors = ended
    lines = errors.splitlines()
    assert (code, len(lines)) == (2, 2), errors
    assert lines[0].startswith("error: "), errors
    assert lines[1].startswith(" hint: "), errors
    assert words in lines[0], errors
    assert hint in lines[1], errors
    assert TOKEN not in out + errors
    return True


def version(ended):
    """The name of the version that a command uploaded or found."""
    assert ended[0] == 0, ended
    return VERSION.match(ended[1]).groups()


def test_the_first_update_makes_the_pipeline_of_the_bytes_that_compile_writes(kfp, update, tmp_path):
    name, how = version(update(kfp))
    assert how == "uploaded"
    assert kubeflow.main(["--type", "compile", "--output", str(tmp_path)]) == 0
    ((number, bytes_),) = kfp.files.items()
    assert bytes_ == (tmp_path / "pipeline.yaml").read_bytes()
    (pipeline,) = kfp.pipelines.values()
    assert pipeline["display_name"] == NAME
    assert kfp.calls() == [("POST", "upload")]
    assert kfp.versions[number]["description"] == f"{name}: runs image-classifier"


def test_the_same_again_is_there_already_and_another_image_is_a_new_version(kfp, update):
    first = update(kfp)
    assert version(update(kfp)) == (version(first)[0], "there already")
    assert kfp.calls() == [("POST", "upload")]
    changed = update(kfp, "--image", "registry.example/other:1")
    assert version(changed)[1] == "uploaded"
    assert version(update(kfp, "--image", "registry.example/other:1"))[1] == "there already"
    assert kfp.calls() == [("POST", "upload"), ("POST", "upload_version")]
    assert len(kfp.pipelines) == 1
    query = next(query for _, path, query, _ in kfp.asked if path.endswith("upload_version"))
    assert (query["name"], query["pipelineid"]) == (version(changed)[0], *kfp.pipelines)
    last = list(kfp.versions)[-1]
    assert b"registry.example/other:1" in kfp.files[last]
    assert changed[1].splitlines()[0].endswith(f"{kfp.url}/#/pipelines/details/{query['pipelineid']}/version/{last}")


def test_a_version_is_named_by_the_commit_and_what_is_not_committed_is_told(kfp, update, git, tmp_path, monkeypatch):
    git(tmp_path, "init", "--quiet")
    (tmp_path / "file").write_text("one")
    git(tmp_path, "add", "--all")
    git(tmp_path, "commit", "--quiet", "--message", "all")
    commit = git(tmp_path, "rev-parse", "HEAD")[:12]
    monkeypatch.chdir(tmp_path)
    clean, _ = version(update(kfp))
    (tmp_path / "file").write_text("two")
    changed, _ = version(update(kfp))
    assert clean.startswith(f"{commit}-")
    assert changed == clean.replace(commit, f"{commit}-dirty")


def test_a_server_that_kfp_has_no_such_request_of_would_be_noticed():
    with kfp_api.serving() as running:
        for path in ("pipelines?unknown=1", "pipelines?page_size=x", "pipeline", 'pipelines?filter={"predicate":[]}'):
            with pytest.raises(urllib.error.HTTPError, match="400"):
                urllib.request.urlopen(f"{running.url}/apis/v2beta1/{path}".replace('"', "%22"))
        body = json.dumps({"display_name": "x", "mode": "SOMETIMES"}).encode()
        with pytest.raises(urllib.error.HTTPError, match="400"):
            urllib.request.urlopen(f"{running.url}/apis/v2beta1/recurringruns", data=body)
        assert len(running.wrong) == 5


@pytest.mark.parametrize("place", ["file", "variable"])
def test_a_token_is_sent_and_never_shown(place, kfp, update, monkeypatch, tmp_path):
    kfp.token = TOKEN
    assert refused(update(kfp), "answers 401 Unauthorized: no such user", "KFP_TOKEN")
    more = []
    if place == "file":
        (tmp_path / "token").write_text(f"{TOKEN}\n")
        more = ["--token_file", tmp_path / "token"]
    else:
        monkeypatch.setenv("KFP_TOKEN", TOKEN)
    ended = update(kfp, *more)
    assert version(ended)[1] == "uploaded"
    assert TOKEN not in "".join(ended[1:])
    assert not any(TOKEN in str(each) for each in kfp.asked)
    kfp.answers["POST", "upload_version"] = lambda to: to.send(403, {"error": f"{to.headers['Authorization']} may not"})
    assert refused(update(kfp, "--image", "other", *more), "answers 403 Forbidden: Bearer *** may not", "KFP_TOKEN")


@pytest.mark.parametrize(
    ("content", "words"),
    [("", "is empty"), ("two\nlines", "no token has"), ("ü", "no token has"), ("\0", "no token has")],
)
def test_what_is_no_token_is_refused_unseen(content, words, kfp, update, tmp_path):
    (tmp_path / "token").write_text(content)
    ended = update(kfp, "--token_file", tmp_path / "token")
    assert refused(ended, words)
    assert "lines" not in ended[2]
    assert kfp.asked == []


def test_the_run_that_recurs_is_of_this_version_and_replaces_the_older_one(kfp, update):
    ended = update(kfp, "--cron", CRON, "--data_scopes", '["red"]', "--root", "s3://bucket/prefix")
    assert ended[1].splitlines()[1] == f"{NAME}-wine_quality recurs at {CRON!r}"
    ((first, made),) = kfp.recurring.items()
    (experiment,) = kfp.experiments
    assert made["pipeline_version_reference"] == {
        "pipeline_id": next(iter(kfp.pipelines)),
        "pipeline_version_id": next(iter(kfp.versions)),
    }
    assert made["runtime_config"]["parameters"] == {
        "root": "s3://bucket/prefix", "domain": "kubeflow", "use_case": "wine_quality", "run_type": "recurring",
        "data_scopes": '["red"]', "debug": "no",
    }  # fmt: skip
    assert made["trigger"] == {"cron_schedule": {"cron": CRON}}
    assert (made["mode"], made["max_concurrency"], made["no_catchup"]) == ("ENABLE", "1", True)
    assert made["experiment_id"] == experiment

    again = update(kfp, "--cron", CRON, "--data_scopes", '["red"]', "--root", "s3://bucket/prefix")
    assert again[1].splitlines()[1].endswith("as before")
    assert list(kfp.recurring) == [first]

    other = "0 30 7 * * *"
    update(kfp, "--cron", other, "--data_scopes", '["red"]', "--root", "s3://bucket/prefix")
    ((second, made),) = kfp.recurring.items()
    assert (second != first, made["trigger"]["cron_schedule"]["cron"]) == (True, other)
    assert len(kfp.experiments) == 1

    kfp.recurring[second]["status"] = "DISABLED"
    update(kfp, "--cron", other, "--data_scopes", '["red"]', "--root", "s3://bucket/prefix")
    assert [each["status"] for each in kfp.recurring.values()] == ["ENABLED"]


def test_a_run_that_cannot_recur_leaves_the_older_one_and_other_use_cases_have_their_own(kfp, update):
    update(kfp, "--cron", CRON)
    update(kfp, "--cron", CRON, "--use_case", "smoke")
    before = dict(kfp.recurring)
    assert len(before) == 2
    kfp.answers["POST", "recurringruns"] = lambda to: to.send(400, {"error": "cron: no such day"})
    assert refused(update(kfp, "--cron", "0 0 0 31 2 *"), "answers 400 Bad Request: cron: no such day")
    assert kfp.recurring == before


def test_a_server_of_several_users_wants_a_namespace_and_gets_it_with_all_that_is_named(kfp, update, monkeypatch):
    kfp.multi_user = True
    assert refused(update(kfp), "has several users", "KFP_NAMESPACE")
    monkeypatch.setenv("KFP_NAMESPACE", "team")
    assert version(update(kfp, "--cron", CRON))[1] == "uploaded"
    assert next(iter(kfp.experiments.values()))["namespace"] == "team"
    (query,) = [query for _, path, query, _ in kfp.asked if path.endswith("upload")]
    assert query["namespace"] == "team"


def test_the_package_is_kept_in_a_folder_too_and_a_store_that_fails_uploads_nothing(kfp, update, tmp_path):
    store = tmp_path / "packages"
    name, _ = version(update(kfp, "--package_store", store))
    (content,) = kfp.files.values()
    assert (store / name / "pipeline.yaml").read_bytes() == content
    assert kubeflow.zipped(content.decode()) == (store / name / "pipeline.zip").read_bytes()
    assert next(iter(kfp.versions.values()))["description"].endswith(f"kept in {store}/{name}")
    (tmp_path / "no folder").write_text("")
    assert refused(update(kfp, "--image", "other", "--package_store", tmp_path / "no folder" / "x"), "no folder")
    assert len(kfp.files) == 1


PAGE = b"<html><title>Log in</title></html>"
BAD = {
    "a page": (lambda to: to.send(200, PAGE, "text/html; charset=utf-8"), "answers text/html, not JSON"),
    "a page said to be JSON": (lambda to: to.send(200, PAGE), "answers application/json, not JSON"),
    "a list": (lambda to: to.send(200, []), "not the API"),
    "nothing": (lambda to: to.send(200, b"", ""), "answers nothing, not JSON"),
    "not found": (lambda to: to.send(404, PAGE, "text/html"), "answers 404"),
    "forbidden without UTF-8": (lambda to: to.send(403, b"\xff\xfe"), "cannot be reached"),
    "an error": (lambda to: to.send(500, {"error": "a\nb"}), "answers 500 Internal Server Error: a b"),
    "an error as a page": (lambda to: to.send(502, PAGE, "text/html"), "answers 502 Bad Gateway"),
    "a conflict": (lambda to: to.send(409, {"error_message": "exists"}), "answers 409 Conflict: exists"),
    "an end": (lambda to: to.connection.close(), "cannot be reached"),
    "half an answer": (lambda to: to.send(200, b"{}", **{"Content-Length": "900"}), "cannot be reached"),
}  # fmt: skip


AT_THE_UPLOAD = ("a page", "an error", "a conflict", "an end")


@pytest.mark.parametrize(
    ("when", "kind"),
    [*((("GET", "healthz"), kind) for kind in BAD), *((("POST", "upload"), kind) for kind in AT_THE_UPLOAD)],
)
def test_a_bad_answer_is_an_error_that_says_what_came(kind, when, kfp, update):
    answer, words = BAD[kind]
    kfp.answers[when] = answer
    assert refused(update(kfp), words)
    assert kfp.files == {}


def test_an_upload_that_is_answered_without_an_id_is_an_error(kfp, update):
    kfp.answers["POST", "upload"] = lambda to: to.send(200, {})
    assert refused(update(kfp), "answers without pipeline_id")


def test_a_login_page_that_the_request_is_sent_to_gets_no_token(kfp, update, monkeypatch):
    monkeypatch.setenv("KFP_TOKEN", TOKEN)
    with kfp_api.serving() as login:
        seen = []
        login.answers["all"] = lambda to: (seen.append(dict(to.headers)), to.send(200, PAGE, "text/html"))
        kfp.answers["all"] = lambda to: to.send(302, b"", Location=login.url.replace("127.0.0.1", "localhost"))
        assert refused(update(kfp), "answers text/html, not JSON", "a login page answers so too")
    assert seen
    assert TOKEN not in str(seen)


def test_a_server_that_says_nothing_is_not_waited_for_without_end(update, monkeypatch):
    monkeypatch.setattr(server, "_SECONDS", (1, 0.2))
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        assert refused(update(f"http://127.0.0.1:{silent.getsockname()[1]}"), "cannot be reached", "is it running")


def test_a_server_that_is_not_there_is_told_once(update):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    assert refused(update(f"http://127.0.0.1:{port}"), "Connection refused", "is it running")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A file with a certificate for 127.0.0.1, signed by nobody else, and its key."""
    x509 = pytest.importorskip("cryptography.x509")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, now = ec.generate_private_key(ec.SECP256R1()), dt.datetime.now(dt.UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "kfp")])
    place = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(1).add_extension(place, critical=False)
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    day = dt.timedelta(days=1)
    signed = made.not_valid_before(now - day).not_valid_after(now + day).sign(key, hashes.SHA256())
    pem, bare = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    file = tmp_path_factory.mktemp("certificate") / "kfp.pem"
    file.write_bytes(signed.public_bytes(pem) + key.private_bytes(pem, bare, serialization.NoEncryption()))
    return file


def test_a_certificate_that_nobody_knows_is_refused_until_it_is_named(update, certificate, monkeypatch):
    with kfp_api.serving(certificate=certificate) as running:
        assert refused(update(running), "certificate", "SSL_CERT_FILE")
        assert refused(update(running.url.replace("https", "http")), "cannot be reached")
        assert running.asked == []
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert version(update(running))[1] == "uploaded"
    with kfp_api.serving() as plain:
        assert refused(update(plain.url.replace("http", "https")), "cannot be reached")


@pytest.mark.parametrize(
    "host",
    [
        "kubeflow.example.org",
        "ftp://kubeflow",
        "https://me:{}@kubeflow".format("canary"),
        "https://kubeflow/?token=canary",
        "http://a b",
    ],
)
def test_a_host_that_is_no_address_is_refused_without_what_may_be_secret(host, update):
    ended = update(host)
    assert refused(ended, "is no address of a server")
    assert "canary" not in ended[2]


def test_without_a_server_nothing_is_tried_and_the_variable_names_one(kfp, monkeypatch, capsys):
    assert kubeflow.main(["--type", "update"]) == 2
    assert "error: no server is named" in capsys.readouterr().err
    monkeypatch.setenv("KFP_HOST", f"{kfp.url}/")
    assert kubeflow.main(["--type", "update"]) == 0
    assert f"{kfp.url}/#/" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("more", "words", "hint"),
    [
        (["--cron", "0 6 * * 1"], "is not six fields", "seconds first"),
        (["--cron", "0 0 6 * * ;"], "is not six fields", "seconds first"),
        (["--cron", "0 0 6 * *\n1"], "is not six fields", "seconds first"),
        (["--cron", CRON, "--run_type", "simulation"], "not a simulation", "leave out"),
        (["--cron", CRON, "--data_scopes", "red"], "is not JSON", "JSON list"),
        (["--cron", CRON, "--use_case", "wine"], "no use case", "wine_quality"),
    ],
)
def test_a_mistake_is_refused_before_the_server_is_asked(more, words, hint, kfp, update):
    assert refused(update(kfp, *more), words, hint)
    assert kfp.asked == []


@pytest.mark.parametrize("flag", ["--host", "--namespace", "--token_file", "--package_store", "--cron"])
def test_what_only_an_update_takes_is_refused_elsewhere(flag, tmp_path, capsys):
    assert kubeflow.main(["--type", "compile", "--output", str(tmp_path), flag, "x"]) == 2
    assert f"error: {flag} is for --type update" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
