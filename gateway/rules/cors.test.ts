import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { corsHeaders, findCorsRule, splitHeaderNames, type CorsPolicyRule } from './cors.ts'

const rule = (parts: Partial<CorsPolicyRule>): CorsPolicyRule => ({
  allowedOrigins: ['*'],
  allowedMethods: ['GET'],
  allowedHeaders: [],
  exposeHeaders: [],
  ...parts,
})

const allows = (parts: Partial<CorsPolicyRule>, origin: string, headers: readonly string[] = []): boolean =>
  findCorsRule([rule(parts)], { origin, method: 'GET', headers }) !== undefined

describe('the rule that allows a cross-origin request', () => {
  it('has the origin, with whatever in the place of its wildcard', () => {
    const cases: readonly (readonly [pattern: string, origin: string, expected: boolean])[] = [
      ['*', 'http://a.example', true],
      ['*', '', true],
      ['http://a.example', 'http://a.example', true],
      ['http://a.example', 'http://A.example', false],
      ['http://a.example', 'http://a.example:80', false],
      ['https://*.a.example', 'https://b.a.example', true],
      ['https://*.a.example', 'https://b.c.a.example', true],
      ['https://*.a.example', 'https://.a.example', true],
      ['https://*.a.example', 'https://a.example', false],
      ['start*end', 'startend', true],
      ['start*end', 'starend', false],
      ['ab*ba', 'aba', false],
      ['prefix*', 'prefix', true],
      ['*suffix', 'a.suffix.b', false],
      ['http://a.e', 'http://aXe', false],
      ['', '', true],
      ['', 'null', false],
    ]
    for (const [pattern, origin, expected] of cases) {
      assert.equal(allows({ allowedOrigins: [pattern] }, origin), expected, `${pattern} ${origin}`)
    }
  })

  it('has the method, as it is written', () => {
    for (const method of ['PUT', 'get', 'OPTIONS']) {
      assert.equal(findCorsRule([rule({})], { origin: 'o', method, headers: [] }), undefined, method)
    }
  })

  it('is found in a time that grows with the request and the rules, not with their product', () => {
    const names = (count: number): string[] => Array.from({ length: count }, (_, i) => `x-${i}`)
    const lookups = (count: number): number => {
      let looked = 0
      const allowedHeaders = new Proxy(names(count), {
        get(target, property, receiver): unknown {
          if (typeof property === 'string' && /^\d+$/.test(property)) looked++
          return Reflect.get(target, property, receiver)
        },
      })
      assert.equal(allows({ allowedHeaders }, 'o', names(count).toReversed()), true)
      return looked
    }
    assert.ok(lookups(1000) < 20 * lookups(100))
  })

  it('has every header, in any case', () => {
    const allowedHeaders = ['X-Amz-*', 'content-type']
    assert.equal(allows({ allowedHeaders }, 'o', ['x-amz-date', 'Content-Type']), true)
    assert.equal(allows({ allowedHeaders }, 'o', ['x-amz']), false)
    assert.equal(allows({ allowedHeaders }, 'o', ['x-amz-date', 'authorization']), false)
    assert.equal(allows({}, 'o', ['x-amz-date']), false)
    assert.equal(allows({ allowedHeaders: ['*'] }, 'o', ['x-amz-date', 'y']), true)
  })

  it('is the first that fits, origin, method and headers of one rule together', () => {
    const rules = [
      rule({ allowedOrigins: ['a'], allowedMethods: ['PUT'] }),
      rule({ allowedOrigins: ['b'], allowedMethods: ['GET'] }),
      rule({ allowedOrigins: ['*'], allowedMethods: ['GET'] }),
    ]
    assert.equal(findCorsRule(rules, { origin: 'a', method: 'GET', headers: [] }), rules[2])
    assert.equal(findCorsRule(rules, { origin: 'b', method: 'GET', headers: [] }), rules[1])
    assert.equal(findCorsRule(rules, { origin: 'b', method: 'PUT', headers: [] }), undefined)
  })
})

