from agent_orchestrator.runtime.environment import allowed

SHELL = {
    "PATH": "/bin",
    "HOME": "/home/ada",
    "LC_ALL": "C",
    "HTTPS_PROXY": "http://proxy",
    "XDG_CACHE_HOME": "/c",
    "AWS_SECRET_ACCESS_KEY": "s3cret",
    "GITHUB_TOKEN": "s3cret",
    "ANTHROPIC_API_KEY": "key",
    "CLAUDECODE": "1",
    "CLAUDE_CODE_ENTRYPOINT": "cli",
    "ORCHESTRATE_DB": "/elsewhere",
    "MY_FLAG": "1",
}


def test_children_get_what_tools_need_and_no_secret_of_the_shell() -> None:
    assert set(allowed(SHELL)) == {"PATH", "HOME", "LC_ALL", "HTTPS_PROXY", "XDG_CACHE_HOME"}


def test_a_provider_gets_its_own_and_the_user_may_pass_more() -> None:
    assert "ANTHROPIC_API_KEY" in allowed(SHELL, ["ANTHROPIC_*"])
    assert "MY_FLAG" in allowed(SHELL, ["MY_*"])


def test_the_marks_of_an_enclosing_run_are_never_passed_on() -> None:
    passed = allowed(SHELL, ["*"])
    assert not {"CLAUDECODE", "CLAUDE_CODE_ENTRYPOINT", "ORCHESTRATE_DB"} & set(passed)
