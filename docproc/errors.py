"""Exceptions and exit codes. Each class has the exit code of a command that fails with it; its message says what to do next.

    DocprocError                1
    ├── BadUsage                2   the command line makes no sense
    ├── BadConfig               3   a template, a settings file or corrections have faults; all of them are listed
    ├── MissingPart             4   a model or a backend is missing, or is not what it should be
    ├── BadInput                5   there is nothing readable in the input
    ├── OutputExists            6   the output exists and --overwrite was not given
    ├── CannotWrite             8   the output cannot be written
    ├── OutputHeld              9   another run is writing the output
    └── DocumentError           -   one document cannot be read: a row of the table, not the end of a run

A run that ends normally exits with 0 (every document was read; fields for review are not failures), 1 (some documents failed)
or 7 (--fail-on-review was given and there are fields for review); 130 and 143 mean interrupted by Ctrl-C or SIGTERM.
"""

from __future__ import annotations

from collections.abc import Sequence

DONE = 0
SOME_FAILED = 1
NEEDS_REVIEW = 7
INTERRUPTED = 130
TERMINATED = 143


class DocprocError(Exception):
    """A failure that the user can do something about; `str()` says what."""

    exit_code = 1


class BadUsage(DocprocError):
    """The command line makes no sense."""

    exit_code = 2


class BadConfig(DocprocError):
    """A template, a settings file or a file of corrections with one or more faults."""

    exit_code = 3

    def __init__(self, source: str, faults: Sequence[str]) -> None:
        self.source = source
        self.faults = tuple(faults)
        count = "1 fault" if len(self.faults) == 1 else f"{len(self.faults)} faults"
        super().__init__("\n".join([f"{source}: {count}", *(f"  {fault}" for fault in self.faults)]))

    def __reduce__(self) -> tuple[type[BadConfig], tuple[str, tuple[str, ...]]]:
        return BadConfig, (self.source, self.faults)


class MissingPart(DocprocError):
    """A model, a backend or an optional package is missing, or is not what it should be."""

    exit_code = 4


class BadInput(DocprocError):
    """There is nothing readable in the input."""

    exit_code = 5


class OutputExists(DocprocError):
    """The output exists and may not be overwritten."""

    exit_code = 6


class CannotWrite(DocprocError):
    """The output cannot be written."""

    exit_code = 8


class OutputHeld(DocprocError):
    """Another run is writing the output."""

    exit_code = 9


class DocumentError(DocprocError):
    """One document or page cannot be read.

    `code` is short and stable (`empty`, `truncated`, `corrupt`, `not_an_image`, `unsupported`, `too_large`,
    `file_too_large`, `too_many_pages`, `encrypted`, `no_pages`, `no_fields`, `several_lines`, `not_a_check`, `several_checks`,
    `does_not_fit`, `not_found`, `not_a_file`, `permission`, `changing`, `io_error`, `worker_died`, `timeout`, `internal`).
    """

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)

    def __reduce__(self) -> tuple[type[DocumentError], tuple[str, str]]:
        return DocumentError, (self.code, str(self))


def unexpected(problem: Exception) -> DocumentError:
    """The error in a document's row for an unexpected exception: one bad page must not end a run."""
    text = str(problem)
    if isinstance(problem, MemoryError) or "insufficient memory" in text.lower() or "bad_alloc" in text:
        return DocumentError("too_large", "it takes more memory than one document may; raise the limit `memory`")
    return DocumentError("internal", f"{type(problem).__name__}: {text}")
