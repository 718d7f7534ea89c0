import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  CreateBucketCommand,
  DeleteBucketCommand,
  GetBucketLocationCommand,
  GetBucketOwnershipControlsCommand,
  GetBucketTaggingCommand,
  HeadBucketCommand,
  type Tag,
} from '@aws-sdk/client-s3'
import { s3Error, startConformance } from './harness.ts'

const classic = await startConformance()
const ireland = await startConformance('eu-west-1')
const limited = await startConformance('us-east-1', { bucketDefaults: { limitPerOwner: 2 } })

const document = (content: string): string =>
  `<CreateBucketConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${content}</CreateBucketConfiguration>`

test('a bucket is there once it was made, and says where', async () => {
  const { client } = classic
  const { Location, BucketArn } = await client.send(new CreateBucketCommand({ Bucket: 'made' }))
  assert.deepEqual([Location, BucketArn], ['/made', 'arn:aws:s3:::made'])
  await client.send(new HeadBucketCommand({ Bucket: 'made' }))
})

test('names that break the rules are InvalidBucketName', async () => {
  const names = [
    'ab',
    'UPPER',
    'a..b',
    '-a-b',
    'a-b-',
    '192.168.5.4',
    'xn--abc',
    'abc-s3alias',
    'abc-an',
    'a_b_c',
  ]
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
    ['one that does not exist', ireland, 'moon-east-1', 'IllegalLocationConstraintException'],
    ['one that does not exist in us-east-1', classic, 'moon-east-1', 'InvalidLocationConstraint'],
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
    ['x-amz-bucket-object-lock-enabled', 'true'],
    ['x-amz-bucket-namespace', 'account-regional'],
  ]
  for (const [name, value] of unbuilt) {
    test(`${name}: ${value}`, async () => {
      const answer = await classic.raw({ method: 'PUT', target: '/unbuilt', headers: { [name]: value } })
      assert.deepEqual([answer.status, answer.code], [501, 'NotImplemented'])
      assert.match(answer.body, new RegExp(`<Header>${name}</Header>`))
    })
  }

  for (const element of [
    '<Bucket><Type>Directory</Type><DataRedundancy>SingleAvailabilityZone</DataRedundancy></Bucket>',
    '<Location><Name>use1-az4</Name><Type>AvailabilityZone</Type></Location>',
  ]) {
    test(element, async () => {
      const answer = await classic.raw({ method: 'PUT', target: '/unbuilt', body: document(element) })
      assert.deepEqual([answer.status, answer.code], [501, 'NotImplemented'])
    })
  }

  test('what happens anyway may be asked for', async () => {
    const headers = { 'x-amz-bucket-namespace': 'global', 'x-amz-bucket-object-lock-enabled': 'false' }
    assert.equal((await classic.raw({ method: 'PUT', target: '/as-ever', headers })).status, 200)
  })
})

describe('tags', () => {
  const create = (Bucket: string, Tags: Tag[]) =>
    classic.client.send(new CreateBucketCommand({ Bucket, CreateBucketConfiguration: { Tags } }))
  const tagsOf = async (Bucket: string) =>
    (await classic.client.send(new GetBucketTaggingCommand({ Bucket }))).TagSet

  test('a bucket has them from its first moment', async () => {
    await create('tagged', [{ Key: 'a', Value: 'b' }])
    assert.deepEqual(await tagsOf('tagged'), [{ Key: 'a', Value: 'b' }])
    await create('not-tagged', [])
    await assert.rejects(tagsOf('not-tagged'), s3Error('NoSuchTagSet', 404))
  })

  test('with them, making a bucket again is an error in us-east-1 as well; without, it leaves them', async () => {
    const tags = [{ Key: 'a', Value: 'b' }]
    await create('tagged-twice', tags)
    await assert.rejects(create('tagged-twice', tags), s3Error('BucketAlreadyOwnedByYou', 409))
    await create('tagged-twice', [])
    assert.deepEqual(await tagsOf('tagged-twice'), tags)
  })

  test('sets that no bucket may have make none', async () => {
    const system =
      'User-defined tag keys can\'t start with "aws:". This prefix is reserved for system tags. Remove "aws:" from your tag keys and try again.'
    await assert.rejects(
      create('badly-tagged', [{ Key: 'aws:a', Value: 'b' }]),
      s3Error('InvalidTag', 400, system),
    )
    const many = Array.from({ length: 51 }, (_, i) => ({ Key: String(i), Value: '' }))
    await assert.rejects(create('badly-tagged', many), s3Error('BadRequest', 400))
    const head = new HeadBucketCommand({ Bucket: 'badly-tagged' })
    await assert.rejects(classic.client.send(head), s3Error('NotFound', 404))
  })
})

describe('object ownership', () => {
  test('is that of the request', async () => {
    for (const ObjectOwnership of ['BucketOwnerEnforced', 'BucketOwnerPreferred', 'ObjectWriter'] as const) {
      const Bucket = `made-${ObjectOwnership.toLowerCase()}`
      await classic.client.send(new CreateBucketCommand({ Bucket, ObjectOwnership }))
      const answer = await classic.client.send(new GetBucketOwnershipControlsCommand({ Bucket }))
      assert.deepEqual(answer.OwnershipControls?.Rules, [{ ObjectOwnership }])
    }
  })

  test('other values are InvalidArgument', async () => {
    for (const value of ['RandomValue', '']) {
      const headers = { 'x-amz-object-ownership': value }
      const answer = await classic.raw({ method: 'PUT', target: '/no-ownership', headers })
      assert.deepEqual([answer.status, answer.code], [400, 'InvalidArgument'], value)
      assert.match(
        answer.body,
        new RegExp(`<Message>Invalid x-amz-object-ownership header: ${value}</Message>`),
      )
      assert.match(answer.body, /<ArgumentName>x-amz-object-ownership<\/ArgumentName>/)
    }
  })
})

test('an account has as many buckets as its operator allows', async () => {
  const { client } = limited
  for (const Bucket of ['one', 'two']) await client.send(new CreateBucketCommand({ Bucket }))
  const third = new CreateBucketCommand({ Bucket: 'three' })
  const message = 'You have attempted to create more buckets than allowed'
  await assert.rejects(client.send(third), s3Error('TooManyBuckets', 400, message))
  await client.send(new DeleteBucketCommand({ Bucket: 'one' }))
  await client.send(new CreateBucketCommand({ Bucket: 'three' }))
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
