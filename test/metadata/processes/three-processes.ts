import { createBucket } from '../../contract/metadata-requests.ts'
import { Requests } from './requests.ts'
import { World } from './world.ts'

/** A bucket cut at `m`, the first half on `b`, the second on `c`, and the root on `a`. */
export async function threeProcesses() {
  const world = await World.of(['a', 'b', 'c'])
  const requests = new Requests(world.clock)
  const routed = world.routed()
  const drive = <T>(work: Promise<T>) => world.clock.drive(work)
  await drive(createBucket(routed))
  await drive(requests.split(routed, 1, 'm'))
  await drive(requests.move(routed, 1, 'b'))
  await drive(requests.move(routed, 2, 'c'))
  if (world.map().rootOwner !== 'a') await drive(requests.move(routed, 0, 'a'))
  await world.settle()
  return { world, requests, routed, drive }
}
