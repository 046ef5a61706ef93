"""`python -m deploytrail`."""

from deploytrail.main import run

if __name__ == "__main__":
    run()
