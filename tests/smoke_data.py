"""The data of the pipeline's tests: a scope that trains, one without data, and one whose training is refused."""

import csv
import io
import json

SCOPES = ("good", "empty", "bad")
AS_A_TEXT = json.dumps(SCOPES)
ROWS = 1600  # of the good scope


def table(rows):
    """The text of a CSV file for the use case `smoke`."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([("width", "height", "kind", "remark"), *rows])
    return text.getvalue()


def good():
    """Two kinds that the width tells apart; of the highest rows every second one says the other kind."""
    for number in range(ROWS):
        height = number * 7 % ROWS / ROWS
        width = number % 2 + number / ROWS / 2
        wrong = height > 0.75 and number % 4 < 2
        yield width, height, "wide" if (width >= 1) != wrong else "long", number


def bad():
    """One row of its class, with which no test split is drawn and no linear_svm is trained."""
    return [(1 + number / 10, 2, "long", number) for number in range(5)] + [(2, 1, "wide", 5)]


def files():
    """{path below pipeline_input/smoke: bytes}; the empty scope has a table without rows."""
    scopes = {"good": good(), "empty": [], "bad": bad()}
    return {f"{scope}/{scope}.csv": table(rows).encode() for scope, rows in scopes.items()}
