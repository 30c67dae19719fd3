"""What reaches the package index from this machine is used by the build and stays in no layer; what the layers are."""

import io
import json
import marshal
import ssl
import subprocess
import tarfile
import uuid
from pathlib import Path

import pytest


@pytest.fixture
def mini(small, tmp_path):
    """A clone with one package in its lock, so that the whole build takes seconds."""
    return small(tmp_path / "a small clone")


def layers(docker, name):
    return json.loads(docker("image", "inspect", "--format", "{{json .RootFS.Layers}}", name).stdout)


def members(docker, name, base_image):
    """Each entry of each layer that was built on the base: (mode, time, owner, group, content). And all the bytes."""
    saved = subprocess.run([*docker.argv, "save", name], stdout=subprocess.PIPE, check=True).stdout
    found = {}
    with tarfile.open(fileobj=io.BytesIO(saved)) as archive:
        (manifest,) = json.load(archive.extractfile("manifest.json"))
        for number, path in enumerate(manifest["Layers"][len(layers(docker, base_image)) :]):
            with tarfile.open(fileobj=archive.extractfile(path)) as layer:
                for member in layer:
                    content = layer.extractfile(member).read() if member.isreg() else member.linkname.encode()
                    found[number, member.name] = (member.mode, member.mtime, member.uid, member.gid, content)
    return found, saved


def trusted(tmp_path, text):
    """A file of what this machine trusts, with a line more."""
    usual = ssl.get_default_verify_paths().cafile
    path = tmp_path / "ca.pem"
    path.write_text(f"{text}\n" + (Path(usual).read_text() if usual else ""))
    return str(path)


def test_the_secrets_reach_pip_and_stay_in_no_layer(*, docker, mini, build, tag, base_image, tmp_path):
    planted = [f"planted-{uuid.uuid4().hex}" for _ in range(2)]
    certificates = trusted(tmp_path, planted[0])
    done = build(mini, PIP_CERT=certificates, PIP_TRUSTED_HOST=f"{planted[1]}.invalid")
    assert done.returncode == 0, done.stderr
    files, whole = members(docker, tag, base_image)
    assert len(files) > 50
    history = docker("history", "--no-trunc", tag).stdout + docker("image", "inspect", tag).stdout
    for text in planted:
        assert text.encode() not in whole
        assert not [name for name, entry in files.items() if text.encode() in entry[-1]]
        assert text not in history + done.stdout + done.stderr
    left = {
        name for _, name in files if name.split("/")[0] in ("run", "mnt", "root", "tool") or "pip" in name.split("/")
    }
    assert left == set(), "nothing that only the build needs"


def test_certificates_that_are_none_are_noticed_by_pip(mini, build, tmp_path):
    (tmp_path / "ca.pem").write_text("not a certificate\n")
    done = build(mini, PIP_CERT=str(tmp_path / "ca.pem"))
    assert done.returncode == 2
    assert "certificate" in done.stderr.lower()


@pytest.mark.parametrize("how", ["environment", "file"])
def test_pips_settings_are_those_of_the_caller(how, mini, build, tmp_path):
    (tmp_path / "pip.conf").write_text("[global]\nindex-url = https://localhost:1/simple\nretries = 0\n")
    settings = {
        "environment": {"PIP_INDEX_URL": "https://localhost:1/simple", "PIP_RETRIES": "0"},
        "file": {"PIP_CONFIG_FILE": str(tmp_path / "pip.conf")},
    }
    done = build(mini, **settings[how])
    assert done.returncode == 2
    assert "localhost:1/simple" in done.stderr


@pytest.mark.parametrize("variable", ["PIP_CONFIG_FILE", "PIP_CERT"])
def test_settings_that_cannot_be_read_are_told(variable, mini, build, scratch, tmp_path):
    (tmp_path / "pip.conf").write_text("index-url = no section\n")
    values = {"PIP_CONFIG_FILE": str(tmp_path / "pip.conf"), "PIP_CERT": str(tmp_path / "missing.pem")}
    done = build(mini, **{variable: values[variable]})
    assert done.returncode == 2
    assert [line.partition(": ")[0] for line in done.stderr.splitlines()[-2:]] == ["error", " hint"]
    assert values[variable] in done.stderr
    assert list(scratch.iterdir()) == []


def code(content):
    """A compiled file's code; equal code may be written in different bytes."""
    return marshal.loads(content[16:])  # noqa: S302  (it was made here)


def test_two_builds_from_nothing_differ_in_what_the_page_names_and_in_nothing_else(
    docker, mini, build, tag, base_image
):
    assert build(mini).returncode == 0
    first, _ = members(docker, tag, base_image)
    docker("image", "rm", tag)
    script = mini / "docker" / "build_image.sh"
    cached, words = script.read_text(), 'build "${arguments[@]}"'
    assert cached.count(words) == 1
    script.write_text(cached.replace(words, words.replace("build", "build --no-cache")))
    done = build(mini)
    assert done.returncode == 0
    second, _ = members(docker, tag, base_image)
    assert first.keys() == second.keys()
    differing = {key for key in first if first[key] != second[key]}
    times = {key for key in differing if first[key][-1] == second[key][-1]}
    assert {name for _, name in times} <= {"etc"}, "docker makes files for the network there, in every step"
    compiled = {key for key in differing - times if key[1].endswith(".pyc")}
    assert differing == times | compiled
    for key in compiled:
        assert first[key][:-1] == second[key][:-1]
        assert code(first[key][-1]) == code(second[key][-1])
