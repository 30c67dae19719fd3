"""Local stand-ins for the few actions that workflows use; an action without one is an error, never a skip."""

import hashlib
import io
import os
import shutil
import zipfile

from . import runner


def stand_in(uses):
    """The function that plays an action; its keywords are the inputs that it knows."""
    return STAND_INS[uses.partition("@")[0]]


def _git(job, *arguments):
    log = job.temp / "git.log"
    with log.open("wb") as stream:
        code = job.start(["git", *arguments], job.workspace, {}, stream).wait()
    if code:
        raise runner.FailedError(f"git {arguments}: {log.read_text()}")


def checkout(job, *, lfs="false", persist_credentials="true", fetch_depth="1"):
    """A real clone of the commit; the token stays in .git/config unless told otherwise, as with the real one."""
    github = job.contexts["github"]
    _git(job, "init", "--quiet")
    _git(job, "remote", "add", "origin", f"{github['server_url']}/{github['repository']}")
    if lfs == "true":
        _git(job, "lfs", "install", "--local")
    if fetch_depth == "0":
        _git(job, "fetch", "--quiet", "--tags", "origin", "+refs/heads/*:refs/remotes/origin/*")
    depth = [] if fetch_depth == "0" else [f"--depth={fetch_depth}"]
    _git(job, "fetch", "--quiet", "--no-tags", *depth, "origin", github["sha"])
    branch = ["-B", github["ref_name"]] if github["ref_type"] == "branch" else ["--detach"]
    _git(job, "checkout", "--quiet", "--force", *branch, "FETCH_HEAD")
    if persist_credentials == "true":
        header = f"http.{github['server_url']}/.extraheader"
        _git(job, "config", header, f"AUTHORIZATION: basic {github['token']}")
    return {"ref": github["ref"], "commit": github["sha"]}


def setup_python(job, *, python_version):
    """The Python of the steps' machine, whatever version is asked for, first on the path of the later steps."""
    found = shutil.which("python3", path=runner.PATH)
    job.path.insert(0, os.path.dirname(found))
    return {"python-path": found, "python-version": python_version}


def restore(job, *, path, key):
    """The paths as they were kept under exactly this key."""
    kept = job.github.folder / "caches" / hashlib.sha256(key.encode()).hexdigest()
    for number, place in enumerate(path.split()):
        if (kept / str(number)).exists():
            shutil.copytree(kept / str(number), job.workspace / place, dirs_exist_ok=True)
            runner.own(job.workspace / place)
    return {"cache-hit": "true" if kept.exists() else "", "cache-primary-key": key}


def save(job, *, path, key):
    """Keep the paths that exist; what is kept is never replaced."""
    kept = job.github.folder / "caches" / hashlib.sha256(key.encode()).hexdigest()
    for number, place in enumerate(path.split() if not kept.exists() else []):
        if (job.workspace / place).exists():
            shutil.copytree(job.workspace / place, kept / str(number))
    return {}


def upload(job, *, path, name="artifact", if_no_files_found="warn", **unused):
    """A zip of the files below a folder, hidden ones left out, in the store that the API serves."""
    if strange := unused.keys() - {"retention_days", "compression_level", "overwrite"}:
        raise TypeError(f"upload-artifact: {strange}")
    root, files, packed = job.workspace / path, {}, io.BytesIO()
    for file in sorted(each for each in root.rglob("*") if each.is_file()):
        if not any(part.startswith(".") for part in file.relative_to(root).parts):
            files[file] = file.relative_to(root)
    if not files and if_no_files_found == "error":
        raise runner.FailedError(f"No files were found with the provided path: {path}")
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for file, inside in files.items():
            archive.write(file, inside)
    github, content = job.contexts["github"], packed.getvalue()
    number = job.github.api.add_artifact(int(github["run_id"]), content, name=name)
    url = f"{github['server_url']}/{github['repository']}/actions/runs/{github['run_id']}/artifacts/{number}"
    digest = hashlib.sha256(content).hexdigest()
    return {"artifact-id": str(number), "artifact-url": url, "artifact-digest": digest}


STAND_INS = {
    "actions/checkout": checkout,
    "actions/setup-python": setup_python,
    "actions/cache/restore": restore,
    "actions/cache/save": save,
    "actions/upload-artifact": upload,
}
