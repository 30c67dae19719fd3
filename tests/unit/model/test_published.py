"""Published weights: from the cache folder if their digest is what their name promises, else not at all."""

import functools
import http.server
import io
import re
import resource
import threading
from collections import OrderedDict

import pytest
import torch
import torchvision

from image_classifier import compose
from image_classifier.errors import UserError
from image_classifier.files import digest_bytes
from image_classifier.model import published
from image_classifier.model.building import build
from image_classifier.model.pooling import AdaptiveMean
from image_classifier.model.pretrained import start_from

pytestmark = pytest.mark.unit

NAME = "shufflenet_v2_x0_5"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


def generated(seed=0):
    torch.manual_seed(seed)
    stream = io.BytesIO()
    model = torchvision.models.get_model(NAME, weights=None)
    torch.save(model.state_dict(), stream)
    return model, stream.getvalue()


def test_weights_in_the_cache_whose_digest_fits_their_name_are_used(cache):
    model, data = generated()
    (cache / f"{NAME}-{digest_bytes(data)[:8]}.pth").write_bytes(data)
    found = published.weights(NAME)
    network = build(compose(model=NAME), 7, (32, 32, 3))
    start_from(network, found, list("abcdefg"), "torchvision")
    theirs, ours = model.state_dict(), network.body.state_dict()
    assert all(torch.equal(theirs[name], ours[name]) for name in theirs if not name.startswith("fc."))
    assert ours["fc.weight"].shape == (7, 1024)


@pytest.mark.parametrize("name", [f"{NAME}-00000000.pth", "official"])
def test_weights_whose_digest_differs_from_their_name_are_refused(cache, name):
    official = published._url(NAME).rsplit("/", 1)[1]
    (cache / (official if name == "official" else name)).write_bytes(generated()[1])
    with pytest.raises(UserError, match="its name promises") as caught:
        published.weights(NAME)
    assert "remove the file" in caught.value.hint


def test_without_a_network_the_error_says_where_to_put_which_file(cache, monkeypatch):
    for name in ("http_proxy", "https_proxy", "HTTPS_PROXY", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with pytest.raises(UserError, match="could not be downloaded") as caught:
        published.weights(NAME)
    assert str(cache) in caught.value.hint
    assert published._url(NAME) in caught.value.hint
    assert list(cache.iterdir()) == []


@pytest.fixture
def served(tmp_path, monkeypatch):
    """A folder whose files a local server publishes in torchvision's place."""
    folder = tmp_path / "served"
    folder.mkdir()
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=folder)
    monkeypatch.setattr(http.server.SimpleHTTPRequestHandler, "log_message", lambda *_: None)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        monkeypatch.setattr(
            published, "_url", lambda name: f"http://127.0.0.1:{running.server_port}/{name}-00000000.pth"
        )
        yield folder
        running.shutdown()


def test_a_full_disk_is_called_one_and_not_a_failed_download(cache, served):
    (served / f"{NAME}-00000000.pth").write_bytes(bytes(2_000_000))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))  # more cannot be written to one file
    try:
        with pytest.raises(UserError) as caught:
            published.weights(NAME)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.what == f"no space left while writing {cache / NAME}-00000000.pth"
    assert list(cache.iterdir()) == []


def test_every_published_network_has_weights_with_a_digest_in_their_name():
    for name in ("resnet18", "convnext_tiny", "vit_b_16", "efficientnet_b0", "swin_t"):
        assert len(published._prefix(published._url(name).rsplit("/", 1)[1])) >= 8


@pytest.mark.parametrize("side", [(7, 7), (6, 6), (1, 1), (13, 9), (3, 5), (64, 48)])
@pytest.mark.parametrize("grid", [(7, 7), (6, 6), (2, 3)])
def test_pooling_to_a_grid_and_its_gradient_are_torch_s(side, grid):
    ours = torch.randn(2, 3, *side, dtype=torch.float64, requires_grad=True)
    theirs = ours.detach().clone().requires_grad_()
    weigh = torch.randn(2, 3, *grid, dtype=torch.float64)
    (AdaptiveMean(*grid)(ours) * weigh).sum().backward()
    (torch.nn.AdaptiveAvgPool2d(grid)(theirs) * weigh).sum().backward()
    torch.testing.assert_close(
        AdaptiveMean(*grid)(ours), torch.nn.AdaptiveAvgPool2d(grid)(theirs), rtol=1e-6, atol=1e-6
    )
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", ["alexnet", "resnet18", "squeezenet1_1"])
def test_no_network_pools_to_a_grid_in_the_way_that_cannot_repeat_on_a_gpu(name):
    model = published.build(10, (64, 64, 3), name)
    grids = [each.output_size for each in model.modules() if isinstance(each, torch.nn.AdaptiveAvgPool2d)]
    assert all(size in (1, (1, 1)) for size in grids)