describe('properties of the matching', () => {
  const part = fc.stringMatching(/^[a-z.:/-]{0,8}$/)

  it('a pattern allows exactly what its head and tail enclose', () => {
    fc.assert(
      fc.property(part, part, part, part, (head, tail, middle, other) => {
        const pattern = `${head}*${tail}`
        assert.equal(allows({ allowedOrigins: [pattern] }, head + middle + tail), true)
        // The oracle: a regular expression in which all but the star is literal.
        const literal = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\/-]/g, String.raw`\$&`)
        const oracle = new RegExp(`^${literal(head)}.*${literal(tail)}$`, 's')
        assert.equal(allows({ allowedOrigins: [pattern] }, other), oracle.test(other))
      }),
    )
  })

  it('more rules behind never take a permission away, nor change which rule gives it', () => {
    const rules = fc.array(
      fc.record({
        allowedOrigins: fc.array(fc.constantFrom('*', 'a', 'b', 'a*'), { minLength: 1, maxLength: 2 }),
        allowedMethods: fc.array(fc.constantFrom('GET', 'PUT'), { minLength: 1, maxLength: 2 }),
        allowedHeaders: fc.array(fc.constantFrom('*', 'x', 'x-*'), { maxLength: 2 }),
        exposeHeaders: fc.constant<string[]>([]),
      }),
      { maxLength: 4 },
    )
    const request = fc.record({
      origin: fc.constantFrom('a', 'b', 'ab', 'c'),
      method: fc.constantFrom('GET', 'PUT', 'DELETE'),
      headers: fc.array(fc.constantFrom('X', 'x-y', 'z'), { maxLength: 2 }),
    })
    fc.assert(
      fc.property(rules, rules, request, (first, second, asked) => {
        const found = findCorsRule(first, asked)
        assert.equal(findCorsRule([...first, ...second], asked), found ?? findCorsRule(second, asked))
        // Asking for less is never refused where more is allowed.
        if (found) assert.ok(findCorsRule(first, { ...asked, headers: asked.headers.slice(1) }))
      }),
    )
  })
})

describe('the headers of the answer', () => {
  it('are those of the rule, and the headers that were asked for', () => {
    const full = rule({
      allowedOrigins: ['http://a.example'],
      allowedMethods: ['GET', 'PUT'],
      allowedHeaders: ['*'],
      exposeHeaders: ['ETag', 'x-amz-id-2'],
      maxAgeSeconds: 0,
    })
    const headers = corsHeaders(full, { origin: 'http://a.example', method: 'PUT', headers: ['X-A', 'x-b'] })
    assert.deepEqual(Object.fromEntries(headers), {
      'access-control-allow-origin': 'http://a.example',
      'access-control-allow-methods': 'GET, PUT',
      'access-control-allow-headers': 'x-a, x-b',
      'access-control-expose-headers': 'ETag, x-amz-id-2',
      'access-control-max-age': '0',
      'access-control-allow-credentials': 'true',
      vary: 'Origin, Access-Control-Request-Headers, Access-Control-Request-Method',
    })
  })

  it('give no credentials to just any origin', () => {
    const headers = corsHeaders(rule({ allowedOrigins: ['http://a', '*'] }), {
      origin: 'http://a',
      method: 'GET',
      headers: [],
    })
    assert.deepEqual(Object.fromEntries(headers), {
      'access-control-allow-origin': '*',
      'access-control-allow-methods': 'GET',
      vary: 'Origin, Access-Control-Request-Headers, Access-Control-Request-Method',
    })
  })
})

it('Access-Control-Request-Headers is split at commas', () => {
  assert.deepEqual(splitHeaderNames(' X-A ,x-b,, '), ['X-A', 'x-b'])
  assert.deepEqual(splitHeaderNames(undefined), [])
})
