"""Calls to a bucket or a server: made again where that may help, else told as an error with its way out."""

import logging
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from image_classifier.errors import UserError, one_line
from image_classifier.masking import masked

ATTEMPTS = 5
_FIRST_PAUSE = 0.5  # seconds; each one is twice the one before
_LONGEST = 300  # characters of a foreign error
_KEPT = "what was pulled is kept: see that the server runs and is reached, and run the same command again to go on"
_ACCESS = "credentials come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE and ~/.aws"
_SERVER = "AWS_ENDPOINT_URL names another server than Amazon's, such as MinIO"
# Bugs of ours, which a second attempt would hide.
_BUGS = (TypeError, AttributeError, NameError, LookupError, AssertionError)
# botocore's errors that are no answer of a server.
_NO_KEYS = {
    "NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError", "ProfileNotFound", "ConfigParseError",
    "ConfigNotFound", "SSOTokenLoadError", "UnauthorizedSSOTokenError", "TokenRetrievalError", "NoAuthTokenError",
}  # fmt: skip
_BAD_REQUEST = {
    "ParamValidationError",
    "InvalidRegionError",
    "UnknownEndpointError",
    "InvalidEndpointConfigurationError",
}
# What a server answers: the code, what it means, and what to do.
_ANSWERS = {
    **dict.fromkeys(
        ("ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired", "InvalidToken"),
        ("the credentials have expired", f"log in again, or renew them; {_ACCESS}"),
    ),
    **dict.fromkeys(
        ("InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidSecurity", "AuthFailure"),
        ("the server does not know these credentials", f"{_ACCESS}; {_SERVER}"),
    ),
    "NoSuchBucket": ("there is no such bucket", f"check its name; {_SERVER}"),
    **dict.fromkeys(
        ("PermanentRedirect", "301", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"),
        ("the bucket is in another region", "set AWS_DEFAULT_REGION to the bucket's region"),
    ),
    "RequestTimeTooSkewed": ("this machine's clock differs too much from the server's", "set the clock"),
}
_BROKEN_BODIES = {"ContentLengthError", "TransferEncodingError", "ClientPayloadError"}
_RETRIED = {"SlowDown", "RequestTimeout", "RequestTimeTooSlow", "Throttling", "ThrottlingException", "IncompleteBody"}
_BAD, _FORBIDDEN, _NOT_FOUND, _TIMEOUT, _MANY, _SERVER_ERROR = 400, 403, 404, 408, 429, 500

Result = TypeVar("Result")
_logger = logging.getLogger(__name__)


class RefusedError(UserError):
    """What is asked for is not there or not given: asking again changes nothing."""


class GoneError(RefusedError):
    """What is asked for is not there."""


class ShortError(OSError):
    """Fewer or other bytes came than the object has."""


def attempted(call: Callable[[], Result], where: str, doing: str = "be read") -> Result:
    """What the call gives, made up to five times; after that, or where the server refuses, an error about `where`."""
    pause, reason = _FIRST_PAUSE, ""
    for number in range(ATTEMPTS):
        if number:
            time.sleep(pause)
            pause *= 2
        try:
            return call()
        except (UserError, FileExistsError, *_BUGS):
            raise
        except Exception as error:  # noqa: BLE001  (each kind of server has errors of its own)
            refused = refusal(error, where, doing)
            if refused:
                raise refused from None  # a cause's arguments may hold what is secret
            reason = _told(error)
            _logger.debug("%s: %s", where, reason)
    raise UserError(f"{where} cannot {doing}: {reason} ({ATTEMPTS} attempts)", _KEPT)


def refusal(error: Exception, where: str, doing: str = "be read") -> UserError | None:
    """The error that ends all attempts; None where another one may succeed."""
    code, status = _answer(error)
    kind = type(error).__name__
    found = _ANSWERS.get(code)
    if kind in _NO_KEYS:
        found = f"there are no credentials for it ({_told(error)})", _ACCESS
    elif kind in _BAD_REQUEST or (isinstance(error, ValueError) and not code):
        found = _told(error), f"check the address; {_SERVER}"
    elif found is None and (status == _FORBIDDEN or isinstance(error, PermissionError)):
        found = f"access is denied ({code or _told(error)})", f"ask for the right to list and read it; {_ACCESS}"
    elif found is None and (status == _NOT_FOUND or isinstance(error, FileNotFoundError)):
        return GoneError(f"{where} cannot {doing}: it is not there", f"check the address; {_SERVER}")
    elif found is None and isinstance(error, ImportError):
        found = _told(error), "install the package, or copy the data to a folder or an s3:// bucket"
    elif found is None and code not in _RETRIED and _BAD <= status < _SERVER_ERROR and status not in (_TIMEOUT, _MANY):
        found = f"the server answers {status} {code}: {_told(error)}", f"check the address; {_SERVER}"
    return None if found is None else RefusedError(f"{where} cannot {doing}: {found[0]}", found[1])


def _answer(error: Exception) -> tuple[str, int]:
    """The code and the HTTP status of a server's answer, where the error or what it came from has them."""
    for each in _chain(error):
        response: Any = getattr(each, "response", None)
        if isinstance(response, dict):
            said = response.get("Error", {})
            return str(said.get("Code", "")), int(response.get("ResponseMetadata", {}).get("HTTPStatusCode") or 0)
        status = getattr(each, "status", None) or getattr(each, "code", None)
        broken = type(each).__name__ in _BROKEN_BODIES  # they have a code of their own, which no server gave
        if isinstance(status, int) and not broken:
            return "", status
    return "", 0


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _told(error: Exception) -> str:
    return masked(one_line(error, _LONGEST))
