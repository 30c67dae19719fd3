"""What weights were trained on, for images of one channel and of three."""

import pytest

from image_classifier.settings.inputs import PLAIN, Fitting, PublishedInput, fitting_in

pytestmark = pytest.mark.unit


def test_a_fitting_is_what_its_description_says():
    fitting = Fitting("bicubic", 0.875)
    assert fitting_in(fitting.described()) == fitting
    assert fitting_in({"shape": [8, 8, 3]}) == PLAIN == Fitting("bilinear", 1.0)


@pytest.mark.parametrize("fitting", [("nearest", 1.0), ("bilinear", 0.0), ("bilinear", 1.01)])
def test_a_fitting_that_cannot_be_is_refused(fitting):
    with pytest.raises(ValueError, match="no way to fit an image"):
        Fitting(*fitting)


def test_gray_images_get_the_mean_of_the_colours_and_colours_what_gray_had():
    colour = PublishedInput(224, (0.5, 0.25, 0.75), (0.2, 0.2, 0.2), PLAIN)
    assert colour.moments(3) == (colour.mean, colour.std)
    assert colour.moments(1) == ((0.5,), (pytest.approx(0.2),))
    assert PublishedInput(8, (0.4,), (0.1,), PLAIN).moments(3) == ((0.4,) * 3, (0.1,) * 3)
