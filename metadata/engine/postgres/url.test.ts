import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EngineOpenError } from '../engine.ts'
import { hostName, parsePostgresUrl } from './url.ts'

test('a URL of one host, with what is not said', () => {
  const target = parsePostgresUrl('postgres://me@db/cluster')
  assert.deepEqual(target.hosts, [{ host: 'db', port: 5432 }])
  assert.equal(target.user, 'me')
  assert.equal(target.password, undefined)
  assert.equal(target.database, 'cluster')
  assert.equal(target.sslMode, 'prefer')
  assert.equal(target.table, 'ashlar_metadata')
})

test('hosts, percent-encoded parts and options', () => {
  const target = parsePostgresUrl(
    'postgresql://m%40e:p%40ss:w%2Frd%3F@a:1,[::1]:2,%2Frun%2Fpg/d%20b' +
      '?sslmode=verify-full&sslrootcert=%2Fca.pem&sslcert=c&sslkey=k&connect_timeout=2&statement_timeout=5000' +
      '&pool_size=3&application_name=x&table=t_1&target_session_attrs=read-write',
  )
  assert.deepEqual(target.hosts.map(hostName), ['a:1', '[::1]:2', '/run/pg:5432'])
  assert.deepEqual(
    [target.user, target.password, target.database, target.sslMode, target.sslRootCert],
    ['m@e', 'p@ss:w/rd?', 'd b', 'verify-full', '/ca.pem'],
  )
  assert.deepEqual(
    [target.sslCert, target.sslKey, target.connectMs, target.replyMs, target.poolSize, target.table],
    ['c', 'k', 2000, 5000, 3, 't_1'],
  )
  // As libpq has it.
  assert.equal(parsePostgresUrl('postgres://u@h/d?sslmode=require&sslrootcert=ca').sslMode, 'verify-ca')
})

test('what is refused, without the password in the message', () => {
  const refused: [string, RegExp][] = [
    ['mysql://u:secret@h/d', /it is not postgres:/],
    ['postgres://u:secret@h@i/d', /it is not postgres:/],
    ['postgres://:secret@h/d', /no user/],
    ['postgres://h/d', /no user/],
    ['postgres://u:secret@h', /no database/],
    ['postgres://u:secret@/d', /a host is missing/],
    ['postgres://u:secret@h,/d', /a host is missing/],
    ['postgres://u:secret@h:70000/d', /no port 70000/],
    [`postgres://u:secret@${Array.from({ length: 17 }, () => 'h').join(',')}/d`, /more than 16 hosts/],
    ['postgres://u:secret%@h/d', /password is not percent-encoded/],
    ['postgres://u:secret%00@h/d', /password contains a NUL/],
    ['postgres://u:secret@h/d?sslmod=disable', /unknown option/],
    ['postgres://u:secret@h/d?secret=1', /unknown option/],
    ['postgres://u:secret@h/d?sslmode=allow', /sslmode is one of/],
    ['postgres://u:secret@h/d?sslmode=disable&sslmode=require', /sslmode is given twice/],
    ['postgres://u:secret@h/d?sslmode=verify-full', /needs sslrootcert/],
    ['postgres://u:secret@h/d?sslmode=verify-ca&sslrootcert=system', /needs sslmode=verify-full/],
    ['postgres://u:secret@h/d?sslcert=x', /sslcert and sslkey/],
    ['postgres://u:secret@h/d?sslmode=disable&sslrootcert=x', /leaves its certificates unused/],
    ['postgres://u:secret@h/d?pool_size=0', /pool_size is a whole number of 1 to/],
    ['postgres://u:secret@h/d?pool_size=129', /pool_size is a whole number/],
    ['postgres://u:secret@h/d?connect_timeout=soon', /connect_timeout is a whole number/],
    ['postgres://u:secret@h/d?statement_timeout=999', /statement_timeout is a whole number/],
    ['postgres://u:secret@h/d?table=a%3Bdrop', /table is 1 to 63/],
    ['postgres://u:secret@h/d?table=Users', /table is 1 to 63/],
    ['postgres://u:secret@h/d?transaction=none', /transaction is implicit or explicit/],
    ['postgres://u:secret@h/d?target_session_attrs=any', /can only be read-write/],
  ]
  for (const [url, reason] of refused) {
    assert.throws(
      () => parsePostgresUrl(url),
      (error) => {
        assert.ok(error instanceof EngineOpenError, url)
        assert.match(error.message, reason)
        assert.doesNotMatch(error.message.replace(/^.*user:password@.*$/, ''), /secret/)
        return true
      },
    )
  }
})
