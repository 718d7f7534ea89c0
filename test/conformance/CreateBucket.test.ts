import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { CreateBucketCommand, GetBucketLocationCommand, HeadBucketCommand } from '@aws-sdk/client-s3'
import { s3Error, startConformance } from './harness.ts'

const classic = await startConformance()
const ireland = await startConformance('eu-west-1')

const document = (content: string): string =>
  `<CreateBucketConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${content}</CreateBucketConfiguration>`

test('a bucket is there once it was made, and says where', async () => {
  const { client } = classic
  const { Location } = await client.send(new CreateBucketCommand({ Bucket: 'made' }))
  assert.equal(Location, '/made')
  await client.send(new HeadBucketCommand({ Bucket: 'made' }))
})

test('names that break the rules are InvalidBucketName', async () => {
  const names = ['ab', 'UPPER', 'a..b', '-a-b', 'a-b-', '192.168.5.4', 'xn--abc', 'abc-s3alias', 'a_b_c']
  for (const name of [...names, 'a'.repeat(64)]) {
    const { status, code, body } = await classic.raw({ method: 'PUT', target: `/${name}` })
    assert.deepEqual([status, code], [400, 'InvalidBucketName'], name)
    assert.match(body, new RegExp(`<BucketName>${name}</BucketName>`))
  }
})

test('making one again that one owns: 200 in us-east-1, elsewhere BucketAlreadyOwnedByYou', async () => {
  const again = { Bucket: 'made-twice' }
  await classic.client.send(new CreateBucketCommand(again))
  assert.equal((await classic.client.send(new CreateBucketCommand(again))).Location, '/made-twice')

  const CreateBucketConfiguration = { LocationConstraint: 'eu-west-1' } as const
  const command = (): CreateBucketCommand => new CreateBucketCommand({ ...again, CreateBucketConfiguration })
  await ireland.client.send(command())
  await assert.rejects(ireland.client.send(command()), s3Error('BucketAlreadyOwnedByYou', 409))
})

test('a name that another account has is BucketAlreadyExists', async () => {
  const bucket = { name: 'of-another', owner: 'somebody else', region: '' }
  await classic.metadata.call('createBucket', { bucket })
  const command = new CreateBucketCommand({ Bucket: 'of-another' })
  await assert.rejects(classic.client.send(command), s3Error('BucketAlreadyExists', 409))
})

describe('location constraints', () => {
  test('the Region of the endpoint is kept, EU for Ireland as well', async () => {
    for (const LocationConstraint of ['eu-west-1', 'EU'] as const) {
      const Bucket = `in-${LocationConstraint.toLowerCase()}`
      const CreateBucketConfiguration = { LocationConstraint }
      await ireland.client.send(new CreateBucketCommand({ Bucket, CreateBucketConfiguration }))
      const location = await ireland.client.send(new GetBucketLocationCommand({ Bucket }))
      assert.equal(location.LocationConstraint, LocationConstraint)
    }
  })

  test('an empty configuration is none', async () => {
    const answer = await classic.raw({ method: 'PUT', target: '/without', body: document('') })
    assert.equal(answer.status, 200)
    const empty = document('<LocationConstraint></LocationConstraint>')
    assert.equal((await classic.raw({ method: 'PUT', target: '/without-2', body: empty })).status, 200)
  })

  const refused = [
    ['none outside us-east-1', ireland, undefined, 'IllegalLocationConstraintException'],
    ['another Region', ireland, 'eu-central-1', 'IllegalLocationConstraintException'],
    ['another Region in us-east-1', classic, 'eu-west-1', 'IllegalLocationConstraintException'],
    ['one that does not exist', ireland, 'moon-east-1', 'InvalidLocationConstraint'],
    ['us-east-1, which is none', classic, 'us-east-1', 'InvalidLocationConstraint'],
  ] as const
  for (const [what, { raw }, constraint, wanted] of refused) {
    test(`refused: ${what}`, async () => {
      const body =
        constraint === undefined ? '' : document(`<LocationConstraint>${constraint}</LocationConstraint>`)
      const { status, code } = await raw({ method: 'PUT', target: '/nowhere', body })
      assert.deepEqual([status, code], [400, wanted])
    })
  }
})

describe('what is not built is refused by name', () => {
  const unbuilt: readonly (readonly [string, string])[] = [
    ['x-amz-acl', 'public-read'],
    ['x-amz-grant-read', 'id=abc'],
    ['x-amz-bucket-object-lock-enabled', 'true'],
    ['x-amz-object-ownership', 'ObjectWriter'],
  ]
  for (const [name, value] of unbuilt) {
    test(`${name}: ${value}`, async () => {
      const answer = await classic.raw({ method: 'PUT', target: '/unbuilt', headers: { [name]: value } })
      assert.deepEqual([answer.status, answer.code], [501, 'NotImplemented'])
      assert.match(answer.body, new RegExp(`<Header>${name}</Header>`))
    })
  }

  for (const element of [
    '<Tags><Tag><Key>a</Key><Value>b</Value></Tag></Tags>',
    '<Location><Name>use1-az4</Name><Type>AvailabilityZone</Type></Location>',
  ]) {
    test(element, async () => {
      const answer = await classic.raw({ method: 'PUT', target: '/unbuilt', body: document(element) })
      assert.deepEqual([answer.status, answer.code], [501, 'NotImplemented'])
    })
  }

  test('what happens anyway may be asked for', async () => {
    const headers = { 'x-amz-acl': 'private', 'x-amz-object-ownership': 'BucketOwnerEnforced' }
    assert.equal((await classic.raw({ method: 'PUT', target: '/as-ever', headers })).status, 200)
  })
})

test('malformed documents are MalformedXML', async () => {
  for (const body of ['<CreateBucketConfiguration>', '<Other/>', 'text']) {
    const { status, code } = await classic.raw({ method: 'PUT', target: '/malformed', body })
    assert.deepEqual([status, code], [400, 'MalformedXML'], body)
  }
})

test('anonymous requests are AccessDenied', async () => {
  const { status, code } = await classic.raw({ method: 'PUT', target: '/anonymous', signed: false })
  assert.deepEqual([status, code], [403, 'AccessDenied'])
})
