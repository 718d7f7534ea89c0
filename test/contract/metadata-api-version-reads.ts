import assert from 'node:assert/strict'
import { versionIdOf } from '../../core/records/version-id.ts'
import { BucketVersioning } from '../../proto/gen/ashlar/v1/records_pb.js'
import type { Case } from './metadata-api.ts'
import { BUCKET, createBucket, put, setVersioning } from './metadata-requests.ts'

const { NEVER, ENABLED, SUSPENDED } = BucketVersioning

export const versionReadCases: readonly Case[] = [
  [
    'a read tells of the bucket whether it has versions, for an object from before them, too',
    async (api) => {
      await createBucket(api)
      const old = await put(api, 'k')
      const read = async (versionId: string) => {
        const { object, versioning } = await api.call('getObject', { bucket: BUCKET, key: 'k', versionId })
        return [object?.version, versioning]
      }
      for (const versioning of [NEVER, ENABLED, SUSPENDED]) {
        if (versioning !== NEVER) await setVersioning(api, versioning)
        assert.deepEqual(await read(''), [old.version, versioning])
        assert.deepEqual(await read('null'), [old.version, versioning])
      }
      await setVersioning(api, ENABLED)
      const newer = await put(api, 'k')
      for (const versionId of ['', versionIdOf(newer)]) {
        assert.deepEqual(await read(versionId), [newer.version, ENABLED])
      }
      assert.deepEqual(await read('null'), [old.version, ENABLED])
    },
  ],
]
