"""Variables of the environment that a repository may set for its runs; several scripts hand them on."""

from package import names

KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
FOR_TRACKING = (names.TRACKING_URI, "MLFLOW_S3_ENDPOINT_URL", *KEYS)
