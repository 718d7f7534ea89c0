import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { S3Error } from '../errors/s3-error.ts'
import { parseQuery, parseTarget } from './target.ts'

const domains = ['s3.example.com', 'example.com']
const named = (target: string, host = 'localhost:9000') => {
  const { bucket, key } = parseTarget(target, host, domains)
  return { bucket, key }
}

describe('targets', () => {
  it('path style', () => {
    assert.deepEqual(named('/'), { bucket: undefined, key: undefined })
    assert.deepEqual(named('/?acl'), { bucket: undefined, key: undefined })
    assert.deepEqual(named('/bucket'), { bucket: 'bucket', key: undefined })
    assert.deepEqual(named('/bucket/'), { bucket: 'bucket', key: undefined })
    assert.deepEqual(named('/bucket?a/b'), { bucket: 'bucket', key: undefined })
    assert.deepEqual(named('/bucket/key'), { bucket: 'bucket', key: 'key' })
  })

  it('nothing in a key is normalised', () => {
    const keys = {
      '/': '/',
      '//': '//',
      '../x': '../x',
      './a/../b': './a/../b',
      'a%2Fb': 'a/b',
      'a+b': 'a+b',
    }
    for (const [raw, key] of Object.entries(keys)) assert.equal(named(`/bucket/${raw}`).key, key)
    assert.equal(named('/bucket/a%20b%25%00').key, 'a b%\u0000')
    assert.equal(named('/bucket/%EF%BB%BFa').key, '\ufeffa')
    assert.equal(named(`/bucket/${Buffer.from('ä').toString('latin1')}`).key, 'ä')
  })

  it('virtual-host style', () => {
    assert.deepEqual(named('/', 'bucket.s3.example.com'), { bucket: 'bucket', key: undefined })
    assert.deepEqual(named('/key/', 'bucket.s3.example.com:80'), { bucket: 'bucket', key: 'key/' })
    assert.deepEqual(named('//key', 'a.b.c.s3.example.com'), { bucket: 'a.b.c', key: '/key' })
    assert.deepEqual(named('/bucket/key', 's3.example.com'), { bucket: 'bucket', key: 'key' })
    assert.deepEqual(named('/bucket/key', 'other.org'), { bucket: 'bucket', key: 'key' })
    assert.deepEqual(named('/bucket/key', '[::1]:9000'), { bucket: 'bucket', key: 'key' })
  })

  it('absolute form', () => {
    const virtual = 'bucket.s3.example.com'
    assert.deepEqual(named(`http://${virtual}/key`, virtual), { bucket: 'bucket', key: 'key' })
    assert.deepEqual(named(`http://${virtual}/key`, virtual.toUpperCase()), { bucket: 'bucket', key: 'key' })
    assert.deepEqual(named('http://localhost:9000?x'), { bucket: undefined, key: undefined })
  })

  it('absolute form cannot name another bucket than the signed Host', () => {
    const refused = (target: string, host?: string): void => {
      assert.throws(() => parseTarget(target, host, domains), { code: 'InvalidURI' })
    }
    refused('http://victim.s3.example.com/key', 'mine.s3.example.com')
    refused('http://victim.s3.example.com/mine/key', 's3.example.com')
    refused('http://s3.example.com/victim/key', 'mine.s3.example.com')
    refused('http://victim.s3.example.com/key')
  })

  it('any key survives its encoding', () => {
    const key = fc
      .string({ unit: 'binary', minLength: 1, maxLength: 100 })
      .filter((text) => text.isWellFormed() && Buffer.byteLength(text) <= 1024)
    fc.assert(
      fc.property(key, fc.boolean(), (text, keepSlash) => {
        const encode = (part: string): string => encodeURIComponent(part)
        const encoded = keepSlash ? text.split('/').map(encode).join('/') : encode(text)
        assert.equal(named(`/bucket/${encoded}`).key, text)
      }),
    )
  })

  it('never throw anything but S3 errors', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary-ascii' }), fc.string(), (target, host) => {
        try {
          parseTarget(`/${target}`, host, domains)
        } catch (error) {
          assert.ok(error instanceof S3Error)
        }
      }),
    )
  })
})

describe('queries', () => {
  it('decode, the first of equals wins, plus is a space', () => {
    const query = parseQuery('a=1&b&c=%2B+%3D=x&a=2&&d=')
    assert.deepEqual(
      [...query],
      [
        ['a', '1'],
        ['b', ''],
        ['c', '+ ==x'],
        ['d', ''],
      ],
    )
  })
})
