/** Line charts as SVG, without a library: read in light and in dark, and compared as text. */

const TONES = ['writes', 'reads', 'refused', 'overload'] as const
export type Tone = (typeof TONES)[number]

export interface Series {
  readonly name: string
  readonly tone: Tone
  readonly points: readonly (readonly [x: number, y: number])[]
}

interface Mark {
  readonly y: number
  readonly name: string
  /** Where its name stands: at the left, or at the right; where the lines are elsewhere. */
  readonly at: 'start' | 'end'
}

export interface Panel {
  readonly title: string
  /** What the axes count. */
  readonly x: string
  readonly y: string
  readonly series: readonly Series[]
  /** Level lines, such as a limit. */
  readonly marks?: readonly Mark[]
  /** What is counted in ones and stays for a while, in a strip below with the same x: one value for each unit of x, from 0 on. */
  readonly steps?: { readonly name: string; readonly values: readonly number[] }
}

interface Figure {
  readonly title: string
  readonly subtitle: string
  readonly panels: readonly Panel[]
  /** All panels by the same scales, so that they can be compared. */
  readonly compared?: boolean
}

const PANEL = {
  width: 470,
  left: 62,
  right: 22,
  titleY: 20,
  unitY: 38,
  top: 50,
  plot: 170,
  gap: 30,
  strip: 46,
  bottom: 46,
}
const HEAD = 76
const EDGE = 20
const TICKS = 5
/** Of a letter, in the mean; the legend is laid out by it. */
const LETTER = 6.4
/** What a number on a stair needs. */
const COUNT_ROOM = 14

const STYLE = `
text{font:12px system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;fill:#475569;font-variant-numeric:tabular-nums}
.title{font-size:16px;font-weight:600;fill:#0f172a}.subtitle{font-size:12.5px}.panel{font-size:13px;font-weight:600;fill:#0f172a}
.grid{stroke:#e2e8f0}.axis{stroke:#94a3b8}.mark{stroke:#64748b;stroke-dasharray:5 4}
.label{paint-order:stroke;stroke:#ffffff;stroke-width:4px;stroke-linejoin:round}
path{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}
.writes{stroke:#2563eb}.reads{stroke:#059669}.refused{stroke:#dc2626}.overload{stroke:#d97706}
.steps{stroke:#7c3aed}.area{fill:#7c3aed;fill-opacity:.14;stroke:none}.count{fill:#6d28d9;font-weight:600}
.ground{fill:#ffffff}
@media (prefers-color-scheme:dark){text{fill:#94a3b8}.title,.panel{fill:#e2e8f0}.grid{stroke:#1e293b}.axis{stroke:#475569}.mark{stroke:#94a3b8}
.label{stroke:#0d1117}.ground{fill:#0d1117}.writes{stroke:#60a5fa}.reads{stroke:#34d399}.refused{stroke:#f87171}.overload{stroke:#fbbf24}
.steps{stroke:#a78bfa}.area{fill:#a78bfa;fill-opacity:.2}.count{fill:#c4b5fd}}
`

