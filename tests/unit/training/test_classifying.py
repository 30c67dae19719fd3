"""What a finished run says of rows and images that nobody has labelled."""

import numpy as np
import pytest

from image_classifier.data.preparing import prepare
from image_classifier.errors import UserError
from image_classifier.training.classifying import classify, predictions

pytestmark = pytest.mark.unit


@pytest.fixture
def table(trained, cache, tmp_path):
    """The run's test rows as a CSV file, its columns in another order and one that it does not know among them."""
    rows = prepare("wine", cache_folder=cache, quiet=True, image_size=None, split_seed=0).splits["test"].inputs[:, 0, 0]
    names = [column.name for column in trained.columns]
    lines = [",".join(["note", *names[::-1]])]
    lines += [",".join(["x", *(repr(float(value)) for value in row[::-1])]) for row in rows]
    (tmp_path / "rows.csv").write_text("\n".join(lines) + "\n")
    return tmp_path / "rows.csv"


@pytest.mark.parametrize("batch_size", [None, 1, 10])
def test_the_test_rows_get_the_answers_that_the_run_has_kept(trained, table, batch_size):
    names, shares = predictions(trained, [table], batch_size)
    assert names == [f"{table}:{row}" for row in range(1, 28)]
    np.testing.assert_allclose(shares, trained.predictions()["test_probabilities"], atol=1e-6)


def test_several_tables_are_answered_in_their_order(trained, table, tmp_path):
    lines = table.read_text().splitlines()
    (tmp_path / "last.csv").write_text("\n".join([lines[0], lines[-1]]))
    names, shares = predictions(trained, [tmp_path / "last.csv", table], None)
    assert names[0] == f"{tmp_path / 'last.csv'}:1"
    np.testing.assert_allclose(shares[0], shares[-1], atol=1e-6)


def test_what_is_no_table_or_lacks_a_column_is_refused(trained, table, tmp_path):
    (tmp_path / "image.png").touch()
    with pytest.raises(UserError, match=r"image\.png is no table") as caught:
        predictions(trained, [tmp_path / "image.png"], None)
    assert ".csv" in caught.value.hint
    table.write_text("\n".join(line.rpartition(",")[0] for line in table.read_text().splitlines()))
    with pytest.raises(UserError, match="no column alcohol"):
        predictions(trained, [table], None)


def test_pieces_are_answered_one_after_the_other(trained, cache):
    rows = prepare("wine", cache_folder=cache, quiet=True, image_size=None, split_seed=0).splits["test"].inputs
    whole = classify(trained, [rows])
    np.testing.assert_allclose(classify(trained, [rows[:5], rows[5:]]), whole, atol=1e-6)
