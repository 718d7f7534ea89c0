/** Exact bytes of documents and headers, held against samples in the S3 API Reference. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { s3Operations } from './operations.ts'
import { ITEM_ORDER } from './xml-writer.ts'
import { compileResponseWriter, type WrittenResponse } from './response-writer.ts'

function write(operation: string, output: unknown): WrittenResponse {
  return compileResponseWriter(s3Operations.get(operation) ?? assert.fail(operation))(output)
}

function document(operation: string, output: unknown): string {
  const { body } = write(operation, output)
  return body instanceof Uint8Array ? Buffer.from(body).toString() : assert.fail('no document')
}

const declaration = '<?xml version="1.0" encoding="UTF-8"?>\n'
const xmlns = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
/** Written without its fraction of a second. */
const date = new Date('2009-10-12T17:50:30.987Z')

describe('documents', () => {
  it('ListBuckets', () => {
    const output = {
      Buckets: [{ Name: 'quotes', CreationDate: date }],
      Owner: { ID: 'id', DisplayName: 'me' },
    }
    assert.equal(
      document('ListBuckets', output),
      `${declaration}<ListAllMyBucketsResult ${xmlns}><Owner><DisplayName>me</DisplayName><ID>id</ID></Owner>` +
        '<Buckets><Bucket><Name>quotes</Name><CreationDate>2009-10-12T17:50:30.000Z</CreationDate></Bucket>' +
        '</Buckets></ListAllMyBucketsResult>',
    )
  })

  it('ListObjectVersions: versions and delete markers mixed in the order given', () => {
    const output = {
      Name: 'bucket',
      Versions: [{ Key: 'a' }, { Key: 'c' }],
      DeleteMarkers: [{ Key: 'b' }],
    }
    const order = { [ITEM_ORDER]: ['Versions', 'DeleteMarkers', 'Versions'] }
    const mixed =
      '<Version><Key>a</Key></Version><DeleteMarker><Key>b</Key></DeleteMarker><Version><Key>c</Key></Version>'
    assert.ok(document('ListObjectVersions', { ...output, ...order }).includes(mixed))
    const apart =
      '<Version><Key>a</Key></Version><Version><Key>c</Key></Version><DeleteMarker><Key>b</Key></DeleteMarker>'
    assert.ok(document('ListObjectVersions', output).includes(apart))
    const tooMany = { ...output, [ITEM_ORDER]: ['DeleteMarkers', 'DeleteMarkers'] }
    assert.throws(() => document('ListObjectVersions', tooMany), /no item is left/)
    const tooFew = { ...output, [ITEM_ORDER]: ['DeleteMarkers', 'Versions'] }
    assert.throws(() => document('ListObjectVersions', tooFew), /items are left/)
  })

  it('ListObjectsV2: flattened lists at the end, escaping, members in any order', () => {
    const output = {
      KeyCount: 2,
      Name: 'bucket',
      IsTruncated: false,
      CommonPrefixes: [{ Prefix: 'a/' }, { Prefix: 'b/' }],
      Contents: [
        { Key: '<&>"\r\n\u0001', LastModified: date, ETag: '"e"', Size: 5, StorageClass: 'STANDARD' },
      ],
      Prefix: '',
      StartAfter: undefined,
    }
    assert.equal(
      document('ListObjectsV2', output),
      `${declaration}<ListBucketResult ${xmlns}><IsTruncated>false</IsTruncated><Name>bucket</Name>` +
        '<Prefix></Prefix><KeyCount>2</KeyCount><Contents>' +
        '<Key>&lt;&amp;&gt;&quot;&#xd;\n&#x1;</Key><LastModified>2009-10-12T17:50:30.000Z</LastModified>' +
        '<ETag>&quot;e&quot;</ETag><Size>5</Size><StorageClass>STANDARD</StorageClass></Contents>' +
        '<CommonPrefixes><Prefix>a/</Prefix></CommonPrefixes>' +
        '<CommonPrefixes><Prefix>b/</Prefix></CommonPrefixes></ListBucketResult>',
    )
  })

  it('GetObjectAcl: attributes and the namespace of xsi', () => {
    const output = { Grants: [{ Grantee: { Type: 'CanonicalUser', ID: 'id' }, Permission: 'READ' }] }
    assert.equal(
      document('GetObjectAcl', output),
      `${declaration}<AccessControlPolicy ${xmlns}><AccessControlList><Grant>` +
        '<Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser"><ID>id</ID></Grantee>' +
        '<Permission>READ</Permission></Grant></AccessControlList></AccessControlPolicy>',
    )
  })

  it('GetBucketLocation: unwrapped, empty for the first region', () => {
    assert.equal(
      document('GetBucketLocation', {}),
      `${declaration}<LocationConstraint ${xmlns}></LocationConstraint>`,
    )
  })

  it('GetBucketNotificationConfiguration: a shape with a name of its own', () => {
    assert.match(document('GetBucketNotificationConfiguration', {}), /<NotificationConfiguration xmlns=/)
  })
})

describe('heads', () => {
  it('carry typed headers and metadata', () => {
    const { status, headers, body } = write('HeadObject', {
      LastModified: date,
      ContentLength: 5,
      ETag: '"e"',
      DeleteMarker: false,
      Metadata: { Name: 'für' },
      Expires: new Date(0),
      ExpiresString: 'whenever',
    })
    assert.equal(status, 200)
    assert.equal(body, undefined)
    assert.deepEqual(Object.fromEntries(headers), {
      'last-modified': 'Mon, 12 Oct 2009 17:50:30 GMT',
      'content-length': '5',
      etag: '"e"',
      'x-amz-delete-marker': 'false',
      'x-amz-meta-name': '=?UTF-8?Q?f=C3=BCr?=',
      expires: 'whenever',
    })
  })

  it('say 206 for a part and 204 where nothing follows', () => {
    assert.equal(write('GetObject', { ContentRange: 'bytes 0-1/5' }).status, 206)
    assert.equal(write('DeleteObject', {}).status, 204)
  })

  it('refuse what a header or a document cannot carry', () => {
    assert.throws(() => write('HeadObject', { ContentType: 'a\r\nb' }), TypeError)
    assert.throws(() => write('HeadObject', { LastModified: 'yesterday' }), TypeError)
    assert.throws(() => write('ListBuckets', { Buckets: [{ Name: { not: 'text' } }] }), TypeError)
    assert.throws(() => write('GetObject', { Body: 'not a stream' }), TypeError)
  })
})
