import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { CORSRule } from '@aws-sdk/client-s3'
import { S3Error } from '../errors/s3-error.ts'
import { checkCorsRules } from './cors-configuration.ts'

const minimal = { AllowedMethods: ['GET'], AllowedOrigins: ['*'] }

function refusal(...rules: Parameters<typeof checkCorsRules>[0]): [code: string, message: string] {
  try {
    checkCorsRules(rules)
  } catch (error) {
    assert.ok(error instanceof S3Error)
    return [error.code, error.message]
  }
  assert.fail('accepted')
}

const malformed = [
  'MalformedXML',
  'The XML you provided was not well-formed or did not validate against our published schema',
]

describe('CORS configurations', () => {
  it('are kept as they are, in order', () => {
    const full = {
      ID: 'first',
      AllowedMethods: ['HEAD', 'GET', 'POST', 'PUT', 'DELETE'],
      AllowedOrigins: ['http://*.a.example', ''],
      AllowedHeaders: ['X-Amz-*', '*'],
      ExposeHeaders: ['ETag'],
      MaxAgeSeconds: 0,
    }
    assert.deepEqual(checkCorsRules([full, minimal]), [
      {
        id: 'first',
        allowedMethods: full.AllowedMethods,
        allowedOrigins: full.AllowedOrigins,
        allowedHeaders: full.AllowedHeaders,
        exposeHeaders: full.ExposeHeaders,
        maxAgeSeconds: 0,
      },
      { id: '', allowedMethods: ['GET'], allowedOrigins: ['*'], allowedHeaders: [], exposeHeaders: [] },
    ])
  })

  it('have 1 to 100 rules', () => {
    assert.equal(checkCorsRules(Array.from({ length: 100 }, () => minimal)).length, 100)
    assert.deepEqual(refusal(...Array.from({ length: 101 }, () => minimal)), [
      'InvalidRequest',
      'The number of CORS rules should not exceed allowed limit of 100 rules.',
    ])
    assert.deepEqual(refusal(), malformed)
  })

  it('know five methods, in upper case', () => {
    for (const method of ['OPTIONS', 'PATCH', 'get', ' GET', '*', '']) {
      const message = `Found unsupported HTTP method in CORS config. Unsupported method is ${method}`
      const rule = { ...minimal, AllowedMethods: ['GET', method] }
      assert.deepEqual(refusal(minimal, rule), ['InvalidRequest', message])
    }
  })

  it('take one wildcard an origin or header, none in an exposed one, and only what can be a header', () => {
    const cases: readonly (readonly [parts: Partial<CORSRule>, message: string])[] = [
      [{ AllowedOrigins: ['a', '*://*'] }, 'AllowedOrigin "*://*" can not have more than one wildcard.'],
      [{ AllowedHeaders: ['**'] }, 'AllowedHeader "**" can not have more than one wildcard.'],
      [{ AllowedHeaders: ['x y'] }, 'AllowedHeader "x y" contains invalid character.'],
      [
        { ExposeHeaders: ['x-*'] },
        'ExposeHeader "x-*" contains wildcard. We currently do not support wildcard for ExposeHeader.',
      ],
      [{ ExposeHeaders: ['x\r\ny: z'] }, 'ExposeHeader "x\r\ny: z" contains invalid character.'],
      [{ ExposeHeaders: [''] }, 'ExposeHeader "" contains invalid character.'],
    ]
    for (const [{ AllowedOrigins = ['*'], AllowedHeaders = [], ExposeHeaders = [] }, message] of cases) {
      const rule = { ...minimal, AllowedOrigins, AllowedHeaders, ExposeHeaders }
      assert.deepEqual(refusal(rule), ['InvalidRequest', message])
    }
  })

  it('bound IDs and ages, and look at the shape of all rules before the values of any', () => {
    const bad = { ...minimal, AllowedMethods: ['PATCH'] }
    for (const parts of [{ ID: 'a'.repeat(256) }, { MaxAgeSeconds: -1 }, { MaxAgeSeconds: 2 ** 31 }]) {
      assert.deepEqual(refusal(bad, { ...minimal, ...parts }), malformed)
    }
    assert.equal(
      checkCorsRules([{ ...minimal, ID: 'a'.repeat(255), MaxAgeSeconds: 2 ** 31 - 1 }])[0]?.maxAgeSeconds,
      2 ** 31 - 1,
    )
  })
})
