"""Train, measure and reproduce image classifiers."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from image_classifier.api import compose, load_run, train
    from image_classifier.errors import UserError
    from image_classifier.settings.config import Config

__all__ = ["Config", "UserError", "compose", "load_run", "train"]


def __getattr__(name: str) -> Any:
    """Import on first use: the package itself must not load torch."""
    if name == "Config":
        from image_classifier.settings.config import Config  # noqa: PLC0415

        return Config
    if name == "UserError":
        from image_classifier.errors import UserError  # noqa: PLC0415

        return UserError
    if name in __all__:
        from image_classifier import api  # noqa: PLC0415

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
