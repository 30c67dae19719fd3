import io
import stat
import zipfile

import pytest

from image_classifier.pipelines import kubeflow


@pytest.fixture
def compiled(tmp_path):
    """compiled(name, …) is a folder into which the pipeline was compiled."""
    pytest.importorskip("kfp")

    def compile_into(name, *words):
        assert kubeflow.main(["--type", "compile", "--output", str(tmp_path / name), *words]) == 0
        return tmp_path / name

    return compile_into


def test_compiling_twice_gives_the_same_bytes(compiled):
    one, two = compiled("one"), compiled("two")
    for name in ("pipeline.yaml", "pipeline.zip"):
        assert (one / name).read_bytes() == (two / name).read_bytes()
    assert {path.name for path in one.iterdir()} == {"pipeline.yaml", "pipeline.zip"}


def test_the_zip_holds_the_pipeline_and_no_time(compiled):
    folder = compiled("one")
    with zipfile.ZipFile(folder / "pipeline.zip") as archive:
        (about,) = archive.infolist()
        assert archive.read(about) == (folder / "pipeline.yaml").read_bytes()
    assert (about.filename, about.date_time) == ("pipeline.yaml", (1980, 1, 1, 0, 0, 0))
    assert stat.S_IMODE(about.external_attr >> 16) == 0o644


def test_the_pipeline_does_not_depend_on_the_environment(compiled, monkeypatch):
    before = (compiled("one") / "pipeline.yaml").read_bytes()
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary")
    assert (compiled("two") / "pipeline.yaml").read_bytes() == before
    assert b"canary" not in before


def test_kfp_takes_the_compiled_file(compiled):
    from kfp import components

    loaded = components.load_component_from_file(str(compiled("one") / "pipeline.yaml"))
    assert loaded.pipeline_spec.pipeline_info.name == "frequent-error-sets"


def test_the_forms_defaults_are_those_of_the_command_line(compiled):
    text = (compiled("one", "--use_case", "smoke", "--root", "s3://other/x") / "pipeline.yaml").read_text()
    assert "#    use_case: str [Default: 'smoke']" in text
    assert "#    root: str [Default: 's3://other/x']" in text


def test_bytes_are_zipped_to_the_same_bytes():
    assert kubeflow.zipped("x") == kubeflow.zipped("x")
    assert zipfile.ZipFile(io.BytesIO(kubeflow.zipped("x"))).read("pipeline.yaml") == b"x"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--type", "compil"], r"did you mean compile?"),
        (["--type", "run", "--domain", "production"], "invalid choice"),
        (["--type", "run", "--data_scopes", "red"], "is not JSON"),
        (["--type", "run", "--use_case", "wine"], "there is no use case 'wine'"),
        (["--type", "run", "--root", "ftp://x"], "no place for the pipeline's files"),
        (["--typ", "run"], "--type"),
    ],
)
def test_what_means_nothing_is_refused_before_anything_runs(words, said, capsys):
    pytest.importorskip("kfp")
    assert kubeflow.main(words) == 2
    assert said in capsys.readouterr().err
