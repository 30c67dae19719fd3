"""Tests of names that are nearly those of the splits, and of words that only contain one."""

import pytest

from image_classifier.data.sources.split_names import nearly


@pytest.mark.parametrize("word", ["train", "TRAIN", "Training", "train_images", "TrainImages", "trainset", "1-train"])
def test_ways_of_writing_train(word):
    assert nearly(word) == ("train", "")


def test_what_else_a_name_says_is_kept():
    assert nearly("seg_train") == ("train", "seg")
    assert nearly("test_tube") == ("test", "tube")


@pytest.mark.parametrize("word", ["trains", "contest", "strain", "valley", "device", "", "123", "train_test"])
def test_words_that_name_no_split_or_two(word):
    assert nearly(word) is None
