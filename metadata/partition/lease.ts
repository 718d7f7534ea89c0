import { KeyReader, KeyWriter } from '../../core/keyspace/bytes.ts'
import { leaseKey } from '../../core/keyspace/keys.ts'
import type { Random } from '../../runtime/ports/random.ts'
import { type Engine, type Fence, FencedError } from '../engine/engine.ts'

/** Attempts to take a lease while others take it too; each one that fails saw somebody else succeed. */
const ATTEMPTS = 10
const OWNER_BYTES = 16

/**
 * Takes a partition over: from here on, every commit under the fence returned is refused once somebody else has taken
 * it over in turn. The token is a generation, which only grows, and random bytes that no other owner has.
 * @throws {FencedError} when others keep taking it
 */
export async function takeLease(engine: Engine, partition: number, random: Random): Promise<Fence> {
  const key = leaseKey(partition)
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const held = await engine.get(key)
    const generation = held === undefined ? 1 : generationOf(held) + 1
    const token = leaseToken(generation, random.bytes(OWNER_BYTES))
    try {
      await engine.commit({ fence: { key, token: held }, puts: [{ key, value: token }], deletes: [] })
      return { key, token }
    } catch (error) {
      if (!(error instanceof FencedError)) throw error
    }
  }
  throw new FencedError()
}

/** The first byte stands where a key has its space, and is 1: the token's own format. */
function leaseToken(generation: number, owner: Uint8Array): Uint8Array {
  const head = new KeyWriter(1).number(generation, 8).bytes()
  const token = new Uint8Array(head.length + owner.length)
  token.set(head)
  token.set(owner, head.length)
  return token
}

function generationOf(token: Uint8Array): number {
  return new KeyReader(token).number(8)
}
