"""Uploads to a server that speaks S3 and is not ours, read back by a client that is not ours either."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from pexrtc_py.errors import TransportError
from pexrtc_py.service.kept_files import read_note, remember
from pexrtc_py.service.object_store import open_store
from pexrtc_py.service.uploads import UploadConfig, Uploads

from ..support.programs import line_with, program
from .conftest import need

BIG = os.urandom(1 << 20) * 20
"""More than two parts of a multipart upload."""


@pytest.fixture
async def s3(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Any]:
    """Moto's server with a bucket, named by the environment; gives boto3's client of it."""
    need("moto.server", "moto")
    boto3 = need("boto3", "boto3")
    async with program(sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0", stderr=PIPE) as server:
        url = (await line_with(server.stderr, r"http://127\.0\.0\.1:\d+"))[0]
        environment = {
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": "somebody",
            "AWS_SECRET_ACCESS_KEY": "a secret key of S3",
            "AWS_REGION": "us-east-1",
        }
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        client = boto3.client("s3", endpoint_url=url, region_name="us-east-1")
        await asyncio.to_thread(client.create_bucket, Bucket="recordings")
        yield client


async def test_segments_arrive_and_are_removed_when_they_have(s3: Any, tmp_path: Path) -> None:
    """Large ones in parts, small ones at once; each is read back and compared before the local file goes."""
    segments = {"talk.001.mkv": BIG, "talk.002.mkv": BIG[:1000], "name with ü #?%.mkv": b"x"}
    async with Uploads(UploadConfig(to="s3://recordings/2026/board", delete="hash")) as uploads:
        for name, content in segments.items():
            (tmp_path / name).write_bytes(content)
            remember(tmp_path / name, job="record:board", key=f"a/{name}", now=1000.0)
            uploads.add(tmp_path / name, read_note(tmp_path / name))
        async with asyncio.timeout(30):
            await uploads.finished()
    for name, content in segments.items():
        found = await asyncio.to_thread(s3.get_object, Bucket="recordings", Key=f"2026/board/a/{name}")
        assert found["Body"].read() == content
        assert not (tmp_path / name).exists()
        assert read_note(tmp_path / name).confirmed == "hash"
    assert (uploads.uploaded, uploads.failures, uploads.removed) == (3, 0, 3)


async def test_a_bucket_that_is_not_there(s3: Any, tmp_path: Path) -> None:
    """The error is one line that names the file and the bucket, and has no secret."""
    del s3
    (tmp_path / "a.mkv").write_bytes(b"x")
    with pytest.raises(TransportError) as error:
        await open_store("s3://nothing-here").put("a.mkv", tmp_path / "a.mkv")
    assert "a.mkv to s3://nothing-here" in str(error.value)
    assert "a secret key" not in str(error.value)
    assert "\n" not in str(error.value)
