import type { Primary, PrimarySession } from './primary.ts'

/** Sessions with the primary, at most `size`, made as they are needed and kept. */
export class SessionPool {
  readonly #primary: Primary
  readonly #size: number
  /** The last one used is used next. */
  readonly #idle: PrimarySession[] = []
  readonly #waiting: (() => void)[] = []
  #lent = 0

  constructor(primary: Primary, size: number) {
    this.#primary = primary
    this.#size = size
  }

  /**
   * Lends a session for as long as `use` runs.
   * @throws {NoPrimaryError} `use` was not called
   */
  async with<T>(use: (session: PrimarySession) => Promise<T>): Promise<T> {
    if (this.#lent < this.#size) this.#lent++
    else await this.#turn()
    let session: PrimarySession | undefined
    try {
      session = this.#takeIdle() ?? (await this.#primary.connect(true))
      return await use(session)
    } finally {
      if (session !== undefined) this.#takeBack(session)
      // Whoever waits longest has the place of this one.
      const next = this.#waiting.shift()
      if (next === undefined) this.#lent--
      else next()
    }
  }

  /** Keeps a session that was made elsewhere. */
  add(session: PrimarySession): void {
    this.#takeBack(session)
  }

  /** After the last use. */
  async close(): Promise<void> {
    await Promise.all(this.#idle.splice(0).map(({ connection }) => connection.close()))
  }

  #turn(): Promise<undefined> {
    const { promise, resolve } = Promise.withResolvers<undefined>()
    this.#waiting.push(() => {
      resolve(undefined)
    })
    return promise
  }

  #takeIdle(): PrimarySession | undefined {
    for (let session = this.#idle.pop(); session !== undefined; session = this.#idle.pop()) {
      if (this.#primary.isCurrent(session)) return session
      session.connection.destroy('another server has taken over')
    }
    return undefined
  }

  #takeBack(session: PrimarySession): void {
    if (this.#primary.isCurrent(session)) this.#idle.push(session)
    else session.connection.destroy('another server has taken over')
  }
}
