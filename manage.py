#!/usr/bin/env python3
"""Rollcall's command line: `python manage.py --help`."""

import sys


def main() -> None:  # this file stays readable for older Pythons, so that they get a sentence
    if sys.version_info < (3, 11):  # noqa: UP036
        sys.exit("Rollcall needs Python 3.11 or newer; this is %d.%d." % sys.version_info[:2])  # noqa: UP031
    try:
        from app.cli.main import cli
    except ModuleNotFoundError as error:
        sys.exit(
            f"The package {error.name} is missing: run `make demo` once and use .venv/bin/python, "
            "or pip install -r requirements.lock."
        )
    cli(prog_name="manage.py")


if __name__ == "__main__":
    main()
