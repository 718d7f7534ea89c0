import type { FaultKind } from '../../metadata/structure/kinds.ts'
import type { Disagreement, Finding } from '../../workers/fsck/finding.ts'

/** What `ashlar fsck` finds: metadata against shards, and records of metadata against each other. */
export type FsckKind = Disagreement | FaultKind

export type FsckFinding = Omit<Finding, 'kind' | 'place'> & {
  readonly kind: FsckKind
  readonly place?: NonNullable<Finding['place']> & {
    /** Its number, of what is a partition's. */
    readonly partition?: number
  }
}

interface KindRow {
  /** In the plural, after their number. */
  readonly title: string
  /** What to do about them. */
  readonly advice: string
}

const REPAIRED = 'wait for repair; `ashlar status` shows how far it is'
const GOES = 'nothing: they go by themselves within a day, after a restore once it is accepted'
const UNEXPECTED = 'nothing should make them: keep a backup of metadata, and report it'
const COMPARE =
  'restore a backup of metadata beside the cluster, compare, and write the object again by what is right'

/** In the order in which they are shown: the worst first. */
export const KIND_ROWS = {
  unreadable: {
    title: 'blobs that cannot be read',
    advice: 'bring back the nodes that are away; else restore the objects from elsewhere',
  },
  'live-garbage': {
    title: 'records of which the blob waits to be removed',
    advice:
      'stop the workers before the grace is over, read the objects and write them again, then start them',
  },
  manifest: { title: 'manifests that are missing, too many, or do not add up', advice: COMPARE },
  digest: {
    title: 'objects whose bytes are not what was put',
    advice: 'restore the objects from elsewhere',
  },
  'partition-map': {
    title: 'faults of the partition map',
    advice: 'stop metadata, and restore the newest backup that `ashlar metadata verify` finds sound',
  },
  sequence: {
    title: 'numbers that may be given a second time',
    advice: 'stop metadata, and restore the newest backup that `ashlar metadata verify` finds sound',
  },
  'no-pool': {
    title: 'blobs of a placement group that no pool has',
    advice: 'the cluster map is older than the record: see whether another engine has a newer one',
  },
  'other-group': {
    title: 'blobs that lie in another placement group than their record says',
    advice: UNEXPECTED,
  },
  'other-owner': { title: 'blobs with shards that say another owner', advice: UNEXPECTED },
  'other-size': { title: 'blobs with shards that say another size', advice: UNEXPECTED },
  'other-code': { title: 'blobs with shards that say another code', advice: UNEXPECTED },
  degraded: { title: 'blobs that lack shards and can be read', advice: REPAIRED },
  corrupt: { title: 'blobs with shards that cannot be read where they lie', advice: REPAIRED },
  damaged: { title: 'blobs with shards that are known to be damaged', advice: REPAIRED },
  misplaced: {
    title: 'blobs with shards where nobody looks for them',
    advice: 'nothing: the next pass of the workers brings them home',
  },
  orphan: { title: 'blobs that no record names', advice: GOES },
  unsaid: {
    title: 'blobs of which the records cannot be read',
    advice: 'mend those records first: they are named by the other kinds',
  },
  unowned: {
    title: 'blobs of which nobody can say whose they are',
    advice: 'nothing: their records on disk are damaged, and no object is known to need them',
  },
  duplicate: { title: 'blobs with shards in a second place', advice: GOES },
  surplus: { title: 'blobs with shards that they do not have', advice: GOES },
  record: {
    title: 'records that cannot be read, contradict themselves or lie in a wrong place',
    advice: COMPARE,
  },
  versions: { title: 'keys whose versions are out of order', advice: COMPARE },
  'null-version': {
    title: 'keys whose null version cannot be found, is not there, or is there twice',
    advice: COMPARE,
  },
  annotations: {
    title: 'versions with another number of annotations than they say',
    advice: 'write the object and its annotations again; those left over take space, and harm nothing',
  },
  'owner-index': {
    title: 'buckets that are not among those of their owner, or of somebody else too',
    advice:
      'empty and delete the bucket, and create it as its owner again; one that is not there: create it as that owner, and delete it',
  },
  'no-bucket': {
    title: 'records of buckets that are not there',
    advice: 'create the bucket again to see what is in it, then empty and delete it',
  },
  upload: {
    title: 'uploads whose parts are left over, or about to be removed',
    advice: 'begin the upload again; parts that are left over take space, and harm nothing',
  },
  purge: {
    title: 'markers by which the wrong things are removed, or nothing',
    advice: 'annotations: write them again; uploads of a bucket that is gone take space, and harm nothing',
  },
  outbox: {
    title: 'tasks that no worker gets',
    advice: 'nothing is lost: their blobs become orphans, and their repairs are found by the weekly passes',
  },
  'stray-record': {
    title: 'records on an engine on which no partition has them',
    advice: 'nothing reads them; move the partition there and back, which removes them',
  },
} as const satisfies Readonly<Record<FsckKind, KindRow>>

export const KINDS = Object.keys(KIND_ROWS).filter((kind): kind is FsckKind => kind in KIND_ROWS)
