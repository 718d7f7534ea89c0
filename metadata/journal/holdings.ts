import { firstBadBlock } from '../../runtime/crypto/crc32c.ts'
import { SHARD_BYTES_MAX } from '../../core/limits.ts'
import { JOURNAL_GROUP } from '../../core/placement/group.ts'
import type { ListedShard, ShardService, ShardTransport } from '../../proto/shard-transport.ts'
import type { BackupSource } from '../backup/format/reader.ts'
import { BackupDamagedError } from '../backup/format/frame.ts'
import { type JournalName, journalBlob, readJournalBlob } from './blob-id.ts'
import { FIRST_STRIPE, listJournal } from './listing.ts'

/** What reading takes. */
export interface ShardReader {
  node(id: string): Pick<ShardService, 'get'>
}

interface Copy {
  readonly node: string
  readonly shard: number
  readonly bytes: number
  /** The node knows that it cannot read it. */
  readonly damaged: boolean
}

/** A stripe of a blob, and where it is. */
export interface Piece {
  readonly name: JournalName
  readonly blob: string
  readonly stripe: number
  readonly copies: readonly Copy[]
}

/** What nodes hold of the journal, and a way to read it as long as one copy of each piece is sound. */
export class Holdings {
  readonly #shards: ShardReader
  /** By blob, by stripe. */
  readonly #copies = new Map<string, Map<number, Copy[]>>()
  readonly #names: JournalName[] = []

  private constructor(shards: ShardReader) {
    this.#shards = shards
  }

  /** @param failed told of each node that does not say what it holds */
  static async of(
    shards: ShardTransport,
    nodes: readonly string[],
    failed: (node: string, error: unknown) => void,
  ): Promise<Holdings> {
    const holdings = new Holdings(shards)
    await Promise.all(
      nodes.map(async (node) => {
        try {
          holdings.#add(node, await listJournal((request) => shards.node(node).list(request)))
        } catch (error) {
          failed(node, error)
        }
      }),
    )
    return holdings
  }

  /** @param listed by node */
  static from(shards: ShardReader, listed: ReadonlyMap<string, readonly ListedShard[]>): Holdings {
    const holdings = new Holdings(shards)
    for (const [node, shardsOfNode] of listed) holdings.#add(node, shardsOfNode)
    return holdings
  }

  /** Of every blob that is there, whole or not. */
  get names(): readonly JournalName[] {
    return this.#names
  }

  has(name: JournalName): boolean {
    return this.#copies.has(journalBlob(name))
  }

  /** Whether there is a copy of each piece of a blob of so many bytes. */
  hasAll(name: JournalName, bytes: number): boolean {
    const stripes = this.#copies.get(journalBlob(name))
    const count = Math.ceil(bytes / SHARD_BYTES_MAX)
    return Array.from({ length: count }, (_, index) => FIRST_STRIPE + index).every(
      (stripe) => stripes?.has(stripe) === true,
    )
  }

  /** Of every blob, stripe by stripe. */
  *pieces(): Generator<Piece> {
    for (const name of this.#names) {
      const blob = journalBlob(name)
      for (const [stripe, copies] of this.#copies.get(blob) ?? []) yield { name, blob, stripe, copies }
    }
  }

  /** All of a blob. @throws {BackupDamagedError} some piece has no sound copy, or is missing */
  async read(name: JournalName): Promise<Uint8Array> {
    const source = this.source(name)
    const bytes = new Uint8Array(await source.size())
    await source.read(bytes, 0)
    return bytes
  }

  /** A blob as a file. @throws {BackupDamagedError} from reads */
  source(name: JournalName): BackupSource {
    const blob = journalBlob(name)
    const stripes = this.#copies.get(blob) ?? new Map<number, Copy[]>()
    const last = Math.max(FIRST_STRIPE - 1, ...stripes.keys())
    let kept: { readonly stripe: number; readonly data: Uint8Array } | undefined
    return {
      size: async () => {
        if (last < FIRST_STRIPE) return 0
        // Copies of one stripe are of one size; a damaged one is listed with it, too.
        return (last - FIRST_STRIPE) * SHARD_BYTES_MAX + (stripes.get(last)?.[0]?.bytes ?? 0)
      },
      read: async (into, position) => {
        let filled = 0
        while (filled < into.length) {
          const at = position + filled
          const stripe = FIRST_STRIPE + Math.floor(at / SHARD_BYTES_MAX)
          if (stripe > last) break
          if (kept?.stripe !== stripe) {
            kept = { stripe, data: await this.readPiece({ blob, stripe, copies: stripes.get(stripe) ?? [] }) }
          }
          const from = kept.data.subarray(at % SHARD_BYTES_MAX)
          if (from.length === 0) break
          const some = from.subarray(0, into.length - filled)
          into.set(some, filled)
          filled += some.length
        }
        return filled
      },
    }
  }

  /** From the first sound copy. @throws {BackupDamagedError} there is none */
  async readPiece({ blob, stripe, copies }: Omit<Piece, 'name'>): Promise<Uint8Array> {
    for (const { node, shard } of copies) {
      try {
        const address = { group: JOURNAL_GROUP, blob, stripe, shard }
        const { data, checksums } = await this.#shards.node(node).get({ address, epoch: 0 })
        if (firstBadBlock(data, checksums) === -1) return new Uint8Array(data)
      } catch {
        // Another copy, then.
      }
    }
    throw new BackupDamagedError(
      `piece ${stripe} of the journal's blob ${blob} cannot be read from any of ${copies.length} copies`,
    )
  }

  #add(node: string, listed: readonly ListedShard[]): void {
    for (const { address, bytes, damaged } of listed) {
      const name = readJournalBlob(address.blob)
      if (name === undefined) continue
      let stripes = this.#copies.get(address.blob)
      if (stripes === undefined) {
        stripes = new Map()
        this.#copies.set(address.blob, stripes)
        this.#names.push(name)
      }
      const copies = stripes.get(address.stripe) ?? []
      copies.push({ node, shard: address.shard, bytes, damaged })
      stripes.set(address.stripe, copies)
    }
  }
}