/** The panels two side by side, with one legend for all of them. */
export function figure({ title, subtitle, panels, compared = false }: Figure): string {
  const columns = panels.length > 1 ? 2 : 1
  const rows = Math.ceil(panels.length / columns)
  // One panel alone is wider, so that its title has room.
  const panelWidth = columns === 1 ? 1.5 * PANEL.width : PANEL.width
  const width = columns * panelWidth
  const panelHeight = heightOf(panels)
  const height = HEAD + rows * panelHeight
  const drawn = panels.map((panel, index) => {
    const [x, y] = [(index % columns) * panelWidth, HEAD + Math.floor(index / columns) * panelHeight]
    const scales = scalesOf(compared ? panels : [panel])
    return `<g transform="translate(${x} ${y})">\n${panelOf(panel, panelWidth, scales)}\n</g>`
  })
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="${escape(title)}">`,
    `<style>${STYLE}</style>`,
    `<rect class="ground" width="${width}" height="${height}"/>`,
    text(EDGE, 26, title, 'start', 'title'),
    text(EDGE, 46, subtitle, 'start', 'subtitle'),
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

function heightOf(panels: readonly Panel[]): number {
  const below = panels.some(({ steps }) => steps !== undefined) ? PANEL.gap + PANEL.strip : 0
  return PANEL.top + PANEL.plot + below + PANEL.bottom
}

/** What the axes reach. */
interface Scales {
  readonly x: number
  readonly y: number
  readonly steps: number
}

function scalesOf(panels: readonly Panel[]): Scales {
  const points = panels.flatMap(({ series }) => series.flatMap((one) => one.points))
  const counts = panels.map(({ steps }) => steps?.values ?? [])
  return {
    x: Math.max(1, ...counts.map(({ length }) => length), ...points.map(([x]) => x)),
    y: Math.max(...points.map(([, y]) => y), ...panels.flatMap(({ marks = [] }) => marks.map(({ y }) => y))),
    steps: Math.max(1, ...counts.flat()),
  }
}

function panelOf(panel: Panel, width: number, scales: Scales): string {
  const { series, steps, marks = [] } = panel
  const ticks = ticksTo(scales.y)
  const [x0, x1] = [PANEL.left, width - PANEL.right]
  const [y0, y1] = [PANEL.top + PANEL.plot, PANEL.top]
  const atX = (x: number): number => x0 + (x / scales.x) * (x1 - x0)
  const atY = (y: number): number => y0 - (y / (ticks.at(-1) ?? 1)) * (y0 - y1)
  const bottom = steps === undefined ? y0 : y0 + PANEL.gap + PANEL.strip
  return [
    text(x0, PANEL.titleY, panel.title, 'start', 'panel'),
    text(x0, PANEL.unitY, panel.y, 'start'),
    ...ticks.flatMap((tick) => [
      level(tick === 0 ? 'axis' : 'grid', x0, x1, atY(tick)),
      text(x0 - 8, atY(tick) + 4, tick.toLocaleString('en'), 'end'),
    ]),
    ...ticksTo(scales.x)
      .filter((tick) => tick <= scales.x)
      .map((tick) => text(atX(tick), bottom + 17, String(tick), 'middle')),
    text((x0 + x1) / 2, bottom + 34, panel.x, 'middle'),
    ...marks.map(({ y }) => level('mark', x0, x1, atY(y))),
    ...series.map(
      ({ tone, points }) =>
        `<path class="${tone}" d="${points.map(([x, y], index) => `${index === 0 ? 'M' : 'L'}${round(atX(x))} ${round(atY(y))}`).join('')}"/>`,
    ),
    // Above the lines, with a rim, so that they can be read where they meet.
    ...marks.map(({ y, name, at }) => text(at === 'start' ? x0 + 8 : x1 - 8, atY(y) - 6, name, at, 'label')),
    ...(steps === undefined ? [] : [strip(steps, scales.steps, atX, bottom)]),
  ].join('\n')
}

/** The counts as a filled stair, each with its number where it begins. */
function strip(
  { name, values }: NonNullable<Panel['steps']>,
  most: number,
  atX: (x: number) => number,
  bottom: number,
): string {
  const atY = (count: number): number => bottom - (count / most) * (PANEL.strip - 14)
  const runs = runsOf(values)
  const stair = runs.map(({ from, to, value }, index) => {
    const y = round(atY(value))
    return `${index === 0 ? `M${round(atX(from))} ${y}` : `V${y}`}H${round(atX(to))}`
  })
  const line = stair.join('')
  return [
    `<path class="area" d="${line}V${bottom}H${round(atX(0))}Z"/>`,
    `<path class="steps" d="${line}"/>`,
    level('axis', atX(0), atX(values.length), bottom),
    text(atX(0) - 8, bottom + 4, '0', 'end'),
    text(atX(0), bottom - PANEL.strip - 3, name, 'start'),
    ...runs
      .filter(({ from, to }) => atX(to) - atX(from) >= COUNT_ROOM)
      .map(({ from, value }) => text(atX(from) + 4, atY(value) - 4, String(value), 'start', 'count')),
  ].join('\n')
}

/** Equal values one after another as one. */
export function runsOf(values: readonly number[]): { from: number; to: number; value: number }[] {
  const runs: { from: number; to: number; value: number }[] = []
  for (const [index, value] of values.entries()) {
    const last = runs.at(-1)
    if (last?.value === value) last.to = index + 1
    else runs.push({ from: index, to: index + 1, value })
  }
  return runs
}

function legend(panels: readonly Panel[]): string {
  const names = new Map(panels.flatMap(({ series }) => series.map(({ name, tone }) => [name, tone] as const)))
  const ordered = [...names].toSorted(([, one], [, other]) => TONES.indexOf(one) - TONES.indexOf(other))
  let x = EDGE
  const parts: string[] = []
  for (const [name, tone] of ordered) {
    parts.push(`<path class="${tone}" d="M${x} 66H${x + 22}"/>`, text(x + 30, 70, name, 'start'))
    x += Math.round(52 + LETTER * name.length)
  }
  return parts.join('\n')
}

function level(kind: string, x0: number, x1: number, y: number): string {
  return `<line class="${kind}" x1="${round(x0)}" x2="${round(x1)}" y1="${round(y)}" y2="${round(y)}"/>`
}

function text(x: number, y: number, words: string, anchor: 'start' | 'middle' | 'end', kind = ''): string {
  const of = kind === '' ? '' : ` class="${kind}"`
  return `<text${of} x="${round(x)}" y="${round(y)}" text-anchor="${anchor}">${escape(words)}</text>`
}

function round(number: number): string {
  return String(Math.round(number * 10) / 10)
}

function escape(words: string): string {
  return words.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')
}
