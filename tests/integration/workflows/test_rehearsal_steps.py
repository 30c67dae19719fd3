"""The rehearsal runs a toy job's steps as GitHub documents it, so that what it says of the real ones counts."""

import io
import os
import zipfile

import pytest

ON = "on: {workflow_dispatch: {}}"
FORM = "on: {workflow_dispatch: {inputs: {must: {}}}}"


def said(job, number=-1):
    return job.steps[number].log.strip()


def outcomes(job):
    return [step.outcome for step in job.steps]


def test_the_nearest_environment_wins(perform):
    steps = "    - {run: echo $A $B $C, env: {C: step}}\n    - {run: echo $A $B $C}\n"
    job = perform(steps, f"{ON}\nenv: {{A: top, B: top, C: top}}", "    env: {B: job, C: job}\n")
    assert (said(job, 0), said(job, 1)) == ("top job step", "top job job")


def test_a_step_sees_what_github_gives_and_nothing_of_this_machine(perform, monkeypatch):
    monkeypatch.setenv("OF_THIS_MACHINE", "1")
    given = dict(line.split("=", 1) for line in said(perform("    - run: env\n")).splitlines())
    assert given["GITHUB_REPOSITORY"] == "owner/pets"
    assert given["GITHUB_SERVER_URL"] == "https://github.com"
    assert given["CI"] == given["GITHUB_ACTIONS"] == "true"
    of_github = {name for name in given if name.startswith(("GITHUB_", "RUNNER_"))}
    assert given.keys() - of_github == {"PATH", "HOME", "CI", "GIT_CONFIG_SYSTEM", "PWD", "SHLVL", "_"}
    assert "GITHUB_TOKEN" not in given, "a step has the token only if it asks for it"


def test_a_step_never_runs_as_root(perform):
    job = perform("    - run: id -u; touch mine; stat -c %u mine $GITHUB_WORKSPACE\n")
    assert said(job).split() == [str(os.geteuid() or 1001)] * 3


@pytest.mark.parametrize(
    ("shell", "outcome", "printed"),
    [("", "success", "on"), (", shell: bash", "failure", ""), (", shell: sh", "success", "on")],
)
def test_only_bash_by_name_fails_in_the_middle_of_a_pipe(shell, outcome, printed, perform):
    job = perform(f"    - {{run: 'false | true; echo on'{shell}}}\n")
    assert outcomes(job) == [outcome]
    assert said(job).startswith(printed)


def test_a_step_ends_at_its_first_failing_command(perform):
    job = perform("    - run: |\n        echo one\n        false\n        echo two\n")
    assert said(job) == "one\nError: Process completed with exit code 1."
    assert job.result == "failure"


def test_another_shell_runs_its_own_language(perform):
    assert said(perform("    - {run: 'print(6 * 7)', shell: 'python3 {0}'}\n")) == "42"


def test_defaults_of_the_job_come_before_those_of_the_workflow(perform):
    top = f"{ON}\ndefaults: {{run: {{shell: sh, working-directory: /usr}}}}"
    steps = "    - run: pwd; echo $0\n    - {run: pwd, working-directory: /}\n"
    job = perform(steps, top, "    defaults: {run: {working-directory: /usr/bin}}\n")
    assert said(job, 0).startswith("/usr/bin\n")
    assert said(job, 0).endswith(".sh")
    assert said(job, 1) == "/"


def test_outputs_and_environment_files_take_lines_and_blocks(perform):
    steps = r"""    - id: first
      run: |
        printf 'one=1\ntwo<<EOF\na\nb=c\nEOF\nequal=a=b<<c\n' >> "$GITHUB_OUTPUT"
        printf 'LATER<<X\nl1\nl2\nX\n' >> "$GITHUB_ENV"
        mkdir -p bin; printf '#!/bin/sh\necho mine' > bin/ours; chmod +x bin/ours; echo "$PWD/bin" >> "$GITHUB_PATH"
        echo "<$LATER>"
    - run: echo "$LATER"; ours
    - run: echo "$IT"
      env: {IT: "${{ env.LATER }} ${{ steps.first.outputs.equal }}"}
"""
    job = perform(steps)
    assert job.steps[0].outputs == {"one": "1", "two": "a\nb=c", "equal": "a=b<<c"}
    assert [said(job, number) for number in range(3)] == ["<>", "l1\nl2\nmine", "l1\nl2 a=b<<c"]


