"""The input of a run: an object in S3, or all below a prefix."""

import io
import pathlib
import zlib

from aws_tools.client import ClientError, Failure, code

from . import INCOMING, inspection
from .options import Name

# How much of the first object is looked at.
SAMPLE_BYTES = 256 * 1024


class Objects:
    """Objects in S3, with the same interface as files of this machine."""

    def __init__(self, given, s3, bucket):
        self.s3, self.bucket = s3, bucket
        self.title = given.inputs[0]
        self.origin, _, self.path = self.title.removeprefix("s3://").partition("/")
        if not self.origin or not self.path:
            raise Failure(f"{self.title} names no object: s3://bucket/key, or s3://bucket/prefix/")
        self.is_prefix = self.path.endswith("/")
        self.sizes = self.below() if self.is_prefix else self.single()
        self.names = {key: Name.of(key, given.format) for key in self.sizes}
        self.format = next(iter(self.names.values())).format
        if any(name.format != self.format for name in self.names.values()):
            raise Failure(f"below {self.title} are CSV and JSON Lines: a run reads one format")
        name = Name.of(self.path, self.format)
        self.stem, self.failed = name.stem, pathlib.Path(name.failed())
        self.bytes = sum(self.sizes.values())

    def single(self):
        try:
            return {self.path: self.s3.head_object(Bucket=self.origin, Key=self.path)["ContentLength"]}
        except ClientError as error:
            if code(error) in ("404", "NoSuchKey", "NoSuchBucket"):
                raise Failure(f"{self.title} does not exist") from error
            raise

    def below(self):
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.origin, Prefix=self.path)
        found = [one for page in pages for one in page.get("Contents", [])]
        sizes = {one["Key"]: one["Size"] for one in found if not one["Key"].endswith("/")}
        if not sizes:
            raise Failure(f"nothing is below {self.title}")
        return sizes

    def inspect(self, count):
        """Looks at the beginning of the first object; how many rows there are is estimated by the sizes."""
        key, size = next(iter(self.sizes.items()))
        name = f"s3://{self.origin}/{key}"
        part = b""
        if size:
            part = self.s3.get_object(Bucket=self.origin, Key=key, Range=f"bytes=0-{SAMPLE_BYTES - 1}")["Body"].read()
        count(len(part))
        is_whole = size == len(part)
        text = zlib.decompressobj(wbits=31).decompress(part) if self.names[key].packed else part
        # Where a character of several bytes is cut, the line is cut and left out anyway.
        text = text if is_whole else text[: text.rfind(b"\n") + 1]
        found = inspection.inspect(name, self.format, io.BytesIO(text), is_whole)
        return found if is_whole and len(self.sizes) == 1 else found.times(self.bytes / max(len(part), 1))

    def place(self, run, count):
        """Copies the objects unless they are where a run reads; returns what of its input names them."""
        if self.origin == self.bucket and self.path.startswith(f"{INCOMING}/"):
            return {"prefix" if self.is_prefix else "key": self.path}
        folder = f"{INCOMING}/{run}/"
        parent = self.path[: self.path.rstrip("/").rfind("/") + 1]
        for key in self.sizes:
            copied = folder + key.removeprefix(self.path if self.is_prefix else parent)
            self.s3.copy({"Bucket": self.origin, "Key": key}, self.bucket, copied, Callback=count)
        return {"prefix": folder} if self.is_prefix else {"key": folder + self.path.removeprefix(parent)}
