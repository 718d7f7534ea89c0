import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import * as client from '@aws-sdk/client-s3'
import { invalidArgument, S3Error } from './s3-error.ts'
import { s3Errors } from './table.ts'

describe('the error table', () => {
  it('has a status and a message for each code', () => {
    for (const [code, { status, message }] of Object.entries(s3Errors)) {
      assert.ok(status >= 300 && status < 600, code)
      assert.notEqual(message.trim(), '', code)
    }
  })

  it('knows every error that AWS models, with its status', () => {
    const statuses = new Map(Object.entries(s3Errors).map(([code, { status }]) => [code, status]))
    const modelled = new Map<string, unknown>()
    for (const schema of Object.values(client).filter((value) => Array.isArray(value))) {
      const [kind, , code, traits]: readonly unknown[] = schema
      // The base class of all has no traits; NotFound has no status in the model.
      if (kind !== -3 || typeof code !== 'string' || typeof traits !== 'object' || traits === null) continue
      modelled.set(code, 'httpError' in traits ? traits.httpError : 404)
    }
    assert.ok(modelled.size >= 21)
    for (const [code, status] of modelled) assert.equal(statuses.get(code), status, code)
  })
})

describe('S3Error', () => {
  it('takes status and message from the table unless the thrower knows better', () => {
    const plain = new S3Error('NoSuchKey')
    assert.deepEqual(
      [plain.status, plain.message, plain.fields],
      [404, 'The specified key does not exist.', {}],
    )
    const exact = invalidArgument('partNumber', '0', 'Part number must be positive')
    assert.deepEqual(
      [exact.status, exact.message, exact.fields],
      [400, 'Part number must be positive', { ArgumentName: 'partNumber', ArgumentValue: '0' }],
    )
  })
})
