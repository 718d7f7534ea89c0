/** Line charts as SVG, without a library: read in light and in dark, and compared as text. */

export interface Series {
  readonly name: string
  readonly tone: Tone
  readonly points: readonly (readonly [x: number, y: number])[]
  /** `right`: by the scale on the right, of things that are counted in ones. */
  readonly axis?: 'left' | 'right'
  /** A value that stays until the next point. */
  readonly step?: boolean
}

export type Tone = 'writes' | 'reads' | 'refused' | 'overload' | 'partitions'

export interface Panel {
  readonly title: string
  readonly x: string
  readonly left: string
  readonly right?: string
  readonly series: readonly Series[]
  /** Level lines by the left scale, such as a limit. */
  readonly marks?: readonly { readonly y: number; readonly name: string }[]
}

const WIDTH = 460
const HEIGHT = 270
const MARGIN = { top: 34, right: 48, bottom: 40, left: 62 }
const HEAD = 44
const TICKS = 5

const STYLE = `
text{font:12px system-ui,sans-serif;fill:#334155}
.title{font-size:15px;font-weight:600}.panel{font-weight:600}
.grid{stroke:#cbd5e1;stroke-width:1}.mark{stroke:#64748b;stroke-width:1;stroke-dasharray:2 3}
path{fill:none;stroke-width:1.8;stroke-linejoin:round}
.writes{stroke:#2563eb}.reads{stroke:#059669}.refused{stroke:#dc2626}.overload{stroke:#d97706}.partitions{stroke:#9333ea;stroke-dasharray:5 3}
.ground{fill:#ffffff}
@media (prefers-color-scheme:dark){text{fill:#cbd5e1}.grid{stroke:#334155}.mark{stroke:#94a3b8}.ground{fill:#0f172a}
.writes{stroke:#60a5fa}.reads{stroke:#34d399}.refused{stroke:#f87171}.overload{stroke:#fbbf24}.partitions{stroke:#c084fc}}
`

/** The panels two side by side, with one legend for all of them. */
export function figure(title: string, panels: readonly Panel[]): string {
  const columns = panels.length > 1 ? 2 : 1
  const width = columns * WIDTH
  const height = HEAD + Math.ceil(panels.length / columns) * HEIGHT
  const drawn = panels.map((panel, index) => {
    const x = (index % columns) * WIDTH
    const y = HEAD + Math.floor(index / columns) * HEIGHT
    return `<g transform="translate(${x} ${y})">${panelOf(panel)}</g>`
  })
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="${escape(title)}">`,
    `<style>${STYLE}</style>`,
    `<rect class="ground" width="${width}" height="${height}"/>`,
    text(14, 18, title, 'start', 'title'),
    legend(panels),
    ...drawn,
    '</svg>',
    '',
  ].join('\n')
}

/** At most about {@link TICKS} round numbers from 0 on, the last one not below `max`. */
export function ticksTo(max: number): number[] {
  const raw = Math.max(max, 1) / TICKS
  const power = 10 ** Math.floor(Math.log10(raw))
  const step = Math.max(1, power * ([1, 2, 5, 10].find((factor) => factor * power >= raw) ?? 10))
  return Array.from({ length: Math.ceil(Math.max(max, 1) / step) + 1 }, (_, index) => index * step)
}

function panelOf(panel: Panel): string {
  const { series, marks = [] } = panel
  const xMax = Math.max(1, ...series.flatMap(({ points }) => points.map(([x]) => x)))
  const of = (axis: 'left' | 'right') =>
    series.filter((one) => (one.axis ?? 'left') === axis).flatMap(({ points }) => points.map(([, y]) => y))
  const ticks = {
    left: ticksTo(Math.max(...of('left'), ...marks.map(({ y }) => y))),
    right: ticksTo(Math.max(0, ...of('right'))),
  }
  const [x0, x1] = [MARGIN.left, WIDTH - MARGIN.right]
  const [y0, y1] = [HEIGHT - MARGIN.bottom, MARGIN.top]
  const atX = (x: number) => x0 + (x / xMax) * (x1 - x0)
  const atY = (y: number, axis: 'left' | 'right') => y0 - (y / (ticks[axis].at(-1) ?? 1)) * (y0 - y1)
  const lines = [text(x0, 20, panel.title, 'start', 'panel')]
  for (const tick of ticks.left) {
    const y = atY(tick, 'left')
    lines.push(`<line class="grid" x1="${x0}" x2="${x1}" y1="${round(y)}" y2="${round(y)}"/>`)
    lines.push(text(x0 - 6, y + 4, tick.toLocaleString('en'), 'end'))
  }
  if (panel.right !== undefined) {
    for (const tick of ticks.right) lines.push(text(x1 + 6, atY(tick, 'right') + 4, String(tick), 'start'))
    lines.push(turned(WIDTH - 12, (y0 + y1) / 2, panel.right))
  }
  for (const tick of ticksTo(xMax).filter((one) => one <= xMax)) {
    lines.push(text(atX(tick), y0 + 16, String(tick), 'middle'))
  }
  lines.push(text((x0 + x1) / 2, y0 + 32, panel.x, 'middle'), turned(14, (y0 + y1) / 2, panel.left))
  for (const { y, name } of marks) {
    const at = atY(y, 'left')
    lines.push(`<line class="mark" x1="${x0}" x2="${x1}" y1="${round(at)}" y2="${round(at)}"/>`)
    lines.push(text(x1 - 4, at - 4, name, 'end'))
  }
  for (const { tone, points, axis = 'left', step = false } of series) {
    const path = points.map(([x, y], index) => {
      const [px, py] = [round(atX(x)), round(atY(y, axis))]
      if (index === 0) return `M${px} ${py}`
      return step ? `H${px}V${py}` : `L${px} ${py}`
    })
    lines.push(`<path class="${tone}" d="${path.join('')}"/>`)
  }
  return lines.join('\n')
}

function legend(panels: readonly Panel[]): string {
  const names = new Map(panels.flatMap(({ series }) => series.map(({ name, tone }) => [name, tone] as const)))
  let x = 14
  const parts: string[] = []
  for (const [name, tone] of names) {
    parts.push(`<path class="${tone}" d="M${x} 34H${x + 24}"/>`, text(x + 30, 38, name, 'start'))
    x += 54 + 7 * name.length
  }
  return parts.join('')
}

function text(x: number, y: number, words: string, anchor: 'start' | 'middle' | 'end', kind = ''): string {
  const of = kind === '' ? '' : ` class="${kind}"`
  return `<text${of} x="${round(x)}" y="${round(y)}" text-anchor="${anchor}">${escape(words)}</text>`
}

function turned(x: number, y: number, words: string): string {
  return `<text transform="translate(${round(x)} ${round(y)}) rotate(-90)" text-anchor="middle">${escape(words)}</text>`
}

function round(number: number): string {
  return String(Math.round(number * 10) / 10)
}

function escape(words: string): string {
  return words.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')
}
