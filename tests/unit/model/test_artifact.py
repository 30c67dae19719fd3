"""A file of tensors: equal content is equal bytes, and a damaged or hostile file is refused, never run."""

import io
import json
import os
import pickle
import zipfile

import numpy as np
import pytest
import safetensors.torch
import torch

from image_classifier.errors import UserError
from image_classifier.files import digest_bytes
from image_classifier.model import artifact

pytestmark = pytest.mark.unit

CARD = {"classes": ["ä", "b"], "x": 1.5}


def tensors():
    generator = torch.Generator().manual_seed(0)
    return {"b": torch.randn(4, 3, 2, 2, generator=generator), "a": torch.arange(6.0), "n": torch.tensor(7)}


def stored(path, data=None):
    path.write_bytes(artifact.dumps(tensors(), CARD) if data is None else data)
    return path


def repacked(change, compression=zipfile.ZIP_STORED):
    """The entries of a good file, changed and packed again with right checksums."""
    source, target = io.BytesIO(artifact.dumps(tensors(), CARD)), io.BytesIO()
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", compression) as new:
        for entry in old.infolist():
            for name, data in change(entry.filename, old.read(entry)):
                new.writestr(name, data)
    return target.getvalue()


def test_what_is_written_is_read_back(tmp_path):
    found = artifact.load(stored(tmp_path / "model.pth"))
    assert found.card == CARD
    assert found.sha256 == digest_bytes((tmp_path / "model.pth").read_bytes())
    for name, value in tensors().items():
        assert torch.equal(found.tensors[name], value)


def test_bytes_do_not_depend_on_order_strides_sharing_or_string_identity():
    plain = tensors()
    shared = torch.cat([plain["a"], plain["a"]])
    other = {
        "n": plain["n"].clone(),
        str(b"a", "ascii"): shared[6:],
        "b": plain["b"].to(memory_format=torch.channels_last).requires_grad_(),
    }
    assert artifact.dumps(other, dict(reversed(CARD.items()))) == artifact.dumps(plain, CARD)


def test_a_plain_state_dict_is_accepted_without_a_card(tmp_path):
    torch.save(tensors(), tmp_path / "plain.pth")
    found = artifact.load(tmp_path / "plain.pth")
    assert found.card is None
    assert set(found.tensors) == {"a", "b", "n"}


def test_a_lfs_pointer_is_recognised_and_the_command_named(tmp_path):
    path = stored(tmp_path / "model.pth", b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n")
    with pytest.raises(UserError, match="pointer") as caught:
        artifact.load(path)
    assert "git lfs pull" in caught.value.hint


class Evil:
    def __reduce__(self):
        return os.mkdir, ("was-executed",)


def test_code_in_a_file_is_refused_and_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"state": Evil()}, tmp_path / "evil.pth")
    with pytest.raises(UserError, match="more than tensors"):
        artifact.load(tmp_path / "evil.pth")
    (tmp_path / "evil.pkl").write_bytes(pickle.dumps(Evil()))
    with pytest.raises(UserError, match=r"not a file of torch\.save"):
        artifact.load(tmp_path / "evil.pkl")
    assert not (tmp_path / "was-executed").exists()


