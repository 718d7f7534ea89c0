import type { Socket } from 'node:net'
import { SHARD_FRAME_BYTES_MAX, SHARD_SOCKET_BYTES_MAX } from '../../core/limits.ts'
import { dataFrameHeader } from './frames.ts'

/** Data up to this size is copied beside its header: cheaper than another entry of a writev. */
const COPY_BYTES_MAX = 8 * 1024

const NOTHING = new Uint8Array(0)

/** A message on its way out. */
export interface Outgoing {
  /**
   * Runs `then`, later or at once, when the socket holds no view of the data any more: all was handed to the system, or
   * it was cancelled, or the socket is gone.
   */
  whenFlushed(then: () => void): void
  /** Sends nothing more of it. */
  cancel(): void
}

interface Job {
  readonly id: number
  readonly head: Buffer
  readonly data: Uint8Array
  sent: number
  headSent: boolean
  /** Writes whose callback has not come. */
  inSocket: number
  cancelled: boolean
  flushed: boolean
  waiting: (() => void)[]
}

/**
 * Writes messages to a socket, each a control frame and, where there is data, `data` frames of at most
 * SHARD_FRAME_BYTES_MAX: the large ones take turns, the small ones go first. The data is not copied; views of a
 * SharedArrayBuffer are fine. What is handed to the socket is bounded, so that a cancelled message soon is out of it.
 */
export class FrameWriter {
  readonly #socket: Socket
  #small: Job[] = []
  #large: Job[] = []
  #scheduled = false

  constructor(socket: Socket) {
    this.#socket = socket
    socket.once('close', () => {
      for (const job of [...this.#small, ...this.#large]) flush(job)
      this.#small = []
      this.#large = []
    })
  }

  send(id: number, head: Buffer, data: Uint8Array = NOTHING): Outgoing {
    const small = data.byteLength <= COPY_BYTES_MAX
    const job: Job = {
      id,
      head: small && data.byteLength > 0 ? joined(head, id, data) : head,
      data: small ? NOTHING : data,
      sent: 0,
      headSent: false,
      inSocket: 0,
      cancelled: false,
      flushed: this.#socket.destroyed,
      waiting: [],
    }
    if (!job.flushed) {
      const queue = small ? this.#small : this.#large
      queue.push(job)
      this.#schedule()
    }
    return {
      whenFlushed(then) {
        if (job.flushed) then()
        else job.waiting.push(then)
      },
      cancel: () => {
        this.#cancel(job)
      },
    }
  }

  #cancel(job: Job): void {
    job.cancelled = true
    if (!job.headSent || job.sent < job.data.byteLength) {
      this.#small = this.#small.filter((other) => other !== job)
      this.#large = this.#large.filter((other) => other !== job)
    }
    if (job.inSocket === 0) flush(job)
  }

  /** Messages of the same turn of the event loop go out in one writev. */
  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    queueMicrotask(() => {
      this.#scheduled = false
      this.#pump()
    })
  }

  #pump(): void {
    const socket = this.#socket
    if (socket.destroyed) return
    socket.cork()
    while (socket.writableLength < SHARD_SOCKET_BYTES_MAX) {
      const job = this.#small.shift() ?? this.#large.shift()
      if (job === undefined) break
      this.#writeSome(job)
    }
    socket.uncork()
  }

  #writeSome(job: Job): void {
    if (!job.headSent) {
      job.headSent = true
      this.#write(job, job.head)
    }
    if (job.sent === job.data.byteLength) return
    const piece = job.data.subarray(job.sent, job.sent + SHARD_FRAME_BYTES_MAX)
    job.sent += piece.byteLength
    this.#write(job, dataFrameHeader(job.id, piece.byteLength))
    this.#write(job, piece)
    if (job.sent < job.data.byteLength) this.#large.push(job)
  }

  #write(job: Job, bytes: Uint8Array): void {
    job.inSocket++
    this.#socket.write(bytes, () => {
      job.inSocket--
      if (job.inSocket === 0 && (job.cancelled || job.sent === job.data.byteLength)) flush(job)
      if (this.#small.length > 0 || this.#large.length > 0) this.#schedule()
    })
  }
}

function flush(job: Job): void {
  job.flushed = true
  for (const then of job.waiting.splice(0)) then()
}

function joined(head: Buffer, id: number, data: Uint8Array): Buffer {
  return Buffer.concat([head, dataFrameHeader(id, data.byteLength), data])
}
