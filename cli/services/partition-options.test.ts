import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ConfigError, resolveConfig } from '../../runtime/config/layers.ts'
import { metadataConfig } from '../../runtime/config/services.ts'
import { partitionOptions, type PartitionOptions } from './partition-options.ts'

function optionsOf(
  flags: Readonly<Record<string, string>>,
  environment: Readonly<Record<string, string>> = {},
): PartitionOptions {
  const required = { secretFile: 's', clusterId: '0'.repeat(32), nodes: '{"z":["n"]}' }
  const layers = { flags: { ...required, ...flags }, environment, workingDirectory: '/srv' }
  return partitionOptions(resolveConfig(metadataConfig, layers))
}

const triggersOf = ({ partitions: { writesPerSecond, readsPerSecond } }: PartitionOptions) => [
  writesPerSecond,
  readsPerSecond,
]

test('without the emulation partitions are held to nothing, and split from what S3 documents', () => {
  for (const options of [optionsOf({}), optionsOf({ emulateS3Limits: 'false' })]) {
    assert.ok(!('heldTo' in options))
    assert.deepEqual(triggersOf(options), [3500, 5500])
  }
})

test('without a scale, and with 1, the figures are those of S3 exactly', () => {
  for (const text of ['true', '1']) {
    const options = optionsOf({ emulateS3Limits: text })
    assert.deepEqual(options.heldTo, { write: 3500, read: 5500 })
    assert.deepEqual(triggersOf(options), [3500, 5500])
  }
})

test('a scale takes the triggers of splits along, unless they are given', () => {
  const tenth = optionsOf({}, { ASHLAR_EMULATE_S3_LIMITS: '0.1' })
  assert.deepEqual(tenth.heldTo, { write: 350, read: 550 })
  assert.deepEqual(triggersOf(tenth), [350, 550])
  const given = optionsOf({ emulateS3Limits: '0.1', splitWritesPerSecond: '500' })
  assert.deepEqual(given.heldTo, { write: 350, read: 550 })
  assert.deepEqual(triggersOf(given), [500, 550])
})

test('what is no scale is refused, with what would be one', () => {
  for (const text of ['0', '0.0009', '1.1', '-0.5', 'tenth', '"0.1"', '']) {
    assert.throws(
      () => optionsOf({ emulateS3Limits: text }),
      (error) =>
        error instanceof ConfigError &&
        /^emulateS3Limits: expected true, false or a scale from 0\.001 to 1 \(from --emulate-s3-limits\)$/.test(
          error.message,
        ),
      text,
    )
  }
})
