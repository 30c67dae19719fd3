"""Commands given in this process, on the finished run that all tests share."""

import pytest

from image_classifier.main import main


@pytest.fixture
def command(trained, capsys):
    """command(name, *words) is the exit code of a command, and what it prints to stdout and to stderr."""

    def give(name, *words):
        capsys.readouterr()
        code = main([name, *map(str, words), "--experiments_folder", str(trained.folder.parents[1])])
        return (code, *capsys.readouterr())

    return give
