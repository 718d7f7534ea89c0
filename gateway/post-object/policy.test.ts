import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { S3Error } from '../errors/s3-error.ts'
import { arrayElements, memberValue } from './json-source.ts'
import { checkPostPolicy, parsePostPolicy } from './policy.ts'

const NOW = Date.UTC(2026, 0, 2, 3, 4, 5)
const LATER = '2026-01-02T03:04:06.000Z'
const base64 = (text: string): string => Buffer.from(text).toString('base64')
const policy = (conditions: readonly unknown[], expiration: unknown = LATER): string =>
  base64(JSON.stringify({ expiration, conditions: [{ bucket: 'b' }, ...conditions] }))

function check(document: string, fields: Readonly<Record<string, string>> = {}) {
  return checkPostPolicy(parsePostPolicy(document), new Map(Object.entries({ bucket: 'b', ...fields })), NOW)
}

function refused(run: () => unknown, code: string, message: string): void {
  assert.throws(run, (error) => {
    assert.ok(error instanceof S3Error, String(error))
    assert.deepEqual([error.code, error.message], [code, message])
    return true
  })
}

describe('a policy allows', () => {
  const cases: readonly (readonly [
    name: string,
    conditions: readonly unknown[],
    fields: Record<string, string>,
  ])[] = [
    ['what equals', [{ acl: 'private' }], { acl: 'private' }],
    ['what equals by a list', [['eq', '$acl', 'private']], { acl: 'private' }],
    [
      'operations and fields in any case',
      [['Starts-With', '$KeY', 'a'], { AcL: 'x' }],
      { key: 'abc', acl: 'x' },
    ],
    ['any value', [['starts-with', '$x-amz-meta-a', '']], { 'x-amz-meta-a': '' }],
    [
      'a list of content types',
      [['starts-with', '$Content-Type', 'text/']],
      { 'content-type': 'text/a, text/b' },
    ],
    ['a number as text', [['eq', '$success_action_status', 201]], { success_action_status: '201' }],
    ['what needs no condition', [], { policy: 'p', 'x-amz-signature': 's', 'x-ignore-me': 'i', file: 'f' }],
  ]
  for (const [name, conditions, fields] of cases) {
    it(name, () =>
      assert.deepEqual(check(policy(conditions), fields), { min: 0, max: Number.MAX_SAFE_INTEGER }),
    )
  }

  it('sizes in the range, quoted or not, of several the narrowest', () => {
    const ranges = [
      ['content-length-range', 1, 100],
      ['content-length-range', '5', '200'],
    ]
    assert.deepEqual(check(policy(ranges)), { min: 5, max: 100 })
  })

  it('what its escapes mean', () => {
    const text = String.raw`{"expiration":"${LATER}","conditions":[{"bucket":"b"},["eq","$key","\$a\\\$b\v\u00e9"]]}`
    check(base64(text), { key: '$a\\$b\v\u00e9' })
  })
})

describe('a policy denies', () => {
  const denied = (run: () => unknown, message: string): void =>
    refused(run, 'AccessDenied', `Invalid according to Policy: ${message}`)

  it('after its expiration, and at it', () => {
    for (const at of ['2026-01-02T03:04:05Z', '2026-01-02T03:04:05.000+00:00', '2025-01-01T00:00:00.000Z']) {
      denied(() => check(policy([], at)), 'Policy expired.')
    }
  })

  it('what a condition does not hold of, in the words of the policy', () => {
    const quoted = base64(
      `{"expiration": "${LATER}", "conditions": [ ["eq" , "$Key","a,[\\"]" ], {"bucket": "b"}]}`,
    )
    denied(() => check(quoted, { key: 'b' }), 'Policy Condition failed: ["eq" , "$Key","a,[\\"]" ]')
    denied(() => check(policy([{ acl: 'private' }])), 'Policy Condition failed: ["eq", "$acl", "private"]')
    denied(
      () =>
        check(policy([['starts-with', '$content-type', 'text/']]), {
          'content-type': 'text/plain, image/png',
        }),
      'Policy Condition failed: ["starts-with","$content-type","text/"]',
    )
    denied(
      () => check(policy([['eq', 'acl', 'private']]), { acl: 'private' }),
      'Policy Condition failed: ["eq","acl","private"]',
    )
  })

  it('fields that no condition speaks about', () => {
    denied(
      () => check(policy([]), { acl: 'a', 'content-type': 'c' }),
      'Extra input fields: acl, content-type',
    )
    const none = base64(JSON.stringify({ expiration: LATER, conditions: [] }))
    denied(() => check(none), 'Extra input fields: bucket')
  })
})

