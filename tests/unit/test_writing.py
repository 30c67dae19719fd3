"""Only files.py writes: everything else hands bytes to it, so no reader ever meets half a file."""

import ast
import re

import pytest

WRITER = "image_classifier.files"
# Calls that change the disk whatever their arguments are, by the last part of their name.
ALWAYS = {
    *("write_text", "write_bytes", "mkdir", "makedirs", "rmdir", "rmtree", "unlink", "rename", "renames", "touch"),
    *("symlink", "symlink_to", "link", "hardlink_to", "chmod", "lchmod", "chown", "truncate", "ftruncate"),
    *("copyfile", "copytree", "copy2", "move", "make_archive", "unpack_archive", "extractall", "tofile"),
    *("mkstemp", "mkdtemp", "mktemp", "NamedTemporaryFile", "TemporaryDirectory", "urlretrieve"),
    *("imsave", "download_url_to_file", "hf_hub_download"),
    *("put_file", "get_file", "pipe_file", "cp_file", "rm"),  # fsspec's
}
# Names that are harmless on other objects: only on these they change the disk.
ON_MODULE = {"os.remove", "os.replace", "os.write", "shutil.copy", "shutil.chown", "shutil.copymode"}
# Calls that take a path or a stream: fine with a stream in memory, or with one that files.py gave.
TO_A_STREAM = {"save", "savez", "savez_compressed", "savetxt", "savefig", "dump", "print_png", "write_array"}
# Calls that return text unless they are given a path.
TO_A_PATH = {"to_csv", "to_json", "to_parquet", "to_pickle", "to_excel"}
STREAMS = re.compile(r"\b(BytesIO|StringIO|BinaryIO|TextIO|SpooledTemporaryFile|files\.create)\b")
OPENERS = {"open", "fdopen", "ZipFile", "TarFile", "memmap", "open_memmap", "File", "GzipFile"}
WRITING_FLAGS = re.compile(r"O_(WRONLY|RDWR|CREAT|TRUNC|APPEND|TMPFILE)")
WRITING_MODE = re.compile(r"(?=.*[wax+])[rwaxbtU+:|gz2]{1,6}")

# What may write all the same, and why.
EXCEPTIONS = {
    **{
        ("image_classifier.pipelines.storage", f"self._fs.{call}"): "a bucket or a folder; the manifest comes last"
        for call in ("put_file", "get_file", "pipe_file", "cp_file", "rm")
    },
    **{
        ("image_classifier.pipelines.bucket", f"store.{call}"): "a bucket, and from it to a folder that files.py made"
        for call in ("put_file", "get_file", "rm")
    },
    **{
        ("image_classifier.data.sources.bucket", f"self._fs.{call}"): "a bucket, and only where nothing is"
        for call in ("put_file", "pipe_file")
    },
    ("image_classifier.data.sources.pulling", "os.open"): "parts, moved into place by files.py when they are whole",
    ("image_classifier.data.sources.journal", "self._path.open"): "lines are added; one that is cut off is left out",
    ("image_classifier.data.inputs", "np.memmap"): "maps rows of the file that files.create made",
    ("image_classifier.data.turns", "shutil.rmtree"): "removes what killed processes left, under its lock",
    ("image_classifier.data.turns", "place.rmdir"): "an empty folder that was only a lock",
    ("image_classifier.pipelines.kubeflow", "zipfile.ZipFile"): "in memory",
    ("image_classifier.data.decoding", "open"): "worker processes fill rows of files.py's array",
    ("image_classifier.pipelines.hadoop", "self._store.rename"): "Hadoop's own file systems, such as a bucket",
    (
        "image_classifier.model.published",
        "torch.hub.download_url_to_file",
    ): "torch's own cache, written atomically",
    ("image_classifier.model.hub", "hf_hub_download"): "the hub's own cache, written atomically",
}