@pytest.mark.parametrize("text", ["no sign", r"a<<END\nnever ended"])
def test_a_broken_command_file_fails_the_step(text, perform):
    assert outcomes(perform(f"    - run: printf '{text}\\n' >> $GITHUB_OUTPUT\n")) == ["failure"]


def test_a_failure_skips_what_does_not_ask_for_failures(perform):
    steps = """    - run: "false"
    - run: echo skipped
    - {run: echo always, if: always()}
    - {run: echo failed, if: "${{ failure() }}"}
    - {run: echo cancelled, if: cancelled()}
    - {run: echo skipped, if: "true"}
"""
    job = perform(steps)
    assert outcomes(job) == ["failure", "skipped", "success", "success", "skipped", "skipped"]
    assert job.result == "failure"


def test_a_forgiven_step_failed_and_still_counts_as_success(perform):
    steps = """    - {run: exit 3, id: one, continue-on-error: true}
    - run: echo ${{ steps.one.outcome }} ${{ steps.one.conclusion }} ${{ job.status }}
"""
    job = perform(steps)
    assert said(job) == "failure success success"
    assert job.result == "success"


def test_a_block_with_expressions_loses_its_indentation(perform):
    steps = """    - env: {A: "1"}
      run: |
        cat <<END
          ${{ env.A }}
        END
    - run: >-
        echo
        "${{ job.status }}"
"""
    job = perform(steps)
    assert (job.steps[0].log, said(job)) == ("  1\n", "success")


def test_a_zero_byte_in_an_input_never_reaches_a_process(perform):
    job = perform('    - {run: echo "$IT", env: {IT: "${{ inputs.must }}"}}\n', FORM, inputs={"must": "a\0b"})
    assert outcomes(job) == ["failure"]


def test_secrets_are_hidden_in_logs_and_summary(perform):
    steps = """    - run: echo "$IT"; echo "$IT" >> $GITHUB_STEP_SUMMARY; echo "::add-mask::found"; echo found
      env: {IT: "${{ secrets.DB_PASS }}"}
    - run: echo "${DB_PASS-none} ${IT-none} found"
"""
    job = perform(steps, secrets={"DB_PASS": "top\nsecret"})
    assert said(job, 0) == "***\n***\n::add-mask::***\n***"
    assert job.summary == "***\n***\n"
    assert said(job, 1) == "none none ***"


def test_a_summary_of_more_than_a_mebibyte_fails_the_step_and_is_dropped(perform):
    job = perform("    - run: head -c 1048577 /dev/zero | tr '\\0' x >> $GITHUB_STEP_SUMMARY\n")
    assert (outcomes(job), job.summary) == (["failure"], "")


def test_a_step_that_takes_too_long_fails(perform):
    job = perform(
        "    - {run: 'echo began; exec sleep 60', timeout-minutes: 0.005}\n    - {run: echo on, if: always()}\n"
    )
    assert said(job, 0).startswith("began\nError: The action has timed out")
    assert (outcomes(job), job.result) == (["failure", "success"], "failure")


@pytest.mark.parametrize(("keeps", "found"), [("", 1), (", with: {persist-credentials: false}", 0)])
def test_checkout_clones_the_commit_and_keeps_the_token_unless_told_not_to(keeps, found, perform):
    steps = f"""    - {{uses: actions/checkout@v7{keeps}}}
    - run: cat a.txt; git rev-parse HEAD; echo $GITHUB_SHA; git remote -v; git branch --show-current
    - run: grep -c AUTHORIZATION .git/config || true
"""
    job = perform(steps, files=["a.txt"])
    content, head, sha, *_, branch = said(job, 1).splitlines()
    assert (content, branch) == ("the file a.txt", "main")
    assert head == sha
    assert said(job) == str(found)


