import assert from 'node:assert/strict'
import { test } from 'node:test'
import { storedContentEncoding } from './content-encoding.ts'

test('aws-chunked is not kept, everything else is as it was sent', () => {
  const cases: [sent: string | undefined, stored: string | undefined][] = [
    [undefined, undefined],
    ['', undefined],
    ['gzip', 'gzip'],
    ['deflate,gzip', 'deflate,gzip'],
    ['aws-chunked', undefined],
    ['AWS-Chunked', undefined],
    ['aws-chunked,gzip', 'gzip'],
    ['gzip, aws-chunked', 'gzip'],
    ['aws-chunked, aws-chunked', undefined],
    ['aws-chunked,', undefined],
  ]
  for (const [sent, stored] of cases) assert.equal(storedContentEncoding(sent), stored, sent)
})
