"""The input of a run: files of this machine, which are uploaded."""

import gzip
import io
import pathlib

from aws_tools.client import Failure

from . import INCOMING, inspection
from .options import Name

# Step Functions reads no larger file.
MOST_BYTES = 10 * 1024**3

# A plain file is uploaded without: the engine might take it for a part of the first name.
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Files:
    """Files of this machine: what they are called, how large they are, and which rows they hold."""

    def __init__(self, given, s3, bucket):
        self.s3, self.bucket = s3, bucket
        self.paths = [pathlib.Path(name) for name in given.inputs]
        self.names = [Name.of(path.name, given.format) for path in self.paths]
        for path in self.paths:
            if not path.is_file():
                raise Failure(f"{path} is no file" if path.exists() else f"{path} does not exist")
            if path.stat().st_size > MOST_BYTES:
                raise Failure(
                    f"{path} is over 10 GiB, the most that Step Functions reads: split it, and name all parts"
                )
        self.format = self.names[0].format
        if any(name.format != self.format for name in self.names):
            raise Failure("a run reads one format, CSV or JSON Lines")
        self.title = ", ".join(path.name for path in self.paths)
        self.stem = self.names[0].stem
        self.failed = self.paths[0].with_name(self.names[0].failed())
        self.bytes = sum(path.stat().st_size for path in self.paths)

    def inspect(self, count):
        """Reads all rows; `count` is called with the numbers of bytes read."""
        found = inspection.Found()
        for path, name in zip(self.paths, self.names, strict=True):
            with opened(path, name) as file:
                stream = io.BufferedReader(Counted(file, count), 1024**2)
                found.add(
                    inspection.inspect(path, name.format, gzip.GzipFile(fileobj=stream) if name.packed else stream)
                )
        return found

    def place(self, run, count):
        """Uploads the files, in parts, and returns what of a run's input names them."""
        folder = f"{INCOMING}/{run}/"
        keys = [folder + self.name(number) for number in range(len(self.paths))]
        for path, name, key in zip(self.paths, self.names, keys, strict=True):
            with opened(path, name) as file:
                self.s3.upload_fileobj(file, self.bucket, key, Callback=count)
        return {"key": keys[0]} if len(keys) == 1 else {"prefix": folder}

    def name(self, number):
        """The name of an upload: two files may have one name, and a packed one is known by its ending."""
        name = self.paths[number].name
        if self.names[number].packed:
            name = f"{name[:-3]}.gz"
        return name if len(self.paths) == 1 else f"{number:04}-{name}"


def opened(path, name):
    file = path.open("rb")
    if name.packed or file.read(len(BYTE_ORDER_MARK)) != BYTE_ORDER_MARK:
        file.seek(0)
    return file


class Counted(io.RawIOBase):
    """A file that reports how much of it is read."""

    def __init__(self, file, count):
        self.file, self.count = file, count

    def readable(self):
        return True

    def readinto(self, buffer):
        number = self.file.readinto(buffer)
        self.count(number)
        return number
