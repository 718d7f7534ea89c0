"""Goes into the copy of ceph/s3-tests that is run: what the suite takes for granted of its surroundings."""

import os

import botocore.auth

# Some tests count all buckets of an account, so each process that runs tests has accounts of its own.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ["S3TEST_CONF"] += "." + os.environ["PYTEST_XDIST_WORKER"]

# awscrt is there for CRC32C and CRC64NVME, which the suite's requirements leave out. With it botocore would also sign with
# awscrt, which refuses some of what the tests want signed (a negative expiry, a header that is a number, an empty region).
botocore.auth.AUTH_TYPE_MAPS.update(
    {
        "v4": botocore.auth.SigV4Auth,
        "v4-query": botocore.auth.SigV4QueryAuth,
        "s3v4": botocore.auth.S3SigV4Auth,
        "s3v4-query": botocore.auth.S3SigV4QueryAuth,
    }
)
