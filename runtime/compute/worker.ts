/** Entry of a worker thread: carries out orders one after the other. See messages.ts. */

import { parentPort, workerData } from 'node:worker_threads'
import type { Answer, Order, WorkerStart } from './messages.ts'
import { StripeWork } from './stripe-work.ts'

function serve(port: NonNullable<typeof parentPort>, start: WorkerStart): void {
  const work = new StripeWork(start.memory)
  const answer = (message: Answer): void => {
    port.postMessage(message)
  }
  port.on('message', (order: Order) => {
    try {
      carryOut(work, order, answer)
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      if ('id' in order) answer({ type: 'failed', id: order.id, message })
      // Nobody waits for an answer that could carry it: let the thread fall, which fails all who use it.
      else throw error
    }
  })
}

function carryOut(work: StripeWork, order: Order, answer: (message: Answer) => void): void {
  switch (order.type) {
    case 'open':
      work.open(order.content, order.digests)
      return
    case 'encode':
      work.encode(order.job)
      answer({ type: 'encoded', id: order.id })
      work.hash(order.content, order.job)
      answer({ type: 'hashed', id: order.id })
      return
    case 'finish':
      answer({ type: 'finished', id: order.id, digests: work.finish(order.content) })
      return
    case 'drop':
      work.drop(order.content)
      return
    case 'reconstruct':
      work.reconstruct(order.job)
      answer({ type: 'reconstructed', id: order.id })
  }
}

if (parentPort === null) throw new Error('not a worker thread')
// eslint-disable-next-line typescript/no-unsafe-type-assertion -- what the pool started this thread with
serve(parentPort, workerData as WorkerStart)
