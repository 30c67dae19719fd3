"""`training_history.png` says what `training_history.csv` says, for any number of epochs."""

import pytest

from image_classifier.visualization import plot

pytestmark = pytest.mark.unit


def rows(n, **changed):
    return [
        {
            "epoch": epoch, "loss": 2 / (1 + epoch / 3), "acc": 1 - 0.6 / epoch, "val_loss": 2.1 / (1 + epoch / 4),
            "val_acc": 0.9 - 0.5 / epoch, "lr": 0.1 / epoch, "seconds": 3.0, **changed,
        }
        for epoch in range(1, n + 1)
    ]  # fmt: skip


def lines(axes):
    return {line.get_label(): line for line in axes.lines}


@pytest.mark.parametrize("epochs", [1, 8, 200])
def test_all_epochs_are_drawn_and_the_kept_one_is_marked(epochs):
    given = rows(epochs)
    figure = plot.history_figure(given, epochs)
    assert figure.get_suptitle() == f"Training history, {epochs} epoch{'s' * (epochs > 1)}"
    for axes, train, val in zip(figure.axes[:2], ("loss", "acc"), ("val_loss", "val_acc"), strict=True):
        for name, key in (("training", train), ("validation", val)):
            points = [tuple(point) for point in lines(axes)[name].get_xydata()]
            assert points == [(row["epoch"], row[key]) for row in given]
    for axes in figure.axes:
        assert list(lines(axes)[f"kept: epoch {epochs}"].get_xdata()) == [epochs, epochs]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["training", "validation", f"kept: epoch {epochs}"]


def test_a_single_epoch_is_visible_as_points():
    figure = plot.history_figure(rows(1), 1)
    assert {lines(axes)["training"].get_marker() for axes in figure.axes[:2]} == {"o"}


@pytest.mark.parametrize("epochs", [1, 3, 17, 200])
def test_the_epoch_axis_has_whole_epochs_only_and_none_that_was_not_run(epochs):
    axes = plot.history_figure(rows(epochs)).axes[2]
    low, high = axes.get_xlim()
    ticks = [tick for tick in axes.get_xticks() if low <= tick <= high]
    assert ticks
    assert all(tick == round(tick) and 1 <= tick <= epochs for tick in ticks)


@pytest.mark.parametrize("changed", [{"val_loss": None, "val_acc": None}, {"val_loss": float("nan"), "val_acc": None}])
def test_a_run_without_validation_has_no_validation_line(changed):
    figure = plot.history_figure(rows(4, **changed))
    assert [list(lines(axes)) for axes in figure.axes[:2]] == [["training"], ["training"]]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["training"]


def test_a_validation_that_is_missing_in_some_epochs_is_drawn_where_it_is():
    given = rows(4)
    given[1]["val_acc"] = given[2]["val_acc"] = None
    assert list(lines(plot.history_figure(given).axes[1])["validation"].get_xdata()) == [1, 4]


@pytest.mark.parametrize("changed", [{"lr": 0.0}, {"loss": None, "lr": None}, {"loss": 0.0, "acc": 1.0}])
def test_what_a_model_without_rate_or_loss_reports_is_drawn(changed):
    assert plot.png(plot.history_figure(rows(3, **changed), 3))


def test_no_epoch_at_all_is_drawn():
    assert plot.png(plot.history_figure([]))


def test_losses_over_several_magnitudes_get_a_logarithmic_scale_with_plain_numbers():
    given = rows(40)
    for row in given:
        row["loss"] = 2 * 0.8 ** row["epoch"]
    (loss, accuracy, _) = plot.history_figure(given).axes
    assert (loss.get_yscale(), accuracy.get_yscale()) == ("log", "linear")
    assert {"0.01", "0.1", "1"} <= {text.get_text() for text in loss.get_yticklabels()}
    assert plot.history_figure(rows(8)).axes[0].get_yscale() == "linear"


def test_the_loss_scale_starts_at_zero_and_accuracy_is_in_percent():
    loss, accuracy, _ = plot.history_figure(rows(8)).axes
    assert loss.get_ylim()[0] == 0
    assert all(text.get_text().endswith(" %") for text in accuracy.get_yticklabels())