def test_every_truncation_is_refused(tmp_path):
    data = artifact.dumps(tensors(), CARD)
    for length in range(0, len(data), max(1, len(data) // 60)):
        with pytest.raises(UserError):
            artifact.load(stored(tmp_path / "cut.pth", data[:length]))


def test_every_flipped_byte_of_a_tensor_is_refused(tmp_path):
    data = bytearray(artifact.dumps(tensors(), CARD))
    start = data.index(tensors()["b"].numpy().tobytes())
    for position in range(start, start + 192, 17):
        damaged = data.copy()
        damaged[position] ^= 0xFF
        with pytest.raises(UserError, match="damaged"):
            artifact.load(stored(tmp_path / "flipped.pth", bytes(damaged)))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_no_numbers_are_refused(tmp_path, value):
    path = stored(tmp_path / "nan.pth", artifact.dumps({"w": torch.tensor([1.0, value])}, CARD))
    with pytest.raises(UserError, match="NaN or infinite"):
        artifact.load(path)


def test_tensors_without_values_are_refused(tmp_path):
    torch.save({"w": torch.ones(3, device="meta")}, tmp_path / "meta.pth")
    with pytest.raises(UserError, match=r"w in .* has a shape and no values"):
        artifact.load(tmp_path / "meta.pth")


def test_variances_below_zero_are_refused(tmp_path):
    variances = {"body.bn.running_var": torch.tensor([1.0, -1e-3]), "w": torch.tensor([-1.0])}
    torch.save(variances, tmp_path / "parent.pth")
    with pytest.raises(UserError, match=r"body\.bn\.running_var in .* has negative variances"):
        artifact.load(tmp_path / "parent.pth")
    torch.save(variances | {"body.bn.running_var": torch.zeros(2)}, tmp_path / "parent.pth")
    assert "w" in artifact.load(tmp_path / "parent.pth").tensors


@pytest.mark.parametrize("dtype", [torch.complex64, torch.int8, torch.int16])
def test_types_no_network_uses_are_refused(tmp_path, dtype):
    path = stored(tmp_path / "type.pth", artifact.dumps({"w": torch.zeros(3, dtype=dtype)}, CARD))
    with pytest.raises(UserError, match="type"):
        artifact.load(path)


def test_a_small_file_that_claims_ten_trillion_elements_is_refused(tmp_path):
    torch.save({"w": torch.zeros(1).expand(10**13)}, tmp_path / "huge.pth")
    with pytest.raises(UserError, match="more elements than it stores"):
        artifact.load(tmp_path / "huge.pth")


def test_a_compressed_archive_is_refused(tmp_path):
    path = stored(tmp_path / "bomb.pth", repacked(lambda name, data: [(name, data)], zipfile.ZIP_DEFLATED))
    with pytest.raises(UserError, match="compressed"):
        artifact.load(path)


def test_a_second_entry_of_one_name_is_refused(tmp_path):
    with pytest.warns(UserWarning, match="Duplicate"):
        data = repacked(lambda name, data: [(name, data)] * (2 if name.endswith("/data/0") else 1))
    with pytest.raises(UserError, match="two entries"):
        artifact.load(stored(tmp_path / "twice.pth", data))


def test_a_fifo_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "fifo.pth")
    with pytest.raises(UserError, match="regular file"):
        artifact.load(tmp_path / "fifo.pth")


@pytest.mark.parametrize(
    "content", [[1, 2], {}, {"w": 1}, {"w": {"v": torch.ones(1)}}, torch.ones(2), {1: torch.ones(1)}]
)
def test_a_file_that_holds_no_named_tensors_is_refused(tmp_path, content):
    torch.save(content, tmp_path / "other.pth")
    with pytest.raises(UserError, match="state_dict"):
        artifact.load(tmp_path / "other.pth")


FOREIGN = [
    {"input": 5},
    {"input": {"shape": 3}},
    {"input": {"columns": "a"}},
    {"input": {"columns": [5]}},
    {"input": {"columns": [{"name": 1, "categories": None}]}},
    {"input": {"columns": [{"name": "a"}]}},
    {"input": {"columns": [{"name": "a", "categories": [1]}]}},
]


@pytest.mark.parametrize("card", ["{", "[]", 5, "[" * 100_000, *map(json.dumps, FOREIGN)])
def test_a_card_that_is_not_one_of_a_run_is_refused(tmp_path, card):
    torch.save({"state": {"w": torch.ones(1)}, "card": card}, tmp_path / "card.pth")
    with pytest.raises(UserError, match="card"):
        artifact.load(tmp_path / "card.pth")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"gone\.pth"):
        artifact.load(tmp_path / "gone.pth")


def test_a_numpy_archive_is_refused(tmp_path):
    np.savez(tmp_path / "x.npz", a=np.ones(3))
    with pytest.raises(UserError):
        artifact.load(tmp_path / "x.npz")


def test_safetensors_are_read_and_what_is_damaged_in_them_is_refused(tmp_path):
    data = safetensors.torch.save(tensors())
    found = artifact.load(stored(tmp_path / "model.safetensors", data))
    assert found.card is None
    assert found.sha256 == digest_bytes(data)
    assert all(torch.equal(found.tensors[name], value) for name, value in tensors().items())
    size, header = int.from_bytes(data[:8], "little"), data[8:]
    hostile = {
        "cut": data[:-1],
        "more": data + b"\0",
        "a longer header": (size + 10**12).to_bytes(8, "little") + header,
        "a view beyond": data.replace(b"[32,224]", b"[32,924]"),
        "a shape beyond": data.replace(b"[4,3,2,2]", b"[4,3,2,9]"),
        "no header": data[:8] + b"{" * size + data[8 + size :],
    }
    for what, changed in hostile.items():
        assert changed != data, what
        with pytest.raises(UserError):
            artifact.load(stored(tmp_path / "model.safetensors", changed))
