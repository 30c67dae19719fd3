import pytest

from image_classifier.errors import UserError
from image_classifier.pipelines.parameters import Parameters, chosen, scopes_of


def test_the_data_scopes_are_a_json_list_in_a_text():
    assert scopes_of('["red", "white-2", "v1.0_x"]') == ["red", "white-2", "v1.0_x"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("red", "'red' is not JSON"),
        ("", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ('"red"', "no list of texts"),
        ("[1]", "no list of texts"),
        ('{"red": 1}', "no list of texts"),
        ("[]", "names no data scope"),
        ('["red", "red"]', "red more than once"),
        ('["../red"]', "no name of a data scope"),
        ('[""]', "no name of a data scope"),
        ('["_run"]', "no name of a data scope"),
        ('["a b"]', "no name of a data scope"),
        ('["é"]', "no name of a data scope"),
    ],
)
def test_a_text_that_names_no_scopes_is_refused(text, said):
    with pytest.raises(UserError, match=said):
        scopes_of(text)


def test_a_choice_that_does_not_exist_is_refused_with_the_nearest():
    with pytest.raises(UserError, match=r"did you mean simulation\?"):
        chosen("simulaton", ("individual", "simulation"), "run_type")


@pytest.mark.parametrize("run_id", ["", "a/b", "..", "{{$.pipeline_job_uuid}}", "x" * 65])
def test_what_is_no_id_of_a_run_is_refused(run_id):
    with pytest.raises(UserError, match="no id of a run"):
        Parameters("r", "kubeflow", "smoke", "individual", run_id).check_id()


@pytest.mark.parametrize("wrong", [{"use_case": "../x"}, {"run_type": "once"}])
def test_a_parameter_that_means_nothing_is_refused(wrong):
    usual = {"root": "r", "domain": "kubeflow", "use_case": "smoke", "run_type": "recurring", "kf_run_id": "0b1-c"}
    Parameters(**usual).check()
    with pytest.raises(UserError):
        Parameters(**usual | wrong).check()
