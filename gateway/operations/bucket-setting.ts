import type { BucketRecord, BucketSetting } from '../../proto/gen/ashlar/v1/records_pb.js'
import type { MetadataApi } from '../../proto/metadata-api.ts'

type AnySetting = Extract<BucketSetting['setting'], { readonly value: unknown }>

/** The documents that a bucket may have, by their fields in `BucketSetting`. */
type SettingValues = { -readonly [Setting in AnySetting as Setting['case']]?: Setting['value'] }

/**
 * A bucket and its document of one kind.
 * @returns `value` undefined when the bucket has none
 * @throws {MetadataError} NO_SUCH_BUCKET
 */
export async function readBucketSetting<Kind extends keyof SettingValues>(
  metadata: MetadataApi,
  name: string,
  kind: Kind,
  signal: AbortSignal,
): Promise<{ readonly bucket: BucketRecord; readonly value: SettingValues[Kind] }> {
  const { bucket, settings } = await metadata.call('getBucketSetting', { name, kinds: [kind] }, signal)
  if (bucket === undefined) throw new Error('metadata answered without the bucket')
  return { bucket, value: byKind(settings)[kind] }
}

function byKind(settings: readonly BucketSetting[]): SettingValues {
  const values: SettingValues = {}
  for (const { setting } of settings) {
    switch (setting.case) {
      case 'tagging':
        values.tagging = setting.value
        break
      case 'cors':
        values.cors = setting.value
        break
      case 'acl':
        values.acl = setting.value
        break
      case undefined:
        throw new Error('metadata answered with a setting of no kind known here')
    }
  }
  return values
}
