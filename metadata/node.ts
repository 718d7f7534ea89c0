import { create } from '@bufbuild/protobuf'
import { ROOT_RANGE } from '../core/keyspace/partitions.ts'
import { NODE_GRACE_SECONDS_DEFAULT } from '../core/limits.ts'
import { ChangePartitionsRequestSchema } from '../proto/gen/ashlar/v1/metadata_pb.js'
import type { MappedPartition } from '../runtime/metadata-client/partition-table.ts'
import { changePartitions } from './answer/change-partitions.ts'
import { Failover } from './balance/failover.ts'
import { Loads } from './balance/loads.ts'
import { PartitionController } from './balance/partition-controller.ts'
import { OwnState } from './balance/own-state.ts'
import { Reporter } from './balance/reporter.ts'
import { RestoreBrake } from './backup/brake.ts'
import { Moments } from './backup/moments.ts'
import { OpenBackups } from './backup/open-backups.ts'
import { BucketCopies } from './buckets/copies.ts'
import { BucketGrants } from './buckets/grants.ts'
import { OwnBuckets } from './buckets/own-buckets.ts'
import { ProcessBuckets } from './buckets/process-buckets.ts'
import { assertBegun, assertCluster } from './cluster/assert-cluster.ts'
import { Cluster } from './cluster/cluster.ts'
import { Controller } from './cluster/controller.ts'
import { openFormat } from './cluster/format.ts'
import { RiskLedger } from './cluster/risk-ledger.ts'
import { openEngineId } from './coordination/engine-id.ts'
import { Members } from './coordination/members.ts'
import { OwnMember } from './coordination/own-member.ts'
import { PartitionMaps } from './coordination/partition-maps.ts'
import type { Engine } from './engine/engine.ts'
import { LocalContents, RootContents } from './host/bucket-contents.ts'
import { CommitHolds } from './host/commit-holds.ts'
import { PartitionChanges } from './host/changes.ts'
import { loadOf } from './host/load-of.ts'
import { giveAway } from './host/leave.ts'
import { Leftovers } from './host/leftovers.ts'
import { OwnedPartition } from './host/owned.ts'
import { PartitionHost } from './host/partition-host.ts'
import { Peers } from './host/peers.ts'
import { PoolRules } from './host/pool-rules.ts'
import { Root } from './host/root.ts'
import { Tidier } from './host/tidier.ts'
import { journalCluster } from './journal/cluster.ts'
import type { NodeEngine, NodeOptions } from './node-options.ts'
import { WorkLeases } from './leases/leases.ts'
import { NamedLocks } from './partition/locks.ts'
import { Partition } from './partition/partition.ts'

type Host = PartitionHost<OwnedPartition, Root>

/** What is told of things that begin before it is there. */
interface Hooks {
  node?: MetadataNode
  failover?: Failover
}

/** A metadata process: what it owns by the partition map, and its part in what all of them do together. */
export class MetadataNode {
  readonly maps: PartitionMaps
  readonly members: Members
  readonly member: OwnMember
  readonly host: Host
  readonly peers: Peers
  readonly changes: PartitionChanges
  readonly buckets: ProcessBuckets
  readonly contents: LocalContents
  readonly brake: RestoreBrake
  readonly backups: OpenBackups
  readonly commitHolds: CommitHolds
  readonly options: NodeOptions
  readonly state: OwnState
  readonly #rules: PoolRules
  readonly #engines: ReadonlyMap<string, NodeEngine>
  /** The same for every root that is opened here: what goes by the one before ends before the next changes anything. */
  readonly #rootLocks = new NamedLocks()
  /** Of the root that was opened last. */
  #cluster: Cluster | undefined
  readonly #reporter: Reporter
  readonly #tidier: Tidier
  readonly #contentsOptions: ConstructorParameters<typeof LocalContents>[0]
  #leaving: Promise<void> | undefined

