import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { ObjectOwnership } from '../../../proto/gen/ashlar/v1/records_pb.js'
import { ANONYMOUS_ID } from '../../accounts/account.ts'
import { S3Error } from '../../errors/s3-error.ts'
import { cannedAcl, type CannedAcl } from './canned.ts'
import { readGrantHeaders } from './grant-headers.ts'
import {
  ALL_USERS,
  AUTHENTICATED_USERS,
  isGranted,
  isOwnerOnly,
  isPublic,
  LOG_DELIVERY,
  toAccount,
  toGroup,
  type GrantedPermission,
  type Permission,
} from './grants.ts'
import { newObject } from './ownership.ts'
import { readAclHeaders } from './requested.ts'

const OWNER = 'a'.repeat(64)
const WRITER = 'b'.repeat(64)
const OTHER = 'c'.repeat(64)
const isAccount = (id: string) => [OWNER, WRITER, OTHER].includes(id)
const permissions: Permission[] = ['READ', 'WRITE', 'READ_ACP', 'WRITE_ACP']

const codeOf = (run: () => unknown): string => {
  try {
    run()
    return 'ok'
  } catch (error) {
    assert.ok(error instanceof S3Error, String(error))
    return error.code
  }
}

describe('isGranted', () => {
  it('FULL_CONTROL is all four, and each other permission itself alone', () => {
    for (const granted of [...permissions, 'FULL_CONTROL'] as const) {
      const acl = { grants: [{ ...toAccount(OTHER, granted), $typeName: 'ashlar.v1.Grant' as const }] }
      for (const asked of permissions) {
        assert.equal(isGranted(acl, OTHER, asked), granted === asked || granted === 'FULL_CONTROL')
        assert.equal(isGranted(acl, WRITER, asked), false)
        assert.equal(isGranted(acl, ANONYMOUS_ID, asked), false)
      }
    }
  })

  it('knows who is in which group, and leaves groups out where public grants are ignored', () => {
    for (const [group, account, nobody] of [
      [ALL_USERS, true, true],
      [AUTHENTICATED_USERS, true, false],
      [LOG_DELIVERY, false, false],
    ] as const) {
      const acl = { grants: [{ ...toGroup(group, 'READ'), $typeName: 'ashlar.v1.Grant' as const }] }
      assert.equal(isGranted(acl, OTHER, 'READ'), account)
      assert.equal(isGranted(acl, ANONYMOUS_ID, 'READ'), nobody)
      assert.equal(isGranted(acl, OTHER, 'READ', { ignoreGroups: true }), false)
      assert.equal(isPublic(acl), group !== LOG_DELIVERY)
    }
  })

  it('grants nothing without a list', () => {
    for (const permission of permissions) assert.equal(isGranted(undefined, OWNER, permission), false)
  })
})

describe('canned lists of objects', () => {
  it('the bucket owner is named once', () => {
    const permissionsOf = (name: CannedAcl, owner: string) =>
      cannedAcl(name, owner, OWNER).grants.map(({ account, permission }) => [account, permission])
    assert.deepEqual(permissionsOf('bucket-owner-read', WRITER), [
      [WRITER, 'FULL_CONTROL'],
      [OWNER, 'READ'],
    ])
    assert.deepEqual(permissionsOf('bucket-owner-full-control', WRITER), [
      [WRITER, 'FULL_CONTROL'],
      [OWNER, 'FULL_CONTROL'],
    ])
    assert.deepEqual(permissionsOf('bucket-owner-read', OWNER), [[OWNER, 'FULL_CONTROL']])
    assert.deepEqual(permissionsOf('bucket-owner-full-control', OWNER), [[OWNER, 'FULL_CONTROL']])
  })
})

