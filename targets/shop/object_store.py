"""Uploads in an object store that all instances ask through the S3 API."""

import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from anyio import to_thread

if TYPE_CHECKING:
    from botocore.client import BaseClient


class S3Objects:
    """Stateless: the store keeps an object whole or not at all. Address: http://KEY:SECRET@HOST:PORT/BUCKET."""

    def __init__(self, url: str) -> None:
        """Talks to nobody yet: the bucket is made when it is first used."""
        parts = urlsplit(url)
        self._bucket = parts.path.strip("/") or "shop"
        self._client = s3_client(
            f"{parts.scheme}://{parts.hostname}:{parts.port or 80}",
            parts.username or "shop",
            parts.password or "shop-secret",
        )
        self._opening = threading.Lock()
        self._open = False

    async def put(self, key: str, body: bytes) -> None:
        await to_thread.run_sync(self._call, "put_object", {"Key": key, "Body": body})

    async def get(self, key: str) -> bytes | None:
        return await to_thread.run_sync(self._call, "get_object", {"Key": key})

    def _call(self, method: str, values: dict[str, Any]) -> bytes | None:
        """The body of the answer, None for an object that isn't there; ConnectionError if the store can't answer."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            self._make_bucket()
            answer = getattr(self._client, method)(Bucket=self._bucket, **values)
            return answer["Body"].read() if "Body" in answer else b""
        except ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchKey":
                return None
            raise ConnectionError(str(error)) from error
        except BotoCoreError as error:
            raise ConnectionError(str(error)) from error

    def _make_bucket(self) -> None:
        """Making it again is no error in this region, so instances that start together don't fall out."""
        with self._opening:
            if not self._open:
                self._client.create_bucket(Bucket=self._bucket)
                self._open = True


def s3_client(endpoint: str, key: str, secret: str) -> "BaseClient":
    # Imported only by a shop that uses it: it takes longer than all the rest of an instance's start.
    import boto3
    from botocore.config import Config

    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        region_name="us-east-1",
        config=Config(
            connect_timeout=1,
            read_timeout=3,
            max_pool_connections=32,
            retries={"mode": "standard", "total_max_attempts": 3},
            s3={"addressing_style": "path"},
        ),
    )
