"""timm's networks by their names, and their weights: from where they were put, from the hub's cache, from the hub."""

import http.server
import math
import threading

import huggingface_hub.constants
import pytest
import safetensors.torch
import timm
import torch

from image_classifier import compose
from image_classifier.errors import UserError
from image_classifier.files import digest_bytes
from image_classifier.model import artifact, hub
from image_classifier.model.building import build, head
from image_classifier.model.pretrained import start_from
from image_classifier.settings.inputs import Fitting

pytestmark = pytest.mark.unit

MODEL, REPOSITORY = "timm/test_vit", "timm/test_vit.r160_in1k"
COMMIT = "0123456789abcdef0123456789abcdef01234567"  # pragma: allowlist secret


@pytest.fixture(scope="module")
def published():
    """A network with a thousand classes, and the file that timm would publish of it."""
    torch.manual_seed(0)
    network = timm.create_model("test_vit", pretrained=False)
    return network, safetensors.torch.save(network.state_dict())


def answer_at(port, monkeypatch):
    """Have the hub's client ask this port, as HF_ENDPOINT does when it is imported."""
    address = f"http://127.0.0.1:{port}"
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", address)
    template = f"{address}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    monkeypatch.setattr(huggingface_hub.constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)


@pytest.fixture
def caches(tmp_path, monkeypatch):
    """Empty caches of torch and of the hub; nothing answers beyond this machine."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    answer_at(9, monkeypatch)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return tmp_path


@pytest.fixture
def served(caches, monkeypatch, published):
    """A hub on this machine with one file; the test may change what it says of it. Its list says what was asked for."""
    asked, about = [], {"etag": digest_bytes(published[1]), "content": published[1]}

    class Hub(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self):
            asked.append((self.command, self.path, self.headers.get("authorization")))
            self.send_response(200)
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("ETag", f'"{about["etag"]}"')
            self.send_header("Content-Length", str(len(about["content"])))
            self.end_headers()

        def do_GET(self):
            self.do_HEAD()
            self.wfile.write(about["content"])

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub) as running:
        threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        answer_at(running.server_port, monkeypatch)
        yield asked, about
        running.shutdown()


def test_weights_come_from_the_hub_once_and_say_which_commit_they_are_of(served, published, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")  # pragma: allowlist secret
    asked, _ = served
    found = hub.weights(MODEL)
    assert (found.sha256, found.revision) == (digest_bytes(published[1]), COMMIT)
    network = build(compose(model=MODEL), 3, (160, 160, 3))
    start_from(network, found, list("abc"), "imagenet")
    ours, theirs = network.body.state_dict(), published[0].state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs if not name.startswith("head."))
    assert files_of(asked) == {f"/{REPOSITORY}/resolve/main/model.safetensors"}
    assert {secret for *_, secret in asked} == {None}
    count = len(asked)
    assert hub.weights(MODEL).revision == hub.weights(MODEL, COMMIT).revision == COMMIT
    assert len(asked) == count


def test_the_commit_of_an_earlier_training_is_asked_for(served):
    asked, _ = served
    hub.weights(MODEL, COMMIT)
    assert files_of(asked) == {f"/{REPOSITORY}/resolve/{COMMIT}/model.safetensors"}


def files_of(asked):
    """What was asked for but for what the client wants to know of itself."""
    return {path for _, path, _ in asked if not path.startswith("/api/")}


def test_a_file_that_is_not_the_one_the_hub_named_is_refused(served):
    served[1]["etag"] = "0" * 64
    with pytest.raises(UserError, match="another sha256 than the hub gives") as caught:
        hub.weights(MODEL)
    assert "remove the file" in caught.value.hint


def test_without_a_network_the_error_names_the_file_and_where_to_put_it(caches, published):
    with pytest.raises(UserError, match="could not be fetched") as caught:
        hub.weights(MODEL)
    placed = caches / "torch" / "hub" / "checkpoints" / "timm--test_vit.r160_in1k.safetensors"
    assert f"http://127.0.0.1:9/{REPOSITORY}/resolve/main/model.safetensors" in caught.value.hint
    assert str(placed) in caught.value.hint
    placed.parent.mkdir(parents=True)
    placed.write_bytes(published[1])
    found = hub.weights(MODEL)
    assert (found.sha256, found.revision) == (digest_bytes(published[1]), None)


@pytest.mark.parametrize(
    ("name", "words", "hint"),
    [
        ("timm/resnet19", "has no network resnet19", "did you mean resnet1"),
        ("timm/resnet50.no_such_tag", "has no network resnet50.no_such_tag", "did you mean"),
        ("timm/gcvit_tiny", "publishes no weights for timm/gcvit_tiny as safetensors", "huggingface"),
    ],
)
def test_what_timm_does_not_have_is_named(caches, name, words, hint):
    with pytest.raises(UserError, match=words) as caught:
        hub.weights(name)
    assert hint in caught.value.hint


def test_a_network_with_two_heads_is_refused():
    with pytest.raises(UserError, match="does not end in one layer"):
        hub.build(3, (224, 224, 3), "timm/efficientformerv2_s0")


# One small network of each kind that timm makes for its own tests.
SMALL = ["test_byobnet", "test_convnext", "test_efficientnet", "test_nfnet", "test_resnet", "test_vit"]


@pytest.mark.parametrize("name", SMALL)
def test_a_network_of_timm_starts_from_its_own_weights_whatever_the_classes(name, tmp_path, monkeypatch):
    torch.manual_seed(1)
    theirs = timm.create_model(name, pretrained=False).state_dict()
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    about = timm.get_pretrained_cfg(name)
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    file = tmp_path / "hub" / "checkpoints" / f"{about.hf_hub_id.replace('/', '--')}.safetensors"
    file.write_bytes(safetensors.torch.save(theirs))
    side = hub.published_input(f"timm/{name}").size
    network = build(compose(model=f"timm/{name}", seed=3), 5, (side, side, 1))
    start_from(network, hub.weights(f"timm/{name}"), list("abcde"), "imagenet")
    ours = network.body.state_dict()
    assert all(torch.equal(ours[part], theirs[part]) for part in theirs if not part.startswith(about.classifier))
    assert head(network) == f"body.{about.classifier}"
    assert network.get_submodule(head(network)).weight.shape[0] == 5


def test_a_network_of_patches_is_built_for_another_size_and_its_places_are_fitted(published, caches):
    network = build(compose(model=MODEL), 3, (96, 96, 3))
    (caches / "torch" / "hub" / "checkpoints").mkdir(parents=True)
    (caches / "torch" / "hub" / "checkpoints" / f"{REPOSITORY.replace('/', '--')}.safetensors").write_bytes(
        published[1]
    )
    before = published[0].pos_embed.detach()
    assert network.body.pos_embed.shape == (1, 37, 64)
    start_from(network, hub.weights(MODEL), list("abc"), "imagenet")
    assert torch.equal(network.body.pos_embed[:, 0], before[:, 0])  # that of no patch
    side = math.isqrt(before.shape[1] - 1)
    grid = before[:, 1:].reshape(1, side, side, -1).permute(0, 3, 1, 2)
    ours = network.body.pos_embed[:, 1:].detach().reshape(1, 6, 6, -1).permute(0, 3, 1, 2)
    theirs = torch.nn.functional.interpolate(grid, (6, 6), mode="bicubic", antialias=True)
    torch.testing.assert_close(ours, theirs)


def test_weights_of_another_network_are_refused_by_name(published):
    network = build(compose(model="timm/test_resnet"), 3, (160, 160, 3))
    found = artifact.Artifact(published[0].state_dict(), None, "")
    with pytest.raises(UserError, match=r"conv1.* is missing|does not fit this network"):
        start_from(network, found, list("abc"), "imagenet")


# Millions of weights in timm's results on ImageNet (results/results-imagenet.csv, commit 0173a139), where all of these
# have bicubic images.
RESULTS = [
    ("convnext_base.fb_in22k_ft_in1k", 88.59),
    ("regnety_120.sw_in12k_ft_in1k", 51.82),
    ("caformer_s18.sail_in22k_ft_in1k_384", 26.34),
    ("tf_efficientnetv2_m.in21k_ft_in1k", 54.14),
    ("vit_base_patch16_clip_224.openai_ft_in12k_in1k", 86.57),
    ("swin_base_patch4_window7_224.ms_in22k_ft_in1k", 87.77),
    ("deit3_base_patch16_224.fb_in22k_ft_in1k", 86.59),
    ("eva02_small_patch14_336.mim_in22k_ft_in1k", 22.13),
    ("beitv2_base_patch16_224.in1k_ft_in1k", 86.53),
    ("coatnet_2_rw_224.sw_in12k_ft_in1k", 73.87),
]


@pytest.mark.parametrize(("name", "millions"), RESULTS)
def test_a_network_has_as_many_weights_as_the_published_one(name, millions):
    with torch.device("meta"):
        network = timm.create_model(name, pretrained=False)
    assert sum(each.numel() for each in network.parameters()) / 1e6 == pytest.approx(millions, abs=0.006)
    assert hub.published_input(f"timm/{name}").fitting.interpolation == "bicubic"


def test_the_published_input_is_what_timm_says():
    known = hub.published_input("timm/resnet50.a1_in1k")
    assert (known.size, known.mean, known.fitting) == (224, (0.485, 0.456, 0.406), Fitting("bicubic", 0.95))
    wide = hub.published_input("timm/vit_base_patch16_clip_quickgelu_224")
    assert wide.fitting.crop <= 1
