"""What boto3.test.ts has boto3 do: boto3_client.py PART UP DOWN. Ends with DOWN holding the bytes of UP."""

import os
import sys
import urllib.request
import uuid
from email.header import Header, decode_header, make_header

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError

MIB = 1024 * 1024

s3 = boto3.client(
    "s3",
    # boto3 before 1.28 does not read AWS_ENDPOINT_URL.
    endpoint_url=os.environ["AWS_ENDPOINT_URL"],
    config=Config(signature_version="s3v4", s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
)


def transfer(up, down):
    """upload_fileobj in parts, download_file in ranges, and a managed copy in parts."""
    s3.create_bucket(Bucket="boto")
    config = TransferConfig(multipart_threshold=8 * MIB, multipart_chunksize=8 * MIB, max_concurrency=4)
    with open(up, "rb") as body:
        extra = {"Metadata": {"colour": "blue"}, "ContentType": "image/x-test"}
        s3.upload_fileobj(body, "boto", "a b/ü+1", ExtraArgs=extra, Config=config)
    head = s3.head_object(Bucket="boto", Key="a b/ü+1")
    assert head["ContentLength"] == os.path.getsize(up), head
    assert head["Metadata"] == {"colour": "blue"} and head["ContentType"] == "image/x-test", head
    s3.copy({"Bucket": "boto", "Key": "a b/ü+1"}, "boto", "copied", Config=config)
    s3.download_file("boto", "copied", down, Config=config)


def post(up, down):
    """A form with a policy, as a browser sends it."""
    s3.create_bucket(Bucket="boto")
    conditions = [["content-length-range", 1, 200_000], {"x-amz-meta-colour": "blue"}, {"success_action_status": "201"}]
    fields = {"x-amz-meta-colour": "blue", "success_action_status": "201"}
    form = s3.generate_presigned_post("boto", "posted/${filename}", Fields=fields, Conditions=conditions)
    with open(up, "rb") as body:
        content = body.read()
    status, text = send_form(form, content)
    assert status == 201 and "<Key>posted/up.bin</Key>" in text, (status, text)
    assert s3.head_object(Bucket="boto", Key="posted/up.bin")["Metadata"] == {"colour": "blue"}
    s3.download_file("boto", "posted/up.bin", down)
    status, text = send_form(form, content * 3)
    assert status == 400 and "<Code>EntityTooLarge</Code>" in text, (status, text)
    status, text = send_form({**form, "fields": {**form["fields"], "x-amz-meta-colour": "red"}}, content)
    assert status == 403 and "<Code>AccessDenied</Code>" in text, (status, text)


def send_form(form, content):
    """POSTs multipart/form-data; the status and the text of the answer."""
    boundary = uuid.uuid4().hex
    body = b""
    for name, value in form["fields"].items():
        body += f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
    body += f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="up.bin"\r\n\r\n'.encode()
    body += content + f"\r\n--{boundary}--\r\n".encode()
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    try:
        with urllib.request.urlopen(urllib.request.Request(form["url"], data=body, headers=headers)) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def paginate(up, down):
    """Paginators over objects and uploads, and a batch delete."""
    s3.create_bucket(Bucket="boto")
    keys = [f"{n % 3}/key {n:02d}+ü" for n in range(30)]
    for key in keys:
        s3.put_object(Bucket="boto", Key=key, Body=key.encode())
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket="boto", PaginationConfig={"PageSize": 7})
    assert [entry["Key"] for page in pages for entry in page["Contents"]] == sorted(keys)
    pages = s3.get_paginator("list_objects").paginate(Bucket="boto", Delimiter="/", PaginationConfig={"PageSize": 1})
    found = [prefix["Prefix"] for page in pages for prefix in page.get("CommonPrefixes", [])]
    assert found == ["0/", "1/", "2/"], found
    uploads = [s3.create_multipart_upload(Bucket="boto", Key=key)["UploadId"] for key in sorted(keys[:5])]
    pages = s3.get_paginator("list_multipart_uploads").paginate(Bucket="boto", PaginationConfig={"PageSize": 2})
    assert [entry["UploadId"] for page in pages for entry in page["Uploads"]] == uploads
    deleted = s3.delete_objects(Bucket="boto", Delete={"Objects": [{"Key": key} for key in keys]})
    assert len(deleted["Deleted"]) == len(keys) and "Errors" not in deleted, deleted
    s3.upload_file(up, "boto", "last")
    s3.download_file("boto", "last", down)


