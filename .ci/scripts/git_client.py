"""Git with the job's token, which appears in no argument and in no file."""

import os
import subprocess
from collections.abc import Mapping

from package import UserError

BOT = ("github-actions[bot]", "41898282+github-actions[bot]@users.noreply.github.com")  # whose commits they are
# The shell that git starts reads the token from the environment.
_HELPER = '!f() { test "$1" = get && printf "username=x-access-token\\npassword=%s\\n" "$GITHUB_TOKEN"; }; f'


def environment(variables: Mapping[str, str]) -> dict[str, str]:
    """The variables, and with them git's settings for this process and its children alone."""
    server = variables.get("GITHUB_SERVER_URL") or "https://github.com"
    pairs = [
        ("credential.helper", ""),  # drops all others
        # For GitHub alone: .lfsconfig in the repository can name any server.
        (f"credential.{server}.helper", _HELPER),
        ("lfs.locksverify", "false"),
        ("core.hooksPath", os.devnull),
    ]
    numbered = {f"GIT_CONFIG_KEY_{index}": name for index, (name, _) in enumerate(pairs)}
    numbered |= {f"GIT_CONFIG_VALUE_{index}": value for index, (_, value) in enumerate(pairs)}
    return {**variables, **numbered, "GIT_CONFIG_COUNT": str(len(pairs)), "GIT_TERMINAL_PROMPT": "0"}


def git(*arguments: str, hint: str) -> str:
    """What git prints; a failure is an error with git's own last line and the hint."""
    done = subprocess.run(
        ["git", *arguments], env=environment(os.environ), capture_output=True, text=True, errors="replace", check=False
    )
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}").splitlines()[-1]
        raise UserError(f"git {arguments[0]} failed: {said}", hint)
    return done.stdout
