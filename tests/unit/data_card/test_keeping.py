"""A card is kept by its data's digest and handed to a run of the same data, and its trouble costs no training."""

import logging

from image_classifier.data_card import keeping

DIGEST = "0" * 64


def test_a_run_of_the_same_data_gets_the_last_card_and_of_other_data_none(tmp_path):
    for text in ("first é", "second é"):
        keeping.keep(text, tmp_path / "cache", DIGEST)
    assert keeping.hand_over(tmp_path / "cache", DIGEST, tmp_path / "run" / "data_card.html")
    assert (tmp_path / "run" / "data_card.html").read_text(encoding="utf-8") == "second é"
    assert not keeping.hand_over(tmp_path / "cache", "1" * 64, tmp_path / "other.html")
    assert not (tmp_path / "other.html").exists()


def test_what_cannot_be_kept_or_read_is_a_warning(tmp_path, caplog):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "cards").touch()
    with caplog.at_level(logging.WARNING):
        keeping.keep("x", tmp_path / "cache", DIGEST)
    assert "the data card is not kept" in caplog.text
    assert not keeping.hand_over(tmp_path / "cache", DIGEST, tmp_path / "card.html")
    assert "the run gets no data card" in caplog.text
    assert not (tmp_path / "card.html").exists()
