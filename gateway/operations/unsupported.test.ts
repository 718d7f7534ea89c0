import assert from 'node:assert/strict'
import test from 'node:test'
import { S3Error } from '../errors/s3-error.ts'
import { s3Operations } from '../schema/operations.ts'
import { notBuilt, refuseUnsupported } from './unsupported.ts'

function refusal(input: Readonly<Record<string, unknown>>): S3Error | undefined {
  try {
    refuseUnsupported(input)
    return undefined
  } catch (error) {
    assert.ok(error instanceof S3Error)
    return error
  }
}

test('a refusal names the header as the client wrote it', () => {
  const members = [...s3Operations.values()].flatMap(({ input }) => input.members)
  let refused = 0
  for (const { name, traits } of members) {
    const wireName = traits.httpHeader ?? traits.httpQuery
    const error = refusal({ [name]: 'a value that no rule lets pass' })
    if (error === undefined || wireName === undefined || wireName.startsWith('x-amz-fwd-')) continue
    refused++
    assert.equal(error.status, 501)
    assert.deepEqual(error.fields, { [traits.httpHeader === undefined ? 'Query' : 'Header']: wireName })
  }
  assert.ok(refused > 50)
})

test('members that ask for what happens anyway pass, and those that are not there', () => {
  for (const input of [
    {},
    { ServerSideEncryption: undefined },
    { Bucket: 'b', Key: 'k', Metadata: { acl: 'x' } },
  ]) {
    assert.equal(refusal(input), undefined)
  }
  for (const input of [{ ObjectLockMode: 'GOVERNANCE' }, { ServerSideEncryption: 'AES256' }]) {
    assert.equal(refusal(input)?.code, 'NotImplemented')
  }
})

test('nested elements are refused by the handlers', () => {
  const error = notBuilt('Element', 'Tags')
  assert.deepEqual([error.code, error.fields], ['NotImplemented', { Element: 'Tags' }])
})