@pytest.mark.parametrize(("lfs", "fetched"), [("false", "version https://git-lfs"), ("true", "a large file")])
def test_checkout_fetches_large_files_only_if_told_to(lfs, fetched, toy):
    jobs = f"""  one:
    runs-on: x
    steps:
    - {{uses: actions/checkout@v7, with: {{lfs: {lfs}}}}}
    - run: head -c 23 a.bin
"""

    def add_large(folder):
        (folder / ".gitattributes").write_text("*.bin filter=lfs diff=lfs merge=lfs -text\n")
        (folder / "a.bin").write_text("a large file")

    github = toy(jobs)
    github.push("large", add_large)
    assert said(github.dispatch("toy.yaml", {}, ref="refs/heads/large").jobs["one"]) == fetched


def test_a_cache_is_kept_for_the_next_run_with_its_key(toy):
    jobs = """  one:
    runs-on: x
    steps:
    - {uses: actions/cache/restore@v5, with: {path: "kept ${{ runner.temp }}/too", key: "a-${{ inputs.must }}"}}
    - run: echo "got $(ls kept $RUNNER_TEMP/too)"; mkdir -p kept $RUNNER_TEMP/too; touch kept/a $RUNNER_TEMP/too/b
    - {uses: actions/cache/save@v5, with: {path: "kept ${{ runner.temp }}/too", key: "a-${{ inputs.must }}"}}
"""
    github = toy(jobs, FORM)

    def restored(must):
        steps = github.dispatch("toy.yaml", {"must": must}).jobs["one"].steps
        return steps[0].outputs["cache-hit"], {"a", "b"} & set(steps[1].log.split())

    assert [restored(must) for must in ("x", "x", "y")] == [("", set()), ("true", {"a", "b"}), ("", set())]


def test_an_artifact_is_a_zip_without_hidden_files(toy):
    jobs = """  one:
    runs-on: x
    steps:
    - run: mkdir -p out/deep; echo a > out/deep/a.txt; echo b > out/.hidden
    - {uses: actions/upload-artifact@v7, with: {name: results, path: out, if-no-files-found: error}}
"""
    github = toy(jobs)
    run = github.dispatch("toy.yaml", {})
    ((number, archive),) = github.api.archives.items()
    assert zipfile.ZipFile(io.BytesIO(archive)).namelist() == ["deep/a.txt"]
    outputs = run.jobs["one"].steps[1].outputs
    assert outputs["artifact-url"] == f"https://github.com/owner/pets/actions/runs/{run.id}/artifacts/{number}"
    assert github.api.artifacts[number]["digest"] == "sha256:" + outputs["artifact-digest"]
    assert github.api.artifacts[number]["workflow_run"] == {"id": run.id}


@pytest.mark.parametrize(("missing", "result"), [("error", "failure"), ("ignore", "success")])
def test_an_artifact_without_files_is_what_the_step_says(missing, result, perform):
    steps = f"    - {{uses: actions/upload-artifact@v7, with: {{path: none, if-no-files-found: {missing}}}}}\n"
    assert perform(steps).result == result


def test_a_pushed_branch_reaches_the_remote_as_it_would_github(toy):
    jobs = """  one:
    runs-on: x
    steps:
    - {uses: actions/checkout@v7, with: {persist-credentials: false}}
    - run: git push -q "$GITHUB_SERVER_URL/$GITHUB_REPOSITORY" HEAD:refs/heads/other
"""
    github = toy(jobs, files=["a.txt"])
    assert github.dispatch("toy.yaml", {}).conclusion == "success"
    assert github.git("rev-parse", "other") == github.git("rev-parse", "main")