def versions(up, down):
    """A version that was overwritten and then deleted is read by its id."""
    s3.create_bucket(Bucket="boto")
    s3.put_bucket_versioning(Bucket="boto", VersioningConfiguration={"Status": "Enabled"})
    with open(up, "rb") as body:
        first = s3.put_object(Bucket="boto", Key="key", Body=body)["VersionId"]
    second = s3.put_object(Bucket="boto", Key="key", Body=b"second")["VersionId"]
    marker = s3.delete_object(Bucket="boto", Key="key")
    assert marker["DeleteMarker"] is True, marker
    try:
        s3.get_object(Bucket="boto", Key="key")
        raise AssertionError("a deleted object was read")
    except ClientError as error:
        assert error.response["Error"]["Code"] == "NoSuchKey", error.response
        assert error.response["ResponseMetadata"]["HTTPHeaders"]["x-amz-delete-marker"] == "true"
    pages = list(s3.get_paginator("list_object_versions").paginate(Bucket="boto", PaginationConfig={"PageSize": 1}))
    assert [v["VersionId"] for page in pages for v in page.get("Versions", [])] == [second, first]
    assert [m["VersionId"] for page in pages for m in page.get("DeleteMarkers", [])] == [marker["VersionId"]]
    s3.download_file("boto", "key", down, ExtraArgs={"VersionId": first})


def text(up, down):
    """Metadata beyond ASCII, in RFC 2047 and raw; keys that a path would have changed, in both styles."""
    s3.create_bucket(Bucket="boto")
    words = {"q": "für alle Fälle", "b": "ключ", "long": "ü" + "x" * 200}
    metadata = {name: Header(value, "utf-8", maxlinelen=75).encode(linesep="") for name, value in words.items()}
    s3.put_object(Bucket="boto", Key="words", Body=b"", Metadata=metadata)
    assert decoded(s3.head_object(Bucket="boto", Key="words")["Metadata"]) == words

    def raw(params, **_):
        params["headers"]["x-amz-meta-raw"] = "ÄMÄZÕÑ S3"

    s3.meta.events.register("before-call.s3.PutObject", raw)
    s3.put_object(Bucket="boto", Key="raw", Body=b"")
    s3.meta.events.unregister("before-call.s3.PutObject", raw)
    # The User Guide's own example.
    told = s3.head_object(Bucket="boto", Key="raw")["Metadata"]
    assert told == {"raw": "=?UTF-8?B?w4PChE3Dg8KEWsODwpXDg8KRIFMz?="}, told

    keys = sorted([".", "..", "../a", "a/../b", "a/./b", "a//b", "//a", "a/"])
    for key in keys:
        s3.put_object(Bucket="boto", Key="dots/" + key, Body=key.encode())
        assert s3.get_object(Bucket="boto", Key="dots/" + key)["Body"].read() == key.encode()
    listed = s3.list_objects_v2(Bucket="boto", Prefix="dots/")["Contents"]
    assert [entry["Key"] for entry in listed] == ["dots/" + key for key in keys], listed
    s3.upload_file(up, "boto", "a/../last")
    s3.download_file("boto", "a/../last", down)


def decoded(metadata):
    return {name: str(make_header(decode_header(value))) for name, value in metadata.items()}


if __name__ == "__main__":
    globals()[sys.argv[1]](sys.argv[2], sys.argv[3])
