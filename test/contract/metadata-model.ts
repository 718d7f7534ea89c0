import { compareUtf8 } from '../../core/keyspace/utf8.ts'

/** Listing as S3 defines it, the slow and plain way: the oracle of the listing tests. */

export interface ListRequest {
  readonly prefix: string
  readonly delimiter: string
  readonly after: string
  readonly limit: number
}

export interface ListAnswer {
  readonly keys: string[]
  readonly commonPrefixes: string[]
  readonly truncated: boolean
  readonly nextAfter: string
}

export function listModel(
  keys: Iterable<string>,
  { prefix, delimiter, after, limit }: ListRequest,
): ListAnswer {
  const rolledUp = (key: string): string | undefined => {
    if (delimiter === '') return undefined
    const at = key.slice(prefix.length).indexOf(delimiter)
    return at === -1 ? undefined : key.slice(0, prefix.length + at + delimiter.length)
  }
  const skip = after.startsWith(prefix) && rolledUp(after) === after
  const items: { name: string; group: boolean }[] = []
  for (const key of [...keys].sort(compareUtf8)) {
    if (!key.startsWith(prefix) || compareUtf8(key, after) <= 0) continue
    if (skip && key.startsWith(after)) continue
    const group = rolledUp(key)
    if (group === undefined) items.push({ name: key, group: false })
    else if (items.at(-1)?.name !== group) items.push({ name: group, group: true })
  }
  const shown = items.slice(0, limit)
  const truncated = limit > 0 && items.length > limit
  return {
    keys: shown.filter(({ group }) => !group).map(({ name }) => name),
    commonPrefixes: shown.filter(({ group }) => group).map(({ name }) => name),
    truncated,
    nextAfter: truncated ? (shown.at(-1)?.name ?? '') : '',
  }
}
