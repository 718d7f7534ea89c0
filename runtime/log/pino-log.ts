import pino from 'pino'
import type { Log, LogFields } from '../ports/log.ts'

/** @param level pino's level names: `debug`, `info`, `warn`, `error`, `silent` */
export function createLog(level: string, destination: NodeJS.WritableStream = process.stderr): Log {
  return wrap(pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, destination))
}

/** Says nothing. */
export const silentLog: Log = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => silentLog,
}

function wrap(logger: pino.Logger): Log {
  return {
    debug: (message, fields) => {
      logger.debug(fields ?? {}, message)
    },
    info: (message, fields) => {
      logger.info(fields ?? {}, message)
    },
    warn: (message, fields) => {
      logger.warn(fields ?? {}, message)
    },
    error: (message, fields) => {
      logger.error(fields ?? {}, message)
    },
    child: (fields: LogFields) => wrap(logger.child(fields)),
  }
}
