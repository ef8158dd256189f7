"""A store for tests: S3 as moto has it, behind an HTTP server of its own that can be made to fail."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

from werkzeug.serving import WSGIRequestHandler, make_server

from docproc.urls import Url

SECRET = "wJalrXUtnFEMI-K7MDENG"
_NUMBERS = count(1)

Fault = Callable[[str, str], str]
"""What goes wrong with a request of this method and path: a code of S3, or "" where nothing does."""

STATUS = {"SlowDown": "503 Slow Down", "InternalError": "500 Internal Server Error", "AccessDenied": "403 Forbidden"}


class _Quiet(WSGIRequestHandler):
    def log_request(self, *args: Any) -> None:
        pass


class Store:
    """A bucket of its own, and what was asked of its server."""

    def __init__(self, host: str) -> None:
        import boto3

        self.bucket = f"scans-{next(_NUMBERS)}"
        self.environment = {
            "AWS_ENDPOINT_URL": host, "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true",
        }  # fmt: skip
        self.client: Any = boto3.client(
            "s3", endpoint_url=host, aws_access_key_id="x", aws_secret_access_key="y", region_name="us-east-1"
        )
        self.client.create_bucket(Bucket=self.bucket)
        self.asked: Counter[str] = Counter()  # by method
        self.fault: Fault = lambda method, path: ""

    def url(self, key: str = "") -> Url:
        return Url(f"s3://{self.bucket}/{key}")

    def put(self, objects: Iterable[tuple[str, bytes]]) -> None:
        for key, data in objects:
            self.client.put_object(Bucket=self.bucket, Key=key, Body=data)

    def get(self, key: str) -> bytes:
        return bytes(self.client.get_object(Bucket=self.bucket, Key=key)["Body"].read())

    def listed(self) -> list[str]:
        return [one["Key"] for one in self.client.list_objects_v2(Bucket=self.bucket).get("Contents", ())]


@contextmanager
def serving() -> Iterator[Store]:
    """A store, until the end."""
    from moto.server import DomainDispatcherApplication, create_backend_app

    inner = DomainDispatcherApplication(create_backend_app)
    stores: list[Store] = []

    def answer(environ: dict[str, Any], start: Any) -> Any:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        if stores:
            stores[0].asked[method] += 1
            if code := stores[0].fault(method, path):
                body = f"<Error><Code>{code}</Code><Message>{SECRET}</Message></Error>".encode()
                start(STATUS[code], [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))])
                return [b"" if method == "HEAD" else body]
        return inner(environ, start)

    server = make_server("127.0.0.1", 0, answer, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        stores.append(Store(f"http://127.0.0.1:{server.server_port}"))
        yield stores[0]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