  private constructor(
    options: NodeOptions,
    engines: ReadonlyMap<string, NodeEngine>,
    maps: PartitionMaps,
    member: OwnMember,
    members: Members,
    brake: RestoreBrake,
  ) {
    this.brake = brake
    const { id: self, clock, random, log, connectPeer } = options
    this.options = options
    this.#engines = engines
    this.maps = maps
    this.member = member
    this.members = members
    this.peers = new Peers(connectPeer, (id) => members.get(id), clock)
    const copies = new BucketCopies(clock, (name) =>
      this.peers.call(maps.map.rootOwner, 'leaseBucket', { name, holder: self }),
    )
    this.buckets = new ProcessBuckets(copies, () => this.#ownBuckets())
    this.#rules = new PoolRules(() => this.host.servedRoot?.parts.cluster)
    this.host = new PartitionHost<OwnedPartition, Root>({
      self,
      maps,
      serving: member,
      ports: { clock, log },
      openPartition: (mapped) => this.#openPartition(mapped),
      openRoot: () => this.#openRoot(),
    })
    this.commitHolds = new CommitHolds({ self, host: this.host, clock, log })
    const moments = { self, maps, engines, holds: this.commitHolds, peers: this.peers, clock, random }
    this.backups = new OpenBackups({ moments: new Moments(moments), clock, random, log })
    this.state = new OwnState(self, engines, this.commitHolds)
    this.#reporter = new Reporter({
      self,
      state: this.state,
      alone: options.exclusive,
      coordinator: () => maps.map.rootOwner,
      served: () => this.host.served,
      engineOf: (partition) => this.engineOf(partition),
      peers: this.peers,
      rules: this.#rules,
      clock,
      log,
    })
    const contents = {
      self,
      maps,
      table: () => this.host.table,
      served: () => this.host.served,
      copies,
      peers: this.peers,
      clock,
    }
    this.#contentsOptions = contents
    this.contents = new LocalContents(contents)
    this.changes = new PartitionChanges({
      self,
      maps,
      host: this.host,
      buckets: this.buckets,
      engines,
      clock,
      random,
    })
    const leftovers = new Leftovers({
      self,
      maps,
      members,
      engines,
      isMoving: (move) => this.changes.isMoving(move),
      random,
    })
    this.#tidier = new Tidier({ self, leftovers, maps, served: () => this.host.served, clock, log })
  }

  /**
   * @throws {MemberTakenError} another process has this one's name
   * @throws {NewerFormatError} a newer program has written there
   * @throws {WrongClusterError} it belongs to another cluster
   * @throws {NoClusterError} it has none, and there is one
   * @throws {ClusterPlanError} the bootstrap of a new cluster breaks a rule
   */
  static async open(options: NodeOptions): Promise<MetadataNode> {
    const { clock, random, log, id, address, exclusive, clusterId, existing } = options
    const [coordination] = options.engines
    if (existing && coordination !== undefined) await assertBegun(coordination.engine, clusterId)
    const engines = new Map<string, NodeEngine>()
    for (const each of options.engines) {
      await openFormat(each.engine)
      engines.set(await openEngineId(each.engine, random), each)
    }
    const [first] = engines
    if (first === undefined) throw new Error('a metadata process needs an engine')
    const [coordinationId, { engine }] = first
    await assertCluster(engine, clusterId, options.bootstrap)
    const ports = { engine, clock, random, log }
    const maps = await PartitionMaps.open(ports, coordinationId)
    const hooks: Hooks = {}
    const member = await OwnMember.open({
      ...ports,
      id,
      address,
      engines: [...engines.keys()],
      exclusive,
      onExpelled: () => {
        const { node } = hooks
        if (node === undefined) return
        node.host.dropAll()
        node.#rules.forget()
      },
      onReturned: () => hooks.node?.host.returned(),
    })
    const members = new Members({
      engine,
      clock,
      log,
      exclusive,
      self: id,
      onLook: () => void hooks.failover?.look(),
    })
    let brake: RestoreBrake
    try {
      await members.start()
      // Changed after this process can be seen, nobody gives away what it says is this one's: see PartitionHost.returned.
      await (exclusive ? maps.refresh() : maps.change(() => ({})))
      brake = await RestoreBrake.open(engine, log)
    } catch (error) {
      await members.close()
      await member.close()
      maps.close()
      throw error
    }
    const node = new MetadataNode(options, engines, maps, member, members, brake)
    hooks.node = node
    const hasRoot = () => node.host.servedRoot !== undefined
    const failover = new Failover({ self: id, member, members, maps, hasRoot, clock, log })
    hooks.failover = failover
    await failover.look()
    node.#reporter.start()
    node.#tidier.start()
    if (exclusive) {
      // Nobody else can serve: whoever starts the service finds all of it open.
      await node.host.idle()
      await failover.look()
      await node.host.idle()
    }
    return node
  }

  /** The engine of a partition that this process serves. @throws {MetadataError} NOT_MINE */
  engineOf(partition: number): Engine {
    const found = this.#engines.get(this.host.byId(partition).engine)
    if (found === undefined) throw new Error(`the engine of partition ${partition} is not there`)
    return found.engine
  }

  /** Gives everything away, if there is anybody to take it, while it goes on to answer. */
  leave(): Promise<void> {
    this.#leaving ??= this.#leave()
    return this.#leaving
  }

  async #leave(): Promise<void> {
    await this.changes.giveUpCopies()
    if (this.options.exclusive) return
    const { maps, members, changes, peers } = this
    const { id: self, clock, log } = this.options
    await this.member.leave()
    await giveAway({ self, maps, members, changes, peers, clock, log })
  }

  /** Gives everything away and ends. */
  async close(): Promise<void> {
    await this.leave()
    this.#reporter.close()
    await this.#tidier.close()
    await this.members.close()
    const root = this.host.servedRoot
    const served = [...this.host.served]
    this.host.close()
    await Promise.all(served.map((owned) => owned.closed()))
    await root?.closed()
    await this.member.close()
    this.brake.close()
    await this.backups.closeAll()
    this.maps.close()
    await this.peers.close()
  }

  async #openPartition(mapped: MappedPartition): Promise<OwnedPartition> {
    const { clock, random, log, nextTurn, exclusive } = this.options
    const found = this.#engines.get(mapped.engine)
    if (found === undefined) {
      throw new Error(`this process does not have engine ${mapped.engine}, where partition ${mapped.id} lies`)
    }
    const { engine, room } = found
    const { id, start, end, sinceMs } = mapped
    const partition = await Partition.open(
      engine,
      { id, start, end },
      {
        clock,
        random,
        log,
        nextTurn,
        buckets: this.buckets,
        adopted: mapped.outboxes.filter((outbox) => outbox !== id),
        ...(exclusive ? {} : { serving: this.member }),
      },
    )
    partition.blobs.goBy(this.#rules)
    partition.blobs.brakeBy(this.brake)
    if (sinceMs > 0) partition.blobs.begin(Math.max(0, clock.nowMs() - sinceMs))
    const { settings, heldTo } = this.options
    const owned = new OwnedPartition(partition, mapped.engine, room, { clock, settings, heldTo })
    owned.resumePurge()
    return owned
  }

  async #openRoot(): Promise<Root> {
    const { clock, random, log, nextTurn, exclusive, clusterId, bootstrap, nodeGraceMs, id } = this.options
    const coordination = this.#engines.get(this.maps.map.coordinationEngine)
    if (coordination === undefined) throw new Error('the coordination engine must be listed first')
    const { engine, room } = coordination
    const partition = await Partition.open(engine, ROOT_RANGE, {
      clock,
      random,
      log,
      nextTurn,
      locks: this.#rootLocks,
      ...(exclusive ? {} : { serving: this.member }),
    })
    const loads = new Loads({
      clock,
      self: id,
      alive: () => this.members.alive.map((member) => member.id),
      own: () => this.host.served.map((owned) => loadOf(owned)),
      ownBacklog: () => this.host.served.map((owned) => owned.partition.outbox.backlog),
      ownState: () => this.state.message,
    })
    const cluster = await Cluster.open(partition, clusterId, bootstrap, clock, () => loads.backlog)
    cluster.goBy(loads)
    loads.goBy(cluster)
    const leases = new WorkLeases(clock)
    const grants = new BucketGrants({
      buckets: new OwnBuckets(partition),
      clock,
      alone: exclusive,
      revoke: async (holder, name) => {
        await this.peers.call(holder, 'revokeBucket', { name })
      },
    })
    const controller = new Controller({
      cluster,
      clock,
      log,
      nodeGraceMs: nodeGraceMs ?? NODE_GRACE_SECONDS_DEFAULT * 1000,
      room,
    })
    const balance = new PartitionController({
      settings: this.options.settings,
      table: () => this.host.table,
      members: () => this.members.alive,
      loads: () => loads.all,
      change: async (change) => {
        await changePartitions(this, create(ChangePartitionsRequestSchema, { change }))
      },
      clock,
      log,
    })
    this.#ship(cluster)
    const { brake, backups } = this
    return new Root({
      backup: { clusterId, backups, brake, partition, journal: this.options.journal?.journal },
      balance,
      partition,
      engine: this.maps.map.coordinationEngine,
      cluster,
      leases,
      ledger: new RiskLedger(cluster, leases, clock),
      grants,
      contents: new RootContents(this.#contentsOptions, this.contents, grants),
      loads,
      room,
      async close() {
        balance.close()
        await controller.close()
      },
    })
  }

  /** Copies the engine's batches to the nodes of the cluster, as it is by the root that was opened last. */
  #ship(cluster: Cluster): void {
    const { journal } = this.options
    if (journal === undefined) return
    const begun = this.#cluster !== undefined
    this.#cluster = cluster
    if (begun) return
    const latest = (): Cluster => this.#cluster ?? cluster
    const view = {
      get map() {
        return latest().map
      },
      get liveness() {
        return latest().liveness
      },
    }
    journal.journal.start(journalCluster(view, journal.shards))
  }

  #ownBuckets(): OwnBuckets | undefined {
    return this.host.servedRoot?.buckets
  }

  /** Removes what moves and merges have left behind, as far as that can be done now. Never rejects. */
  tidy(): Promise<void> {
    return this.#tidier.tidy()
  }
}