describe('grant headers', () => {
  it('what is written is read', () => {
    const grantee = fc.oneof(
      fc.constantFrom(OWNER, WRITER, OTHER).map((account) => ({ account, group: '' })),
      fc.constantFrom(ALL_USERS, AUTHENTICATED_USERS, LOG_DELIVERY).map((group) => ({ account: '', group })),
    )
    const space = fc.constantFrom('', ' ', '  ')
    fc.assert(
      fc.property(
        fc.array(fc.tuple(grantee, space, fc.boolean()), { minLength: 1, maxLength: 100 }),
        (all) => {
          const header = all
            .map(([{ account, group }, blank, quoted]) => {
              const value = account || group
              return `${blank}${account === '' ? 'uri' : 'id'}=${quoted ? `"${value}"` : value}${blank}`
            })
            .join(',')
          const grants = readGrantHeaders({ GrantReadACP: header }, isAccount)
          assert.deepEqual(
            grants,
            all.map(([one]) => ({ ...one, permission: 'READ_ACP' satisfies GrantedPermission })),
          )
        },
      ),
    )
  })

  it('any text is grants or a refusal', () => {
    const codes = new Set<string>()
    const text = fc.oneof(fc.string(), fc.stringMatching(/^(id|uri|emailAddress)="?[a-c]*"?(,.*)?$/))
    fc.assert(
      fc.property(text, (GrantRead) => {
        codes.add(codeOf(() => readGrantHeaders({ GrantRead }, isAccount)))
      }),
    )
    for (const code of codes) assert.ok(['ok', 'InvalidArgument', 'MethodNotAllowed'].includes(code), code)
  })

  it('100 in all headers together', () => {
    const many = (count: number) => Array.from({ length: count }, () => `id=${OTHER}`).join(',')
    assert.equal(
      codeOf(() => readGrantHeaders({ GrantRead: many(50), GrantWrite: many(50) }, isAccount)),
      'ok',
    )
    const more = { GrantRead: many(50), GrantWrite: many(51) }
    assert.equal(
      codeOf(() => readGrantHeaders(more, isAccount)),
      'MalformedACLError',
    )
  })
})

describe('new objects', () => {
  const { BUCKET_OWNER_ENFORCED, BUCKET_OWNER_PREFERRED, OBJECT_WRITER, REMOVED } = ObjectOwnership
  const make = (objectOwnership: ObjectOwnership, headers: Parameters<typeof readAclHeaders>[0] = {}) =>
    newObject({ owner: OWNER, objectOwnership }, WRITER, readAclHeaders(headers, isAccount))

  it('belong to the writer, but for lists disabled, or given to the bucket owner where that is preferred', () => {
    const full = { ACL: 'bucket-owner-full-control' } as const
    assert.equal(make(OBJECT_WRITER).owner, WRITER)
    assert.equal(make(REMOVED).owner, WRITER)
    assert.equal(make(BUCKET_OWNER_PREFERRED).owner, WRITER)
    assert.equal(make(BUCKET_OWNER_ENFORCED).owner, OWNER)
    assert.equal(make(OBJECT_WRITER, full).owner, WRITER)
    assert.equal(make(REMOVED, full).owner, WRITER)
    assert.equal(make(BUCKET_OWNER_PREFERRED, full).owner, OWNER)
    assert.equal(make(BUCKET_OWNER_ENFORCED, full).owner, OWNER)
    // The canned list, and no other of the same grants.
    assert.equal(make(BUCKET_OWNER_PREFERRED, { GrantFullControl: `id=${OWNER}` }).owner, WRITER)
  })

  it('have a list only if it says more than that the owner may', () => {
    assert.equal(make(OBJECT_WRITER).acl, undefined)
    assert.equal(make(OBJECT_WRITER, { ACL: 'private' }).acl, undefined)
    assert.equal(make(BUCKET_OWNER_PREFERRED, { ACL: 'bucket-owner-full-control' }).acl, undefined)
    assert.equal(make(OBJECT_WRITER, { ACL: 'public-read' }).acl?.grants.length, 2)
    assert.deepEqual(make(OBJECT_WRITER, { GrantRead: `id=${OTHER}` }).acl, {
      grants: [toAccount(OTHER, 'READ')],
    })
  })

  it('take no list where lists are disabled, but one that gives the bucket owner all', () => {
    for (const [headers, code] of [
      [{ ACL: 'bucket-owner-full-control' }, 'ok'],
      [{ GrantFullControl: `id=${OWNER}` }, 'ok'],
      [{ ACL: 'private' }, 'AccessControlListNotSupported'],
      [{ ACL: 'public-read' }, 'AccessControlListNotSupported'],
      [{ ACL: 'bucket-owner-read' }, 'AccessControlListNotSupported'],
      [{ GrantRead: `id=${OWNER}` }, 'AccessControlListNotSupported'],
      [{ GrantFullControl: `id=${OWNER}, id=${OTHER}` }, 'AccessControlListNotSupported'],
      [{ GrantFullControl: `uri=${ALL_USERS}` }, 'AccessControlListNotSupported'],
    ] as const) {
      assert.equal(
        codeOf(() => make(BUCKET_OWNER_ENFORCED, headers)),
        code,
        JSON.stringify(headers),
      )
    }
  })

  it('isOwnerOnly', () => {
    assert.equal(isOwnerOnly({ grants: [toAccount(OWNER, 'FULL_CONTROL')] }, OWNER), true)
    assert.equal(isOwnerOnly({ grants: [toAccount(OWNER, 'READ')] }, OWNER), false)
    assert.equal(isOwnerOnly({ grants: [toGroup(ALL_USERS, 'FULL_CONTROL')] }, OWNER), false)
  })
})