def streams(function):
    """The names that hold a stream in memory, or one of files.py's, inside a function."""
    for node in ast.walk(function):
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value and STREAMS.search(ast.unparse(node.value)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (ast.unparse(target) for target in targets)
        elif isinstance(node, ast.withitem) and node.optional_vars and STREAMS.search(ast.unparse(node.context_expr)):
            yield ast.unparse(node.optional_vars)
        elif isinstance(node, ast.arg) and node.annotation and STREAMS.search(ast.unparse(node.annotation)):
            yield node.arg


def ours(tree):
    """The names that a module has from the package: what they do is judged where they are defined."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.level or node.module.split(".")[0] == "image_classifier"):
            yield from (alias.asname or alias.name for alias in node.names)


def mode(call):
    """What an opening call says about reading or writing; a mode that is computed counts as writing."""
    method = isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value) not in {"io", "gzip", "bz2", "lzma"}
    is_path_open = method and call.func.attr == "open"
    given = [keyword.value for keyword in call.keywords if keyword.arg == "mode"]
    positional = call.args[0 if is_path_open else 1 :]
    texts = [value.value for value in given + positional if isinstance(value, ast.Constant)]
    if any(not isinstance(value, ast.Constant) for value in given):
        return "w"
    return next((text for text in texts if isinstance(text, str) and WRITING_MODE.fullmatch(text)), "r")


def writes(call, in_memory):
    """Whether one call changes the disk."""
    name = ast.unparse(call.func)
    last = name.rpartition(".")[2]
    if name == "os.open":
        return bool(WRITING_FLAGS.search(ast.unparse(call))) and ast.unparse(call.args[0]) != "os.devnull"
    if last in ALWAYS or name in ON_MODULE:
        return True
    if last in TO_A_PATH:
        return bool(call.args or call.keywords)
    if last == "replace":  # text takes two arguments, a Path one
        return len(call.args) == 1 and not call.keywords and not name.startswith("dataclasses.")
    if last in TO_A_STREAM:
        given = {ast.unparse(argument) for argument in [*call.args, *(keyword.value for keyword in call.keywords)]}
        returns_text = last == "dump" and len(call.args) == 1
        return not (given & in_memory or returns_text)
    return last in OPENERS and mode(call) != "r"


def writing(trees):
    """Every call outside files.py that changes the disk: its module, its name, and where it is."""
    for name, tree in trees.items():
        if name == WRITER:
            continue
        in_memory, from_us = set(streams(tree)), set(ours(tree))
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or ast.unparse(node.func).partition(".")[0] in from_us:
                continue
            if writes(node, in_memory):
                yield (name, ast.unparse(node.func)), f"{name}:{node.lineno} {ast.unparse(node)[:80]}"


def test_only_the_files_room_writes(package_trees):
    assert [where for call, where in writing(package_trees) if call not in EXCEPTIONS] == []


def test_no_exception_outlives_its_reason(package_trees):
    assert EXCEPTIONS.keys() - {call for call, _ in writing(package_trees)} == set()


@pytest.mark.parametrize(
    "source",
    [
        "open(path, 'w')",
        "open(path, mode=chosen)",
        "path.open('xb')",
        "path.open(mode='a')",
        "path.write_text('x')",
        "path.parent.mkdir(parents=True)",
        "path.unlink()",
        "path.replace(other)",
        "os.replace(path, other)",
        "os.remove(path)",
        "os.open(path, os.O_WRONLY | os.O_CREAT)",
        "os.fdopen(descriptor, 'wb')",
        "shutil.move(path, other)",
        "tempfile.mkdtemp()",
        "np.save(path, array)",
        "np.savez(path, a=array)",
        "torch.save(state, path)",
        "figure.savefig(path)",
        "image.save(path)",
        "json.dump(value, stream)",
        "table.to_csv(path)",
        "files.write_text(path, 'x')",
        "np.lib.format.open_memmap(path, mode='w+')",
        "zipfile.ZipFile(path, 'w')",
        "gzip.open(path, 'wb')",
        "buffer = path.open('rb')\ntorch.save(state, buffer)",
    ],
)
def test_a_call_that_writes_is_found(source):
    assert list(writing({"image_classifier.runs": ast.parse(source)}))


@pytest.mark.parametrize(
    "source",
    [
        "open(path)",
        "path.open('rb')",
        "os.open(path, os.O_RDONLY)",
        "os.fdopen(descriptor, 'rb')",
        "Image.open(path, formats=['PNG'])",
        "np.load(path, mmap_mode='r')",
        "np.memmap(path, mode='r')",
        "zipfile.ZipFile(path)",
        "text.replace('w', 'x')",
        "dataclasses.replace(config)",
        "json.dumps(value)",
        "yaml.safe_dump(value)",
        "buffer = io.BytesIO()\ntorch.save(state, buffer)",
        "with BytesIO() as buffer:\n    figure.savefig(buffer, format='png')",
        "with files.create(path) as stream:\n    np.save(stream, array)",
        "def f(stream: BinaryIO):\n    np.lib.format.write_array(stream, array)",
        "from image_classifier import files\nfiles.write_text(path, 'x')",
        "os.open(os.devnull, os.O_WRONLY)",
        "table.to_csv()",
        "names.remove('a')",
    ],
)
def test_a_call_that_only_reads_or_stays_in_memory_is_allowed(source):
    assert list(writing({"image_classifier.runs": ast.parse(source)})) == []
