import type { Position } from '../../core/keyspace/partitions.ts'
import { compareUtf8 } from '../../core/keyspace/utf8.ts'
import type { MetadataOperation, MetadataRequestInit } from '../../proto/metadata-api.ts'

/** Who answers a request. */
export type Route =
  /** Whoever owns the cluster's own records: the coordinator. */
  | { readonly to: 'root' }
  /** The partition that holds the position. */
  | { readonly to: 'position'; readonly position: Position }
  /** The partition that holds the position, and then those after it, as far as the listing goes. */
  | { readonly to: 'listing'; readonly position: Position }
  /** The partitions that hold the positions, each for its own; see divide.ts. */
  | { readonly to: 'places'; readonly positions: readonly Position[] }
  /** The partition that the map lists the outbox with. */
  | { readonly to: 'outbox'; readonly outbox: number }
  /** Any process. */
  | { readonly to: 'anybody' }
  /** One certain process, which another metadata process has chosen: never routed. */
  | { readonly to: 'direct' }

interface Row<K extends MetadataOperation> {
  /** Whether it may be done twice: asked again, perhaps of another process, when no answer came. */
  readonly repeatable: boolean
  route(request: MetadataRequestInit<K>): Route
}

/** What names an object, as far as it is given. */
interface Named {
  readonly bucket?: string | undefined
  readonly key?: string | undefined
}

const ROOT: Route = { to: 'root' }
const ANYBODY: Route = { to: 'anybody' }
const DIRECT: Route = { to: 'direct' }

const rootRead = { repeatable: true, route: () => ROOT }
const rootWrite = { repeatable: false, route: () => ROOT }
const keyRead = { repeatable: true, route: byKey }
/** Done twice, it could come back after what another client has written meanwhile; who sent it asks what became of it. */
const keyWrite = { repeatable: false, route: byKey }

/** The one table of all operations: where each goes, and whether it may go twice. */
const OPERATIONS: { readonly [K in MetadataOperation]: Row<K> } = {
  createBucket: rootWrite,
  getBucket: rootRead,
  deleteBucket: rootWrite,
  listBuckets: rootRead,
  updateBucket: rootWrite,
  putBucketSetting: rootWrite,
  getBucketSetting: rootRead,
  deleteBucketSetting: rootWrite,

  getCluster: rootRead,
  heartbeat: rootRead,
  changeCluster: rootWrite,
  keepLease: rootRead,
  getRisk: rootRead,

  // Done twice, it counts twice; nothing of it is ever seen.
  admitWrite: { repeatable: true, route: byKey },
  commitObject: { repeatable: false, route: ({ object }) => byKey(object) },
  getObject: keyRead,
  deleteObject: keyWrite,
  updateObject: keyWrite,
  getManifest: keyRead,

  createUpload: { repeatable: false, route: ({ upload }) => byKey(upload) },
  getUpload: keyRead,
  commitPart: keyWrite,
  listParts: keyRead,
  completeUpload: keyWrite,
  abortUpload: keyWrite,

  putAnnotation: keyWrite,
  getAnnotation: keyRead,
  deleteAnnotation: keyWrite,
  listAnnotations: keyRead,

  listObjects: { repeatable: true, route: (request) => listing(request, request.after) },
  listVersions: { repeatable: true, route: (request) => listing(request, request.keyMarker) },
  listUploads: { repeatable: true, route: (request) => listing(request, request.keyMarker) },

  readOutbox: { repeatable: true, route: byOutbox },
  acknowledgeOutbox: { repeatable: true, route: byOutbox },

  resolveBlobs: { repeatable: true, route: ({ places = [] }) => byPlaces(places) },
  requestRepair: { repeatable: true, route: ({ tasks = [] }) => byPlaces(tasks) },
  replaceBlob: { repeatable: false, route: ({ place }) => byKey(place) },

  openBackup: rootRead,
  readBackup: rootRead,
  closeBackup: rootRead,
  acceptRestore: rootWrite,
  getBackupState: rootRead,

  getPartitions: { repeatable: true, route: () => ANYBODY },
  changePartitions: rootWrite,
  leaseBucket: rootRead,
  reportLoad: rootRead,
  revokeBucket: { repeatable: true, route: () => DIRECT },
  probeBucket: { repeatable: true, route: () => DIRECT },
  holdCommits: { repeatable: false, route: () => DIRECT },
  releaseCommits: { repeatable: false, route: () => DIRECT },
}

/** Where a request goes. Pure: clients and the service find the partition by the same table. */
export function locate<K extends MetadataOperation>(operation: K, request: MetadataRequestInit<K>): Route {
  const row: Row<K> = OPERATIONS[operation]
  return row.route(request)
}

/** Whether an operation may be done twice. */
export function isRepeatable(operation: MetadataOperation): boolean {
  return OPERATIONS[operation].repeatable
}

/** The position of what has a bucket and a key; the first of all for what lacks them, whose owner then refuses it. */
export function positionOf(named: Named | undefined): Position {
  return { bucket: named?.bucket ?? '', key: named?.key ?? '' }
}

function byKey(named: Named | undefined): Route {
  return { to: 'position', position: positionOf(named) }
}

function byPlaces(places: readonly Named[]): Route {
  return { to: 'places', positions: places.map(positionOf) }
}

/** 0 is the outbox of the first partition there was. */
function byOutbox({ outbox = 0n }: { readonly outbox?: bigint | undefined }): Route {
  return { to: 'outbox', outbox: outbox === 0n ? 1 : Number(outbox) }
}

/** Nothing is listed before the prefix, nor before the markers. */
function listing(
  {
    bucket = '',
    prefix = '',
    from = '',
  }: {
    readonly bucket?: string | undefined
    readonly prefix?: string | undefined
    readonly from?: string | undefined
  },
  marker = '',
): Route {
  return { to: 'listing', position: { bucket, key: later(later(prefix, from), marker) } }
}

function later(left: string, right: string): string {
  return compareUtf8(left, right) < 0 ? right : left
}
