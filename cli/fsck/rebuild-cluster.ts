/** Metadata rebuilt from the shards of nodes that can be reached, into an engine. */

import { create } from '@bufbuild/protobuf'
import { PART_BYTES_MIN } from '../../core/limits.ts'
import { poolOfGroup } from '../../core/placement/group.ts'
import type { PlacementNode } from '../../core/placement/rendezvous.ts'
import type { PoolPlan } from '../../metadata/main.ts'
import type { Engine } from '../../metadata/engine/engine.ts'
import { inferMap } from '../../metadata/rebuild/infer-map.ts'
import {
  MetadataRebuild,
  type RebuildCounts,
  type RebuildNote,
  type RebuildOptions,
} from '../../metadata/rebuild/rebuild.ts'
import type { ClusterMap } from '../../proto/gen/ashlar/v1/cluster_pb.js'
import { FailureCode, ReplySchema } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import type { MetadataApi } from '../../proto/metadata-api.ts'
import type { ShardTransport } from '../../proto/shard-transport.ts'
import { inProcessMetadata } from '../../runtime/metadata-client/in-process.ts'
import { silentLog } from '../../runtime/log/pino-log.ts'
import type { Clock } from '../../runtime/ports/clock.ts'
import type { Random } from '../../runtime/ports/random.ts'
import { createStore } from '../../store/store.ts'
import type { Blind } from '../../workers/fsck/context.ts'
import { gatherBlobs, type GatheredBlob } from '../../workers/fsck/gather.ts'
import { surveyNodes } from '../../workers/fsck/survey.ts'

export interface RebuildRequest {
  readonly clusterId: string
  readonly nodes: readonly PlacementNode[]
  /** Pools as the cluster was made with; what shards say goes before. */
  readonly pools: readonly PoolPlan[]
  /** Canonical id of an account. */
  readonly owner: string
  readonly unversioned: (bucket: string) => boolean
  readonly digests: boolean
  /** PART_BYTES_MIN by default. */
  readonly partBytesMin?: bigint
  readonly signal: AbortSignal
  readonly onNote: (note: RebuildNote) => void
  readonly onProgress: (line: () => string) => void
}

export interface RebuildWorld {
  readonly engine: Engine
  readonly shards: ShardTransport
  readonly clock: Clock
  readonly random: Random
}

export interface RebuildResult {
  readonly counts: Readonly<RebuildCounts>
  readonly map: ClusterMap
  readonly shards: number
  /** Blobs of which no shard says whose they are. */
  readonly unowned: number
  readonly blind: readonly Blind[]
}

/**
 * @throws {EngineNotEmptyError}
 * @throws {ClusterPlanError}, {CodeNameError}
 */
export async function rebuildCluster(world: RebuildWorld, request: RebuildRequest): Promise<RebuildResult> {
  const { engine, shards, clock, random } = world
  const { clusterId, nodes, pools, signal, onProgress } = request
  const rebuild = await MetadataRebuild.begin(engine, { clock, random })
  const survey = await surveyNodes(
    world,
    nodes.map(({ id }) => id),
    signal,
  )
  // Milliseconds: ahead of any epoch of a map that was changed once a second since 1970.
  const map = inferMap(clusterId, { nodes, pools }, survey.groups, BigInt(clock.nowMs()))
  const metadata = metadataOf(map, survey.silent)
  const gathered = await gatherBlobs(
    { metadata, shards, clock, log: silentLog },
    signal,
    (blobs) => rebuild.add(blobs.map(foundOf)),
    (done, of, blobs) => {
      onProgress(() => `rebuild: ${done} of ${of} placement groups, ${blobs} blobs`)
    },
  )
  const store = createStore({
    metadata,
    shards,
    clock,
    random,
    log: silentLog,
    settings: { computeWorkers: 0 },
  })
  try {
    const counts = await rebuild.finish(optionsOf(map, request, store))
    const blind = [...survey.silent].map(([node, why]) => ({ what: `node ${node}`, why }))
    return { counts, map, ...gathered, blind: [...blind, ...gathered.blind] }
  } finally {
    await store.close()
  }
}

function optionsOf(
  map: ClusterMap,
  request: RebuildRequest,
  store: ReturnType<typeof createStore>,
): RebuildOptions {
  const {
    owner,
    unversioned,
    digests,
    partBytesMin = BigInt(PART_BYTES_MIN),
    signal,
    onNote,
    onProgress,
  } = request
  const classes = new Map(map.pools.map(({ id, storageClass }) => [id, storageClass]))
  const read: RebuildOptions['read'] = ({ position, record }) => {
    const { bucket, key, version, part, annotation } = position
    const content = {
      bucket,
      key,
      version,
      size: record.size,
      blob: record,
      ...(part === 0 ? {} : { part }),
      ...(annotation === '' ? {} : { annotation }),
    }
    return store.readContent(content, { start: 0, end: Number(record.size) }, signal)
  }
  return {
    map,
    owner,
    unversioned,
    partBytesMin,
    storageClassOf: (group) => classes.get(poolOfGroup(group)) ?? 'STANDARD',
    ...(digests ? { read } : {}),
    onNote,
    onProgress: ({ objects }) => {
      onProgress(() => `rebuild: ${objects} objects made`)
    },
  }
}

function foundOf({ place, group, code, size, relocations, readable }: GatheredBlob) {
  const { bucket, key, version, part, annotation, blob } = place
  const moved = relocations.map((relocation) => ({ ...relocation }))
  return {
    position: { bucket, key, version, part, annotation, blob },
    record: { id: blob, size: BigInt(size), code, group, relocations: moved },
    readable,
  }
}

/** Stands for the metadata that is gone, to those who only read shards: it knows where they are. */
function metadataOf(map: ClusterMap, silent: ReadonlyMap<string, string>): MetadataApi {
  const nodes = map.nodes.map(({ id }) => ({ node: id, up: !silent.has(id) }))
  return inProcessMetadata({
    handle({ operation }) {
      if (operation.case === 'getCluster') {
        return Promise.resolve(create(ReplySchema, { result: { case: 'getCluster', value: { map, nodes } } }))
      }
      const failure = { code: FailureCode.UNAVAILABLE, message: 'there is no metadata yet' }
      return Promise.resolve(create(ReplySchema, { result: { case: 'failure', value: failure } }))
    },
  })
}
