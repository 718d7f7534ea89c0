/** Browser forms signed by the SDK's own `createPresignedPost`: an oracle for our reading of policies and fields. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CreateBucketCommand, HeadObjectCommand } from '@aws-sdk/client-s3'
import { createPresignedPost, type PresignedPostOptions } from '@aws-sdk/s3-presigned-post'
import { accounts, alice } from './accounts.ts'
import { readBody } from './bodies.ts'
import { formRequest } from './forms.ts'
import { startConformance } from './harness.ts'

const { client, clientOf, raw, newBucket, address } = await startConformance('us-east-1', { accounts })
const Bucket = await newBucket()

type Form = Omit<PresignedPostOptions, 'Bucket'>

async function post(form: Form, file: string, changed: Readonly<Record<string, string>> = {}, by = client) {
  const { url, fields } = await createPresignedPost(by, { Bucket, ...form })
  const { host, pathname } = new URL(url)
  assert.equal(host, address)
  const { status, code, body } = await raw(
    formRequest(Bucket, { ...fields, ...changed }, file, { target: pathname, fileName: 'a ü.txt' }),
  )
  return { status, code, body }
}

test('what the form allows is stored', async () => {
  const Fields = {
    'Content-Type': 'text/x-form',
    'x-amz-meta-colour': 'blue',
    'x-amz-storage-class': 'STANDARD_IA',
    success_action_status: '201',
  }
  const Conditions: PresignedPostOptions['Conditions'] = [
    ['content-length-range', 1, 10],
    ['starts-with', '$x-amz-meta-note', 'a note'],
  ]
  const form = { Key: `folder/\${filename}`, Fields, Conditions, Expires: 60 }
  const answer = await post(form, 'hello', { 'x-amz-meta-note': 'a note, of any length' })
  assert.equal(answer.status, 201, answer.body)
  assert.match(answer.body, /<Key>folder\/a ü\.txt<\/Key>/)
  const Key = 'folder/a ü.txt'
  assert.equal((await readBody(client, Bucket, Key)).toString(), 'hello')
  const head = await client.send(new HeadObjectCommand({ Bucket, Key }))
  assert.deepEqual(
    [head.ContentType, head.StorageClass, head.Metadata],
    ['text/x-form', 'STANDARD_IA', { colour: 'blue', note: 'a note, of any length' }],
  )
})

const refusals: Readonly<Record<string, [Form, Readonly<Record<string, string>>, number, string]>> = {
  'more than it allows': [
    { Key: 'k', Conditions: [['content-length-range', 0, 4]] },
    {},
    400,
    'EntityTooLarge',
  ],
  'less than it asks': [
    { Key: 'k', Conditions: [['content-length-range', 6, 9]] },
    {},
    400,
    'EntityTooSmall',
  ],
  'another key': [{ Key: 'k' }, { key: 'other' }, 403, 'AccessDenied'],
  'a field it does not name': [{ Key: 'k' }, { 'x-amz-meta-more': 'v' }, 403, 'AccessDenied'],
  'another value': [
    { Key: 'k', Fields: { 'x-amz-meta-a': 'b' } },
    { 'x-amz-meta-a': 'c' },
    403,
    'AccessDenied',
  ],
  'a form that is over': [{ Key: 'k', Expires: -1 }, {}, 403, 'AccessDenied'],
  'another policy': [{ Key: 'k' }, { Policy: btoa('{}') }, 403, 'SignatureDoesNotMatch'],
}

for (const [what, [form, changed, status, code]] of Object.entries(refusals)) {
  test(`${what} is refused: ${code}`, async () => {
    const answer = await post(form, 'hello', changed)
    assert.deepEqual([answer.status, answer.code], [status, code], answer.body)
  })
}

test('a form of an account that may not write is refused', async () => {
  const { status, code } = await post({ Key: 'k' }, 'hello', {}, clientOf(alice.keys))
  assert.deepEqual([status, code], [403, 'AccessDenied'])
})

test('in path style the form goes to the bucket that it names', async () => {
  const other = 'presigned-other'
  await client.send(new CreateBucketCommand({ Bucket: other }))
  const { fields } = await createPresignedPost(client, { Bucket, Key: 'k' })
  const { status, code } = await raw(formRequest(other, fields, 'hello'))
  assert.deepEqual([status, code], [403, 'AccessDenied'])
})
