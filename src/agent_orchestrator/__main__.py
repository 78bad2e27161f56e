"""``python -m agent_orchestrator`` and the ``orchestrate`` script."""


def main() -> None:
    """Run the command line."""
    from agent_orchestrator.cli import run

    run()


if __name__ == "__main__":
    main()
