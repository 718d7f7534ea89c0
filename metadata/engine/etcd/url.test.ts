import assert from 'node:assert/strict'
import { it } from 'node:test'
import { EngineOpenError } from '../engine.ts'
import { parseEtcdUrl } from './url.ts'

it('reads hosts, credentials, prefix and options', () => {
  assert.deepEqual(parseEtcdUrl('etcd://a'), {
    endpoints: ['a:2379'],
    user: undefined,
    password: undefined,
    prefix: 'ashlar/',
    tls: undefined,
    quotaBytes: 2 * 1024 ** 3,
    txnOperations: 128,
    requestBytes: 1.5 * 1024 ** 2,
  })
  const all = parseEtcdUrl(
    'etcd://me:p%40ss@h1:1,[::1]:2,10.0.0.3:3/a/b/?ca=/x/ca.pem&cert=/c&key=/k&quota=8GiB&txn-ops=1024&request-bytes=10MiB',
  )
  assert.deepEqual(all, {
    endpoints: ['h1:1', '[::1]:2', '10.0.0.3:3'],
    user: 'me',
    password: 'p@ss',
    prefix: 'a/b/',
    tls: { ca: '/x/ca.pem', cert: '/c', key: '/k' },
    quotaBytes: 8 * 1024 ** 3,
    txnOperations: 1024,
    requestBytes: 10 * 1024 ** 2,
  })
  assert.deepEqual(parseEtcdUrl('etcd://a?tls=true').tls, { ca: undefined, cert: undefined, key: undefined })
  assert.equal(parseEtcdUrl('etcd://a/?tls=false').tls, undefined)
})

it('refuses what it does not understand, and never repeats a password', () => {
  for (const url of [
    'etcd://',
    'http://a',
    'etcd://a,,b',
    'etcd://a:0',
    'etcd://a:65536',
    'etcd://a:b',
    'etcd://a,a:2379',
    'etcd://me:@a',
    'etcd://me@a',
    'etcd://me:secret%@a',
    'etcd://me:secret@a b',
    'etcd://a/x//y',
    'etcd://a/x y',
    `etcd://a/${'x'.repeat(64)}`,
    'etcd://a?tls=yes',
    'etcd://a?tls=false&ca=/x',
    'etcd://a?cert=/x',
    'etcd://a?quota=1TB',
    'etcd://a?quota=1',
    'etcd://a?txn-ops=64',
    'etcd://a?request-bytes=1',
    'etcd://a?quota=1GiB&quota=2GiB',
    'etcd://me:secret@a?secretive=1#x',
    'etcd://me:secret@a?timeout=1',
  ]) {
    assert.throws(
      () => parseEtcdUrl(url),
      (error) =>
        error instanceof EngineOpenError &&
        !error.message.includes('secret%') &&
        !/secret(?!ive)/.test(error.message),
      url,
    )
  }
})
