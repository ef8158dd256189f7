"""`python -m docproc`."""

from docproc.cli import entry

if __name__ == "__main__":
    entry()
