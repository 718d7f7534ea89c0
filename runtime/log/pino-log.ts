import pino from 'pino'
import type { Log, LogFields } from '../ports/log.ts'

/** @param level pino's level names: `debug`, `info`, `warn`, `error`, `silent` */
export function createLog(level: string, destination: NodeJS.WritableStream = process.stderr): Log {
  const timestamp = pino.stdTimeFunctions.isoTime
  // An error's message and stack are no fields of its own: without a serialiser they would not be told.
  const serializers = { error: pino.stdSerializers.err, reason: pino.stdSerializers.err }
  const root = pino({ level, base: null, timestamp, serializers }, destination)
  return wrap(() => root)
}

/** Says nothing. */
export const silentLog: Log = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => silentLog,
}

/** @param make makes the logger at its first line: every request has one, and few say anything */
function wrap(make: () => pino.Logger): Log {
  let made: pino.Logger | undefined
  const logger = (): pino.Logger => (made ??= make())
  return {
    debug: (message, fields) => {
      logger().debug(fields ?? {}, message)
    },
    info: (message, fields) => {
      logger().info(fields ?? {}, message)
    },
    warn: (message, fields) => {
      logger().warn(fields ?? {}, message)
    },
    error: (message, fields) => {
      logger().error(fields ?? {}, message)
    },
    child: (fields: LogFields) => wrap(() => logger().child(fields)),
  }
}
