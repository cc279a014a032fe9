"""Command lines of the benchmarks: what a module's docstring says is its help."""

from argparse import ArgumentParser, ArgumentTypeError, RawDescriptionHelpFormatter
from pathlib import Path


def parser_of(name: str, doc: str | None) -> ArgumentParser:
    """A parser for `python -m benchmarks.NAME`, NAME being `name`."""
    return ArgumentParser(f"python -m benchmarks.{name}", None, doc, formatter_class=RawDescriptionHelpFormatter)


def json_file(name: str, doc: str | None) -> Path | None:
    """Read a command line that may name a file for the results as JSON; None where it names none."""
    parser = parser_of(name, doc)
    parser.add_argument("json", nargs="?", type=Path, help="a file for the same as JSON")
    found: Path | None = parser.parse_args().json
    return found


def crops_of(name: str, doc: str | None) -> Path | None:
    """Read a command line that may name labelled crops; None where it names none."""
    parser = parser_of(name, doc)
    parser.add_argument("crops", nargs="?", type=crops_file, help="a zip of labelled crops, such as test.zip")
    found: Path | None = parser.parse_args().crops
    return found


def crops_folder(text: str) -> Path:
    """A folder with train.zip and test.zip; raises ArgumentTypeError where one of them is missing."""
    folder = Path(text)
    if missing := [name for name in ("train.zip", "test.zip") if not (folder / name).is_file()]:
        raise ArgumentTypeError(f"{folder} has no {' and no '.join(missing)}")
    return folder


def crops_file(text: str) -> Path:
    """A zip of labelled crops; raises ArgumentTypeError where there is none."""
    if not (file := Path(text)).is_file():
        raise ArgumentTypeError(f"{file} is no file")
    return file
