"""`python -m deploytrail`, and the command `deploytrail`."""


def run() -> None:
    """Run the command. Other processes of a command import this module too, but not all that it needs."""
    from deploytrail.main import run

    run()


if __name__ == "__main__":
    run()