def test_a_gray_image_gives_a_published_network_three_equal_channels():
    gray = build(compose(model="resnet18", seed=1), 4, (32, 32, 1)).eval()
    colour = build(compose(model="resnet18", seed=1), 4, (32, 32, 3)).eval()
    image = torch.randn(2, 1, 32, 32)
    with torch.no_grad():
        assert torch.equal(gray(image), colour(image.repeat(1, 3, 1, 1)))


# The smallest of each kind.
KINDS = (
    "alexnet", "convnext_tiny", "densenet121", "efficientnet_b0", "efficientnet_v2_s", "maxvit_t", "mnasnet0_5",
    "mobilenet_v2", "mobilenet_v3_small", "regnet_x_400mf", "regnet_y_400mf", "resnet18", "resnext50_32x4d",
    "shufflenet_v2_x0_5", "squeezenet1_1", "swin_t", "swin_v2_t", "vgg11", "vgg11_bn", "vit_b_32", "wide_resnet50_2",
)  # fmt: skip


@pytest.mark.parametrize("name", KINDS)
def test_a_network_has_as_many_weights_as_the_published_one(name):
    """torchvision tells of each published file how many weights are in it, and its size in MB."""
    weights = torchvision.models.get_model_weights(name).DEFAULT
    side = published.published_input(name).size
    with torch.device("cpu" if name.startswith("regnet") else "meta"):
        body = published.build(1000, (side, side, 3), name).body
    assert sum(each.numel() for each in body.parameters()) == weights.meta["num_params"]
    megabytes = sum(each.numel() * each.element_size() for each in body.state_dict().values()) / 2**20
    assert megabytes == pytest.approx(weights.meta["_file_size"], rel=0.02, abs=0.15)


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("mobilenet_v2", (224, 224 / 232, "bilinear")),
        ("alexnet", (224, 224 / 256, "bilinear")),
        ("swin_t", (224, 224 / 232, "bicubic")),
        ("efficientnet_b7", (600, 1.0, "bicubic")),
        ("vit_h_14", (518, 1.0, "bicubic")),
    ],
)
def test_the_published_input_is_what_the_weights_are_evaluated_with(name, known):
    found = published.published_input(name)
    assert (found.size, found.fitting.crop, found.fitting.interpolation) == known
    assert (found.mean, found.std) == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def test_a_densenet_of_2017_is_read_with_the_names_it_was_written_with(cache):
    """A dot inside the layers' names, no counts of batches, the format before torch 1.6 (pytorch/vision#474, #2068)."""
    model = torchvision.models.densenet121(weights=None)
    theirs = model.state_dict()
    old = OrderedDict(
        (re.sub(r"(denselayer\d+\.(?:norm|conv))([12])", r"\1.\2", name), each)
        for name, each in theirs.items()
        if not name.endswith("num_batches_tracked")
    )
    assert "features.denseblock1.denselayer1.norm.1.running_mean" in old
    stream = io.BytesIO()
    torch.save(old, stream, _use_new_zipfile_serialization=False)
    (cache / f"densenet121-{digest_bytes(stream.getvalue())[:8]}.pth").write_bytes(stream.getvalue())
    network = build(compose(model="densenet121"), 3, (64, 64, 3))
    start_from(network, published.weights("densenet121"), list("abc"), "torchvision")
    ours = network.body.state_dict()
    assert all(torch.equal(theirs[name], ours[name]) for name in theirs if not name.startswith("classifier."))


def test_an_earlier_file_in_the_cache_has_the_input_of_its_own(cache):
    assert published.published_input("mobilenet_v2").fitting.crop == 224 / 232
    (cache / "mobilenet_v2-b0353104.pth").write_bytes(b"")
    assert published.published_input("mobilenet_v2").fitting.crop == 224 / 256
