/** Structured log lines. Fields never carry a secret, a signature or an object's bytes. */
export interface Log {
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
  /** A log that adds `fields` to each line. */
  child(fields: LogFields): Log
}

export type LogFields = Readonly<Record<string, unknown>>
