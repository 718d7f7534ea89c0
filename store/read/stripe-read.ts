/** Part of one stripe: straight from the data shards when they are well, reconstructed around those that are not. */

import type { ShardRange, Stripe } from '../../core/erasure/layout.ts'
import { INLINE_WINDOW_BYTES_MAX } from '../../core/limits.ts'
import { shardAt, stripeSlot, stripeSlotBytes } from '../../runtime/compute/stripe-slot.ts'
import { StoreError } from '../api.ts'
import type { ClusterSnapshot } from '../cluster/snapshot.ts'
import type { Environment } from '../environment.ts'
import type { Scope } from '../scope.ts'
import { locations, type Blob } from './blob-location.ts'
import { chooseShards, type Likelihood } from './choose-shards.ts'
import { gather } from './gather.ts'
import { aligned, ShardFetch, type Window } from './shard-fetch.ts'

type Recovered = Map<ShardRange, Uint8Array>

export class StripeRead {
  /** The bytes of each run, in order. Reject with {@link StoreError} `unreadable`, or with the scope's reason. */
  readonly pieces: readonly Promise<Uint8Array>[]
  /** Epoch of the map it was planned by. */
  readonly epoch: number
  readonly runs: readonly ShardRange[]
  readonly blob: Blob
  readonly #environment: Environment
  readonly #scope: Scope
  readonly #stripe: Stripe
  readonly #snapshot: ClusterSnapshot
  readonly #admitted = new Map<string, boolean>()
  /** All fetches of this stripe: whatever was fetched for one purpose serves the others. */
  readonly #fetches: { readonly shard: number; readonly fetch: ShardFetch }[] = []

  /** @param runs all of one stripe, at least one */
  constructor(
    environment: Environment,
    scope: Scope,
    snapshot: ClusterSnapshot,
    blob: Blob,
    stripe: Stripe,
    runs: readonly ShardRange[],
  ) {
    this.#environment = environment
    this.#scope = scope
    this.#snapshot = snapshot
    this.#stripe = stripe
    this.epoch = snapshot.epoch
    this.blob = blob
    this.runs = runs
    this.pieces = blob.code.kind === 'replica' ? runs.map((run) => this.#readCopy(run)) : this.#readRuns()
    for (const piece of this.pieces) piece.catch(() => undefined)
    // Once every piece is there, or cannot be, what is still on its way lost its race.
    void Promise.allSettled(this.pieces).then(() => {
      this.cancel()
    })
  }

  cancel(): void {
    for (const { fetch } of this.#fetches) fetch.cancel()
  }

  #readCopy(run: ShardRange): Promise<Uint8Array> {
    const { code } = this.blob
    // Reads of the same object go to all its copies in turn.
    const turn = this.#environment.hedging.turn()
    const order = Array.from({ length: code.total }, (_, i) => (turn + i) % code.total)
    const copy = order.find((shard) => this.#isWell(shard))
    if (copy === undefined) return this.#recover([run]).then((recovered) => take(recovered, run))
    return this.#guard(run, this.#fetch(copy, windowOf(run)), [copy])
  }

  #readRuns(): Promise<Uint8Array>[] {
    const lost = new Set(this.runs.filter((run) => !this.#isWell(run.shard)))
    const around = lost.size > 0 ? this.#union([...lost]) : undefined
    const fetches = this.runs.map((run) =>
      lost.has(run) ? undefined : this.#fetch(run.shard, widened(windowOf(run), around)),
    )
    const recovered = lost.size > 0 ? this.#recover([...lost]) : undefined
    return this.runs.map((run, i) => {
      const fetch = fetches[i]
      if (fetch !== undefined) return this.#guard(run, fetch, [run.shard])
      if (recovered === undefined) throw new Error('a run is neither fetched nor recovered')
      return recovered.then((bytes) => take(bytes, run))
    })
  }

  /** The fetch, or what goes round it when it fails or is late: whichever comes first. */
  #guard(run: ShardRange, fetch: ShardFetch, without: readonly number[]): Promise<Uint8Array> {
    const { clock, hedging, suspicion } = this.#environment
    return new Promise((resolve, reject) => {
      let failed: unknown
      let going: Promise<void> | undefined
      const goRound = (): void => {
        going ??= this.#recover([run], without).then(
          (recovered) => {
            if (failed === undefined) suspicion.outrun(fetch.node)
            fetch.cancel()
            resolve(take(recovered, run))
          },
          (error: unknown) => {
            // The late one may still come, and is then as good.
            fetch.bytes.catch(() => {
              reject(error instanceof Error ? error : new Error('unreadable', { cause: error }))
            })
          },
        )
      }
      const cancelTimer = clock.after(hedging.delayMs, () => {
        if (hedging.spend()) goRound()
      })
      fetch.bytes.then(
        (bytes) => {
          cancelTimer()
          resolve(slice(bytes, fetch.window, run))
        },
        (error: unknown) => {
          failed = error
          cancelTimer()
          goRound()
        },
      )
    })
  }

  /**
   * The runs, from as few shards as there can be.
   * @param without shards that failed or are being asked already
   */
  async #recover(runs: readonly ShardRange[], without: readonly number[] = []): Promise<Recovered> {
    const { code } = this.blob
    const window = code.kind === 'replica' ? windowOf(first(runs)) : this.#union(runs)
    const wanted = code.kind === 'replica' ? [] : runs.map((run) => run.shard)
    const likely = Array.from({ length: code.total }, (_, shard) => this.#likelihood(shard, window))
    const likelihood = (shard: number): Likelihood => likely[shard] ?? 'lost'
    let got
    try {
      got = await gather(this.#environment, {
        candidates: likely.map((_, shard) => shard).filter((shard) => !without.includes(shard)),
        choose: (have, coming, others) =>
          chooseShards({
            code,
            wanted,
            got: have,
            others: [...coming, ...others],
            likelihood: (shard) => (coming.includes(shard) ? 'coming' : likelihood(shard)),
          }),
        fetch: async (shard) => {
          const fetch = this.#fetch(shard, window)
          const from = window.start - fetch.window.start
          return (await fetch.bytes).subarray(from, from + window.end - window.start)
        },
      })
    } catch (error) {
      this.#scope.throwIfAborted()
      const what = `stripe ${this.#stripe.index} of blob ${this.blob.id} (${code.name})`
      throw new StoreError('unreadable', `too few shards of ${what} can be had`, { cause: error })
    }
    if (code.kind !== 'replica') return this.#decode(runs, window, got)
    const [copy] = got.values()
    return new Map(runs.map((run) => [run, copy ?? new Uint8Array(0)]))
  }

