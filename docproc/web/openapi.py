"""The description of the HTTP API (OpenAPI 3.1)."""

from __future__ import annotations

from typing import Any, get_type_hints

from pydantic import TypeAdapter

from docproc._version import __version__
from docproc.runs.tables import COLUMNS
from docproc.types import Row

FAULTS = {
    "400": "The form is damaged, cut off, or holds no file.",
    "401": "The token is missing or wrong.",
    "403": "The request comes from another page.",
    "408": "Nothing came for 30 seconds.",
    "413": "A file, or the request, is too large; or it has too many files.",
    "415": "It is no multipart/form-data.",
    "429": "Too many requests are waiting; Retry-After says when to try again.",
    "507": "The disk of the server is full.",
}


def describe(layout: str) -> dict[str, Any]:
    """The description of a server that reads with `layout`."""
    fault = {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}}
    told = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Fault"}}}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "docproc", "version": __version__,
                 "description": f"Reads the digits on scanned forms, checks and cut-out fields. Layout: {layout}."},
        "security": [{"token": []}],
        "paths": {
            "/api/read": {"post": {
                "operationId": "read",
                "summary": "Read documents",
                "description": "Reads pictures, PDF files and ZIP archives of these. A document that cannot be read is a row "
                               "with the status `error`. What was sent is deleted when it was answered.",
                "parameters": [{"name": "format", "in": "query", "schema": {"enum": ["json", "csv"], "default": "json"}}],
                "requestBody": {"required": True, "content": {"multipart/form-data": {"schema": {
                    "type": "object", "required": ["file"],
                    "properties": {"file": {"type": "array", "items": {"type": "string", "format": "binary"}}}}}}},
                "responses": {
                    "200": {"description": "The rows, one for each field", "content": {
                        "application/json": {"schema": {"$ref": "#/components/schemas/Readings"}},
                        "text/csv": {"schema": {"type": "string"}}}},
                    **{code: {"description": text, **told} for code, text in FAULTS.items()},
                },
            }},
            "/healthz": {"get": {
                "operationId": "health", "summary": "Whether the server answers", "security": [],
                "responses": {"200": {"description": "It does", "content": {"application/json": {"schema": {
                    "type": "object", "properties": {"status": {"const": "ok"}, "docproc": {"type": "string"}}}}}}},
            }},
        },
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {
                "Readings": {"type": "object", "required": ["rows"],
                             "properties": {"rows": {"type": "array", "items": {"$ref": "#/components/schemas/Row"}}}},
                "Row": row_schema(), "Fault": fault,
            },
        },
    }  # fmt: skip


def row_schema() -> dict[str, Any]:
    """The JSON Schema of a row of the table."""
    kinds = get_type_hints(Row)
    return {
        "type": "object",
        "required": list(COLUMNS),
        "properties": {name: TypeAdapter(kinds[name]).json_schema() for name in COLUMNS},
    }
