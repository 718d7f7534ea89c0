/** What a cluster and all that is around it belong to: it ends with its test or program, the last begun first. */

/** A test (TestContext), or a program's {@link Run}. */
export interface Lifetime {
  after(end: () => Promise<void>): void
  diagnostic(message: string): void
  /** Without it the logs are shown. Node's own types lack it as yet. */
  readonly passed?: boolean
}

type End = () => Promise<void> | void

const lists = new WeakMap<Lifetime, End[]>()

/**
 * Does so at the end, before what was to be done by then already: processes end before their disks, and disks before their
 * folders. The hooks of a test itself run in the order in which they were given.
 */
export function atEnd(t: Lifetime, end: End): void {
  const known = lists.get(t)
  if (known !== undefined) {
    known.push(end)
    return
  }
  const list = [end]
  lists.set(t, list)
  t.after(() => endAll(list))
}

/** The last first, each whether or not those before it failed. @throws the first failure */
async function endAll(list: End[]): Promise<void> {
  const failures: unknown[] = []
  for (let end = list.pop(); end !== undefined; end = list.pop()) {
    try {
      await end()
    } catch (error) {
      failures.push(error)
    }
  }
  if (failures.length > 0) throw failures[0]
}

/** A run of a program that is no test. */
export class Run implements Lifetime {
  readonly #ends: End[] = []
  passed = false

  after(end: () => Promise<void>): void {
    this.#ends.push(end)
  }

  diagnostic(message: string): void {
    console.error(message)
  }

  async end(): Promise<void> {
    await endAll(this.#ends)
  }
}