  async #decode(
    runs: readonly ShardRange[],
    window: Window,
    got: ReadonlyMap<number, Uint8Array>,
  ): Promise<Recovered> {
    const { compute, readMemory } = this.#environment
    const { code } = this.blob
    const length = window.end - window.start
    const lease = await readMemory.acquire(stripeSlotBytes(code, length), this.#scope)
    try {
      const slot = stripeSlot(code, lease.at, length)
      const view = (shard: number): Uint8Array =>
        new Uint8Array(compute.memory.buffer, shardAt(code, slot, shard), length)
      for (const [shard, bytes] of got) view(shard).set(bytes)
      const wanted = runs.map((run) => run.shard).filter((shard) => !got.has(shard))
      const job = { code: code.name, slot, available: [...got.keys()], wanted }
      if (wanted.length > 0) await compute.reconstruct(job, length <= INLINE_WINDOW_BYTES_MAX)
      return new Map(
        runs.map((run) => {
          const from = run.shardStart - window.start
          return [run, view(run.shard).slice(from, from + run.shardEnd - run.shardStart)]
        }),
      )
    } finally {
      lease.release()
    }
  }

  #likelihood(shard: number, window: Window): Likelihood {
    if (this.#fetches.some((known) => known.shard === shard && known.fetch.covers(window))) return 'coming'
    const [node] = locations(this.#snapshot, this.blob, this.#stripe.index, shard)
    if (node === undefined) return 'lost'
    const isUp = this.#snapshot.nodes.get(node)?.up === true
    return isUp && !this.#environment.suspicion.suspects(node, 'read') ? 'likely' : 'unlikely'
  }

  /** Whether the shard is likely to come from the first place it would be looked for. */
  #isWell(shard: number): boolean {
    const [node] = locations(this.#snapshot, this.blob, this.#stripe.index, shard)
    if (node === undefined || this.#snapshot.nodes.get(node)?.up !== true) return false
    // A node with several shards of the stripe is asked once: let through as a probe, it is so for all of them.
    const known = this.#admitted.get(node)
    if (known !== undefined) return known
    const admitted = this.#environment.suspicion.admits(node, 'read')
    this.#admitted.set(node, admitted)
    return admitted
  }

  #fetch(shard: number, window: Window): ShardFetch {
    const known = this.#fetches.find((other) => other.shard === shard && other.fetch.covers(window))
    const fetch =
      known?.fetch ?? new ShardFetch(this.#environment, this.#scope, this.blob, this.#stripe, shard, window)
    if (known === undefined) this.#fetches.push({ shard, fetch })
    return fetch
  }

  #union(runs: readonly ShardRange[]): Window {
    const start = Math.min(...runs.map((run) => run.shardStart))
    const end = Math.max(...runs.map((run) => run.shardEnd))
    return aligned({ start, end }, this.#stripe.shardBytes)
  }
}

function windowOf({ shardStart, shardEnd }: ShardRange): Window {
  return { start: shardStart, end: shardEnd }
}

/** A window that also covers `around`, if that is no more than fetching both. */
function widened(window: Window, around: Window | undefined): Window {
  if (around === undefined) return window
  const start = Math.min(window.start, around.start)
  const end = Math.max(window.end, around.end)
  const apart = window.end - window.start + (around.end - around.start)
  return end - start <= apart ? { start, end } : window
}

function slice(bytes: Uint8Array, window: Window, run: ShardRange): Uint8Array {
  return bytes.subarray(run.shardStart - window.start, run.shardEnd - window.start)
}

function take(recovered: Recovered, run: ShardRange): Uint8Array {
  const bytes = recovered.get(run)
  if (bytes === undefined) throw new Error('a run was not recovered')
  return bytes
}

function first<T>(items: readonly T[]): T {
  const [item] = items
  if (item === undefined) throw new Error('nothing to recover')
  return item
}