describe('a document is no policy', () => {
  const invalid = (document: string, message: string): void =>
    refused(() => parsePostPolicy(document), 'InvalidPolicyDocument', `Invalid Policy: ${message}`)
  const cases: Readonly<Record<string, string>> = {
    '': `Expecting '{' but found End-of-Input`,
    invalid_base64: 'invalid Base64 encoding.',
    [base64('invalid json')]: 'Invalid JSON.',
    [base64('[]')]: 'Invalid JSON.',
    [Buffer.from([0xff, 0xfe]).toString('base64')]: 'Invalid JSON.',
    [base64('{"conditions": []}')]: 'Policy missing expiration.',
    [base64('{"EXPIRATION": "x", "conditions": []}')]: 'Policy missing expiration.',
    [base64(`{"expiration": "${LATER}"}`)]: 'Policy missing conditions.',
    [base64(`{"expiration": "${LATER}", "CONDITIONS": []}`)]: 'Policy missing conditions.',
    [base64(`{"expiration": "${LATER}", "conditions": [], "extra": 1}`)]: 'Unexpected: "extra"',
    [base64(`{"expiration": "${LATER}", "conditions": {}}`)]: `Invalid 'conditions' value: must be a List.`,
    [policy([], true)]: 'Invalid JSON.',
    [policy([], 'tomorrow')]: `Invalid 'expiration' value: 'tomorrow'`,
    [policy([], '2026-13-01T00:00:00Z')]: `Invalid 'expiration' value: '2026-13-01T00:00:00Z'`,
    [policy([], '2026-01-02 03:04:05+00:00')]: `Invalid 'expiration' value: '2026-01-02 03:04:05+00:00'`,
    [policy([true])]: 'Invalid condition test: must be a List or Object.',
    [policy([null])]: 'Invalid condition test: must be a List or Object.',
    [policy([[]])]: 'Invalid Condition: missing operation identifier.',
    [policy([['is', '$a', 'b']])]: `Invalid Condition: unknown operation 'is'.`,
    [policy([['eq', '$a', 'b', 'c']])]: 'Invalid eq: wrong number of arguments.',
    [policy([['content-length-range', 0]])]: 'Invalid content-length-range: wrong number of arguments.',
    [policy([['content-length-range', 0, false]])]: 'Invalid JSON.',
    [policy([['content-length-range', -0.5, 1]])]: 'Invalid JSON.',
    [policy([[1, '$a', 'b']])]: 'Invalid JSON.',
    [policy([['eq', false, 'b']])]: 'Invalid JSON.',
    [policy([['eq', '$a', true]])]: 'Invalid JSON.',
    [policy([{}])]: 'Invalid Simple-Condition: Simple-Conditions must have exactly one property specified.',
    [policy([{ a: 'b', c: 'd' }])]:
      'Invalid Simple-Condition: Simple-Conditions must have exactly one property specified.',
    [policy([{ a: 1 }])]: 'Invalid Simple-Condition: value must be a string.',
    [policy(Array.from({ length: 256 }, () => ({ a: 'b' })))]: 'Too many conditions.',
  }
  for (const [document, message] of Object.entries(cases)) it(message, () => invalid(document, message))

  it('and whatever it is, only S3 errors come of it', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json().map(base64), fc.string().map(base64)), (document) => {
        try {
          parsePostPolicy(document)
        } catch (error) {
          assert.ok(error instanceof S3Error, String(error))
        }
      }),
      { numRuns: 2000 },
    )
  })
})

describe('the source of JSON', () => {
  it('is cut where JSON.parse sees elements, whatever they are', () => {
    fc.assert(
      fc.property(fc.array(fc.jsonValue()), fc.constantFrom('', ' ', '\n  '), (values, space) => {
        const text = JSON.stringify({ x: '"conditions":[', conditions: values, y: 1 }, undefined, space)
        const elements = arrayElements(memberValue(text, 'conditions'))
        assert.deepEqual(
          elements.map((element): unknown => JSON.parse(element)),
          JSON.parse(JSON.stringify(values)),
        )
      }),
      { numRuns: 1000 },
    )
  })
})
