"""``python -m agent_orchestrator`` and the ``orchestrate`` script."""


def main() -> None:
    """Run the command line."""
    import gc

    gc.set_threshold(50_000)  # a command keeps what it makes, and soon ends
    try:
        from agent_orchestrator.cli import run

        run()
    finally:
        gc.freeze()  # else the interpreter's last look for cycles walks every object: a fifth of a short command


if __name__ == "__main__":
    main()
