"""The tree of troubles. Each class owns the exit code of a command that ends with it, and says what to do next.

    DocprocError                1
    ├── BadUsage                2   the command line makes no sense
    ├── BadConfig               3   a template or a settings file has faults (all of them are listed)
    ├── MissingPart             4   a model or a backend is missing, or is not what it should be
    ├── BadInput                5   nothing readable was given
    ├── OutputExists            6   the output is there and --overwrite was not given
    ├── CannotWrite             8   the output cannot be written
    ├── OutputHeld              9   another run holds the output
    └── DocumentError           -   one document cannot be read: a value in the table, not the end of a run

A run that ends normally exits 0 (everything was read; review is no failure), 1 (some documents failed) or 7
(--fail-on-review and there is something to review); 130 and 143 mean interrupted by Ctrl-C or SIGTERM.
"""

from __future__ import annotations

from collections.abc import Sequence

DONE = 0
SOME_FAILED = 1
NEEDS_REVIEW = 7
INTERRUPTED = 130
TERMINATED = 143


class DocprocError(Exception):
    """Something went wrong that the user can do something about; `str()` says what."""

    exit_code = 1


class BadUsage(DocprocError):
    exit_code = 2


class BadConfig(DocprocError):
    """A template or settings file with one or more faults."""

    exit_code = 3

    def __init__(self, source: str, faults: Sequence[str]) -> None:
        self.source = source
        self.faults = tuple(faults)
        count = "1 fault" if len(self.faults) == 1 else f"{len(self.faults)} faults"
        super().__init__("\n".join([f"{source}: {count}", *(f"  {fault}" for fault in self.faults)]))

    def __reduce__(self) -> tuple[type[BadConfig], tuple[str, tuple[str, ...]]]:
        return BadConfig, (self.source, self.faults)


class MissingPart(DocprocError):
    exit_code = 4


class BadInput(DocprocError):
    exit_code = 5


class OutputExists(DocprocError):
    exit_code = 6


class CannotWrite(DocprocError):
    exit_code = 8


class OutputHeld(DocprocError):
    exit_code = 9


class DocumentError(DocprocError):
    """One document or page cannot be read.

    `code` is short and stable (`empty`, `truncated`, `corrupt`, `not_an_image`, `unsupported`, `too_large`,
    `file_too_large`, `too_many_pages`, `encrypted`, `no_pages`, `no_fields`, `not_a_check`, `several_checks`, `does_not_fit`,
    `not_found`, `not_a_file`, `permission`, `changing`, `io_error`, `worker_died`, `timeout`, `internal`).
    """

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)

    def __reduce__(self) -> tuple[type[DocumentError], tuple[str, str]]:
        return DocumentError, (self.code, str(self))
