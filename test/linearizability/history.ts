/**
 * Histories of operations on one key at a time. An object of S3 is a register: a PUT sets it, a DELETE empties it, everything
 * else says something about what it held. Conditions are part of the operation that has them.
 *
 * Linearizability is local (Herlihy and Wing, 1990): a history over many keys is linearizable exactly if the history of each
 * key is. So keys are checked one by one.
 */

/** What a key holds: a name for the content that no other write has, such as its ETag; `undefined`: there is no object. */
export type Value = string | undefined

/** What an operation says of the value at the one moment at which it took effect. */
export type Condition =
  | { readonly is: 'value'; readonly value: Value }
  /** Some object, whichever: `If-None-Match: *` was refused. */
  | { readonly is: 'present' }
  /** An object, but not this one: `If-Match` was refused. */
  | { readonly is: 'other'; readonly than: string }
  /** Not this object: a `DELETE` with `If-Match` was refused, which it also is over a delete marker. */
  | { readonly is: 'not'; readonly value: string }

export type Action =
  /** Sets the value; with `when` only at a moment when that holds, so that it is known to have held if the write was done. */
  | { readonly kind: 'write'; readonly value: Value; readonly when?: Condition }
  /** Changes nothing. A read, a listing, or a conditional write that was refused. */
  | { readonly kind: 'observe'; readonly seen: Condition }

export interface Operation {
  readonly key: string
  /** Who sent it, for people. */
  readonly client: string
  /** Before it was sent, by a clock that never goes back. Any unit; equal times count as overlapping. */
  readonly invoked: number
  /**
   * After its answer came. Infinity: the outcome is unknown, so it takes effect at any moment from `invoked` on, or never.
   * An operation that certainly did nothing and saw nothing is left out of a history.
   */
  readonly responded: number
  readonly action: Action
}

/** The operations of each key, in the order of their invocations. */
export function byKey(history: readonly Operation[]): Map<string, Operation[]> {
  const keys = new Map<string, Operation[]>()
  for (const operation of history.toSorted((a, b) => a.invoked - b.invoked)) {
    const list = keys.get(operation.key)
    if (list === undefined) keys.set(operation.key, [operation])
    else list.push(operation)
  }
  return keys
}

/** Whether the condition holds where the key has this value. */
export function holds(condition: Condition, value: Value): boolean {
  switch (condition.is) {
    case 'value':
      return value === condition.value
    case 'present':
      return value !== undefined
    case 'other':
      return value !== undefined && value !== condition.than
    case 'not':
      return value !== condition.value
  }
}
