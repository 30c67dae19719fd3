"""Files of `torch.save` from before torch 1.6: what torch reads in them is read, nothing is executed."""

import io
import os
import pickle
import struct
import tarfile
from collections import OrderedDict

import pytest
import torch

from image_classifier.errors import UserError
from image_classifier.model import artifact, legacy

pytestmark = pytest.mark.unit

HEAD = b"".join(
    pickle.dumps(value, 2)
    for value in (0x1950A86A20F9469CFC6C, 1001, {"protocol_version": 1001, "little_endian": True, "type_sizes": {}})
)
NUMBERS = struct.pack("<q4f", 4, 1.0, 2.0, 3.0, 4.0)
STORAGE = b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x00kX\x03\x00\x00\x00cpuK\x04NtQ"


def saved(value):
    stream = io.BytesIO()
    torch.save(value, stream, _use_new_zipfile_serialization=False)
    return stream.getvalue()


def view(shape=(4,), strides=(1,), offset=0, storage=STORAGE, function=b"ctorch._utils\n_rebuild_tensor_v2\n"):
    """The instructions that make a tensor of a storage with four numbers."""
    numbers = b"".join(
        b"(" + b"".join(b"J" + struct.pack("<i", each) for each in every) + b"t" for every in (shape, strides)
    )
    return function + b"(" + storage + b"J" + struct.pack("<i", offset) + numbers + b"\x89}tR"


def file(named=None, keys=("k",), rest=NUMBERS, head=HEAD):
    """A file whose third pickle sets `w` to what the instructions `named` make."""
    named = view() if named is None else named
    return head + b"\x80\x02}X\x01\x00\x00\x00w" + named + b"s." + pickle.dumps(list(keys), 2) + rest


class Network(torch.nn.Module):
    """Everything that a network's file had: filters, statistics and counts of batches, scalars, shared weights."""

    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 4, 3)
        self.norm = torch.nn.BatchNorm2d(4)
        self.fc = torch.nn.Linear(5, 5, bias=False)
        self.tied = torch.nn.Linear(5, 5, bias=False)
        self.tied.weight = self.fc.weight


def test_what_torch_reads_in_such_a_file_is_read(tmp_path):
    torch.manual_seed(0)
    state = Network().state_dict()
    state["part"] = torch.arange(24.0).reshape(4, 6)[1:3, ::2]
    state["half"], state["empty"] = torch.ones(2, dtype=torch.bfloat16), torch.empty(0, 3)
    (tmp_path / "old.pth").write_bytes(saved(state))
    ours = artifact.load(tmp_path / "old.pth")
    theirs = torch.load(tmp_path / "old.pth", weights_only=True)
    assert ours.card is None
    assert list(ours.tensors) == list(theirs) == list(state)
    for name, tensor in theirs.items():
        assert torch.equal(ours.tensors[name], tensor)
        assert ours.tensors[name].dtype == tensor.dtype
        assert ours.tensors[name].stride() == tensor.stride()


def test_parameters_and_the_tensors_of_the_first_versions_are_read():
    """torchvision's oldest files name `_rebuild_tensor` (pytorch/vision#112), and keep parameters as such."""
    old = view(function=b"ctorch._utils\n_rebuild_tensor\n").replace(b"\x89}tR", b"tR")
    parameter = b"ctorch.nn.parameter\nParameter\n" + old + b"\x85R(\x88\x89Ntb"
    for named in (old, parameter, b"ctorch._utils\n_rebuild_parameter\n(" + view() + b"\x88}tR"):
        assert legacy.read(file(named))["w"].tolist() == [1, 2, 3, 4]
    kept = OrderedDict(w=torch.nn.Parameter(torch.ones(3)))
    assert torch.equal(legacy.read(saved(kept))["w"], torch.ones(3))


def test_python_2_wrote_names_and_ordered_dicts_in_its_own_way():
    pairs = b"\x80\x02ccollections\nOrderedDict\n](](U\x01w" + view() + b"ee\x85R."
    found = legacy.read(HEAD + pairs + pickle.dumps(["k"], 2) + NUMBERS)
    assert found["w"].tolist() == [1, 2, 3, 4]


def test_a_part_of_a_storage_is_that_part():
    part = STORAGE.replace(b"K\x04NtQ", b"K\x04(X\x01\x00\x00\x00vK\x01K\x02ttQ")
    assert legacy.read(file(view((2,), storage=part)))["w"].tolist() == [2, 3]
    with pytest.raises(ValueError, match="reaches beyond"):
        legacy.read(file(view((3,), storage=part)))


class Canary:
    """Its pickle makes a folder when it is executed."""

    def __reduce__(self):
        return os.mkdir, ("was-executed",)


