import type { Panel, Series } from '../figure.ts'
import { type Kind, KINDS, type Second } from './counter.ts'

/** What a line of a panel is of: requests of a kind that were done, or what was refused of all that the panel shows. */
type Line = Kind | 'refused' | 'overload'

/** Operations a second, each second as a point in its middle, and beneath them the partitions. */
export function panelOf(
  title: string,
  seconds: readonly Second[],
  lines: readonly Line[],
  marks: Panel['marks'] = [],
): Panel {
  const shown = KINDS.filter((kind) => lines.includes(kind))
  const series = lines.map((line): Series => {
    const valueOf = (second: Second): number =>
      line === 'writes' || line === 'reads'
        ? second[line].done
        : shown.reduce((sum, kind) => sum + second[kind][line], 0)
    return {
      name: NAMES[line],
      tone: line,
      points: seconds.map((second, index) => [index + 0.5, valueOf(second)]),
    }
  })
  return {
    title,
    x: 'seconds',
    y: 'operations a second',
    marks,
    series,
    steps: { name: 'partitions', values: seconds.map(({ partitions }) => partitions) },
  }
}

const NAMES: Readonly<Record<Line, string>> = {
  writes: 'writes',
  reads: 'reads',
  refused: 'refused with SlowDown',
  overload: 'refused for overload',
}
