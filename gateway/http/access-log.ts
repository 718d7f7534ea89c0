import type { Log } from '../../runtime/ports/log.ts'
import type { Recorder } from './ports.ts'

/** A recorder that writes one line a request. */
export function accessLog(log: Log): Recorder {
  return (record) => log.info('request', { ...record })
}
