"""The extraction described for clusters: as their schemas ask, with arguments that the program understands."""

import copy
import json

import boto3
import botocore.session
import jsonschema
import pytest
import yaml
from botocore.validate import ParamValidator
from moto import mock_aws

from image_classifier.pipelines.extraction_request import parsed


def strict(schema):
    """The schema with names that it does not know refused, as `kubectl apply` does with strict validation."""
    if isinstance(schema, list):
        return [strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {name: strict(value) for name, value in schema.items()}
    if schema.pop("x-kubernetes-int-or-string", False):
        schema.pop("type", None)
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object":
        schema.setdefault("additionalProperties", False)
    return schema


@pytest.fixture(scope="module")
def application(repository):
    return yaml.safe_load((repository / "docs" / "spark" / "sparkapplication.yaml").read_text())


@pytest.fixture(scope="module")
def operator(repository):
    """A validator by the operator's schema."""
    text = (repository / "tests" / "integration" / "pipelines" / "sparkapplication_schema.yaml").read_text()
    schema = strict(yaml.safe_load(text))
    schema["properties"]["metadata"] = {"type": "object"}  # Kubernetes' own
    return jsonschema.Draft7Validator(schema)


@pytest.fixture(scope="module")
def job(repository):
    return json.loads((repository / "docs" / "spark" / "glue-job.json").read_text())


@pytest.fixture(scope="module")
def glue():
    """What CreateJob takes, by AWS's own description of it."""
    return botocore.session.get_session().get_service_model("glue").operation_model("CreateJob").input_shape


def test_the_operator_takes_the_application(application, operator):
    assert [error.message for error in operator.iter_errors(application)] == []
    assert (application["apiVersion"], application["kind"]) == ("sparkoperator.k8s.io/v1beta2", "SparkApplication")


@pytest.mark.parametrize(
    "change",
    [
        lambda spec: spec.pop("sparkVersion"),
        lambda spec: spec.update(type="Pyhton"),
        lambda spec: spec.update(argument=[]),
        lambda spec: spec["driver"].update(cores="1"),
        lambda spec: spec["driver"].update(memry="1g"),
        lambda spec: spec["driver"]["env"][0]["valueFrom"]["secretKeyRef"].pop("key"),
    ],
)
def test_the_operator_s_schema_finds_faults(application, operator, change):
    changed = copy.deepcopy(application)
    change(changed["spec"])
    assert list(operator.iter_errors(changed))


def test_the_application_s_arguments_are_those_of_the_program(application, monkeypatch):
    monkeypatch.setenv("DB_PASS", "x")
    request = parsed(application["spec"]["arguments"])
    assert (request.scopes, request.num_partitions, request.replace) == (("north", "south"), 16, True)
    assert request.output.startswith("s3a://")
    assert [each["name"] for each in application["spec"]["driver"]["env"]] == ["DB_PASS"]


def test_aws_takes_the_glue_job(job, glue):
    assert ParamValidator().validate(job, glue).generate_report() == ""


@pytest.mark.parametrize("change", [{"Command": None}, {"NumberOfWorkers": "3"}, {"Comand": {}}])
def test_aws_s_description_finds_faults(job, glue, change):
    assert ParamValidator().validate(job | change, glue).has_errors()


def test_the_glue_job_s_arguments_are_those_of_the_program_beside_glue_s_own(job, monkeypatch):
    """Glue hands the arguments on in pairs, with more of its own, and leaves out those that are for itself."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    pairs = [word for pair in job["DefaultArguments"].items() for word in pair]
    own = ["--JOB_ID", "j_1", "true", "--JOB_RUN_ID", "jr_1", "--JOB_NAME", "extraction", "--TempDir", "s3://x/tmp"]
    with mock_aws():
        boto3.client("secretsmanager").create_secret(Name=job["DefaultArguments"]["--db_pass_secret"], SecretString="y")
        request = parsed([*own, *pairs])
    assert (request.scopes, request.num_partitions, request.replace) == (("north", "south"), 16, True)
    assert request.output.startswith("s3://")
    assert request.password == "y"  # noqa: S105
