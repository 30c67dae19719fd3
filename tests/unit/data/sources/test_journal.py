"""Tests of the journal: what was noted is read again, and what a kill cut off is left out."""

from image_classifier.data.sources.journal import Journal, Kept


def test_what_was_written_and_added_is_read(tmp_path):
    journal = Journal(tmp_path / "journal")
    journal.write({"é\n.png": Kept(3, "v", "m")}, {"part": {2, 0}})
    with journal.opened():
        journal.add("b.png", 4, None, "n")
        journal.add("part", 7)
    kept, parts = Journal(tmp_path / "journal").read()
    assert kept == {"é\n.png": Kept(3, "v", "m"), "b.png": Kept(4, None, "n")}
    assert parts == {"part": {0, 2, 7}}


def test_a_later_line_counts(tmp_path):
    journal = Journal(tmp_path / "journal")
    with journal.opened():
        journal.add("a", 1, "v", "m")
        journal.add("a", 2, "w", "n")
    assert journal.read()[0] == {"a": Kept(2, "w", "n")}


def test_no_journal_and_lines_that_are_cut_off_or_mean_nothing_are_nothing(tmp_path):
    journal = Journal(tmp_path / "journal")
    assert journal.read() == ({}, {})
    journal.write({"a": Kept(1, "v", "m")}, {})
    with (tmp_path / "journal").open("ab") as stream:
        stream.write(b'[]\n7\n["x",1,2]\n["y","z"]\n\xff\n["b",1,"v","')
    assert journal.read() == ({"a": Kept(1, "v", "m")}, {})