HOSTILE = {
    "os.system": (file(b"cposix\nsystem\nX\x0e\x00\x00\x00touch executed\x85R"), "names posix.system"),
    "builtins.eval": (file(b"cbuiltins\neval\nX\x01\x00\x00\x001\x85R"), "names builtins.eval"),
    "a torch function": (file(b"ctorch.hub\nload\nX\x01\x00\x00\x00x\x85R"), "names torch.hub.load"),
    "torch.load": (file(b"ctorch\nload\nX\x01\x00\x00\x00x\x85R"), "names torch.load"),
    "getattr on a module": (file(b"cbuiltins\ngetattr\n(ctorch\nos\nX\x06\x00\x00\x00systemtR"), "names builtins"),
    "what torch itself admits": (file(b"ctorch._utils\n_rebuild_qtensor\n)R"), "names torch._utils._rebuild_qtensor"),
    "a name on the stack": (file(b"X\x05\x00\x00\x00posixX\x06\x00\x00\x00system\x93)R"), "STACK_GLOBAL"),
    "an instance": (file(b"(cposix\nsystem\no"), "names posix.system"),
    "an instance by name": (file(b"(X\x01\x00\x00\x00xiposix\nsystem\n"), "INST"),
    "a new object": (file(b"ccollections\nOrderedDict\n)\x81"), "NEWOBJ"),
    "an extension": (file(b"\x82\x01"), "EXT1"),
    "a call of a text": (file(b"X\x01\x00\x00\x00x)R"), "a str in place of a _Name"),
    "a call of a storage": (file(b"ctorch\nFloatStorage\nK\x04\x85R"), "makes a tensor of something else"),
    "state for a name": (file(b"ccollections\nOrderedDict\n}b"), "describes something else"),
    "a list": (file(b"]"), "something else than named tensors"),
    "a second pickle": (file() + pickle.dumps(Canary(), 2), "something follows the last tensor"),
    "a pickle for the numbers": (file(rest=pickle.dumps(Canary(), 2)), "more or less data"),
    "a pickle for the names": (HEAD + pickle.dumps(Canary(), 2) + NUMBERS, "names posix.mkdir"),
    "a pickle for the keys": (HEAD + pickle.dumps({}, 2) + pickle.dumps(Canary(), 2), "names posix.mkdir"),
    "an oversized storage": (
        file(STORAGE.replace(b"K\x04", b"\x8a\x06" + (10**13).to_bytes(6, "little"))), "something else than named",
    ),
    "numbers that are not there": (file(rest=struct.pack("<q", 4)), "more or less data"),
    "a count that is not the storage's": (file(rest=struct.pack("<q", 10**13)), "more or less data"),
    "a negative count": (file(rest=struct.pack("<q", -1)), "more or less data"),
    "a view beyond its storage": (file(view((5,))), "reaches beyond"),
    "a view that begins beyond": (file(view((1,), offset=4)), "reaches beyond"),
    "strides that lead beyond": (file(view((2, 2), (3, 2))), "reaches beyond"),
    "a negative stride": (file(view((2,), (-1,), 1)), "a shape that cannot be"),
    "a storage in two types": (
        file(view() + b"sX\x01\x00\x00\x00v" + view(storage=STORAGE.replace(b"Float", b"Int"))), "in two ways",
    ),
    "a key twice": (file(keys=("k", "k"), rest=NUMBERS + NUMBERS), "do not belong"),
    "an unknown key": (file(keys=("k", "x"), rest=NUMBERS + NUMBERS), "do not belong"),
    "a name that is a number": (HEAD + b"\x80\x02}K\x01" + view() + b"s." + pickle.dumps(["k"], 2) + NUMBERS, "int"),
    "a name without an end": (
        HEAD + b"\x80\x02})" + b"\x85" * 50_000 + view() + b"s." + pickle.dumps(["k"], 2) + NUMBERS, "tuple",
    ),
    "another byte order": (file(head=HEAD.replace(b"\x88", b"\x89")), "byte order"),
    "another number at the start": (file(head=HEAD.replace(b"M\xe9\x03", b"M\xea\x03", 1)), "does not begin"),
}  # fmt: skip


@pytest.mark.parametrize(("data", "reason"), HOSTILE.values(), ids=HOSTILE)
def test_a_file_that_could_do_more_is_refused_and_nothing_of_it_happens(data, reason, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old.pth").write_bytes(data)
    with pytest.raises(UserError, match=reason):
        artifact.load(tmp_path / "old.pth")
    assert [path.name for path in tmp_path.iterdir()] == ["old.pth"]


def test_the_canary_would_be_heard(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pickle.loads(pickle.dumps(Canary(), 2))
    assert (tmp_path / "was-executed").is_dir()


def test_a_view_that_repeats_a_number_without_end_is_refused(tmp_path):
    (tmp_path / "old.pth").write_bytes(file(view((2**31 - 1,), (0,))))
    with pytest.raises(UserError, match="claims more elements than it stores"):
        artifact.load(tmp_path / "old.pth")


def test_a_list_that_is_copied_again_and_again_is_copied_once():
    pairs = b"](" + b"](X\x01\x00\x00\x00wNe" * 1000 + b"eq\x00"
    again = b"ccollections\nOrderedDict\nh\x00\x85R"
    machine = legacy._Pickle(io.BytesIO(b"\x80\x02" + b"(" + pairs + again + again + b"t."))
    assert machine.value() == ([], {"w": None}, {})


def test_the_tar_files_of_the_first_years_are_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with tarfile.open(tmp_path / "old.pth", "w") as tar:
        for name in ("storages", "tensors", "pickle"):
            about = tarfile.TarInfo(name)
            content = pickle.dumps(Canary(), 2)
            about.size = len(content)
            tar.addfile(about, io.BytesIO(content))
    with pytest.raises(UserError, match=r"not a file of torch\.save"):
        artifact.load(tmp_path / "old.pth")
    assert [path.name for path in tmp_path.iterdir()] == ["old.pth"]


def test_every_truncation_is_refused(tmp_path):
    data = file()
    assert artifact.load(written(tmp_path, data)).tensors["w"].tolist() == [1, 2, 3, 4]
    for length in range(0, len(data), 5):
        with pytest.raises(UserError):
            artifact.load(written(tmp_path, data[:length]))


def written(folder, data):
    (folder / "old.pth").write_bytes(data)
    return folder / "old.pth"
