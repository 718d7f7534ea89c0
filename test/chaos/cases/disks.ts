import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import { CreateBucketCommand, DeleteObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { NodeCondition, type NodeLiveness } from '../../../proto/gen/ashlar/v1/cluster_pb.js'
import { serviceOf, startVictim, type ChaosCase, type Victim } from '../chaos-case.ts'
import { noLoopDisks, onLoopDisk } from '../loop-disk.ts'

const BALLAST = 'ballast'
const OBJECT_BYTES = 5_000_000

/** Twice the space that a node keeps free, and some to be filled. */
const DISK_MEBIBYTES = 320

/** The disk of one node is filled to the brim, and emptied by deleting objects. */
export const fullDisk: ChaosCase = {
  name: 'full-disk',
  what: 'the disk of a node full, then room again by deletes',
  unable: noLoopDisks,
  async run(t, { chance, rounds, tell }) {
    const victim = await startVictim(t, {})
    const { cluster, client } = victim
    const node = chance.pick(victim.nodes)
    await cluster.kill([serviceOf(node)], 'SIGKILL')
    await onLoopDisk(t, cluster.paths.node(node), DISK_MEBIBYTES)
    await cluster.restart(serviceOf(node))
    await cluster.nodesDown([])
    await client.send(new CreateBucketCommand({ Bucket: BALLAST }))
    let written = 0
    for (let round = 0; round < rounds; round++) {
      const keys: string[] = []
      while (await takesWrites(victim, node)) {
        const more = Array.from({ length: 8 }, (_, n) => `${round}/${keys.length + n}`)
        await Promise.all(
          more.map((Key) =>
            client.send(
              new PutObjectCommand({ Bucket: BALLAST, Key, Body: Buffer.alloc(OBJECT_BYTES, Key) }),
            ),
          ),
        )
        keys.push(...more)
        assert.ok(keys.length < 1000, `${node} is full at some time`)
      }
      written += keys.length
      // The others go on, and nothing is lost of what this one holds.
      await victim.fill(10)
      await victim.verify()
      for (const Key of keys) await client.send(new DeleteObjectCommand({ Bucket: BALLAST, Key }))
      while (!(await takesWrites(victim, node))) await delay(500)
      await victim.inspector.whole(120)
      await victim.verify()
      tell(`round ${round + 1} of ${rounds}`)
    }
    return `${node} full ${rounds} times by ${written} objects; ${victim.ledger.acknowledgements} acknowledged writes are there`
  },
}

/** The medium below a node's file system fails: EIO, then a file system that takes no more writes. */
export const failingDisk: ChaosCase = {
  name: 'failing-disk',
  what: 'the disk of a node fails (EIO, EROFS) under load, and is repaired',
  unable: noLoopDisks,
  async run(t, { chance, rounds, tell }) {
    const victim = await startVictim(t, {})
    const { cluster } = victim
    const node = chance.pick(victim.nodes)
    await victim.fill(20)
    await cluster.kill([serviceOf(node)], 'SIGKILL')
    const disk = await onLoopDisk(t, cluster.paths.node(node), DISK_MEBIBYTES)
    await cluster.restart(serviceOf(node))
    await cluster.nodesDown([])
    let reason = ''
    for (let round = 0; round < rounds; round++) {
      await victim.fill(10)
      await disk.fail()
      const load = victim.load(3)
      while (await takesWrites(victim, node)) await delay(100)
      reason = (await livenessOf(victim, node)).reason
      await load.progress(10)
      assert.deepEqual(await load.stop(), [], 'every write was acknowledged by the others')
      await victim.verify()
      await cluster.kill([serviceOf(node)], 'SIGKILL')
      await disk.heal()
      await cluster.restart(serviceOf(node))
      await victim.inspector.whole(120, true)
      await victim.verify()
      tell(`round ${round + 1} of ${rounds}`)
    }
    return `${node} said "${reason}"; ${victim.ledger.acknowledgements} acknowledged writes are there`
  },
}

async function livenessOf({ inspector }: Victim, name: string): Promise<NodeLiveness> {
  const { nodes } = await inspector.metadata.call('getCluster', {})
  const found = nodes.find(({ node }) => node === name)
  if (found === undefined) throw new Error(`metadata does not know ${name}`)
  return found
}

async function takesWrites(victim: Victim, node: string): Promise<boolean> {
  const { up, condition } = await livenessOf(victim, node)
  return up && condition !== NodeCondition.READ_ONLY
}
