"""The version of docproc, apart from the package so that every module may ask for it."""

__version__ = "0.2.0"
