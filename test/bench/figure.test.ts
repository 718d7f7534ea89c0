import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { figure, type Panel, runsOf, ticksTo } from './figure.ts'

const panel: Panel = {
  title: 'one',
  x: 'seconds',
  y: 'operations a second',
  series: [
    {
      name: 'reads',
      tone: 'reads',
      points: [
        [0, 0],
        [10, 1000],
      ],
    },
  ],
  steps: { name: 'partitions', values: [1, 1, 1, 1, 1, 2, 2, 2, 2, 2] },
}

describe('figures', () => {
  it('reach beyond the greatest value by round steps', () => {
    assert.deepEqual(ticksTo(0), [0, 1])
    assert.deepEqual(ticksTo(4), [0, 1, 2, 3, 4])
    assert.deepEqual(ticksTo(5500), [0, 2000, 4000, 6000])
    assert.deepEqual(ticksTo(10_000), [0, 2000, 4000, 6000, 8000, 10_000])
  })

  it('draw values between the axes, counts as stairs below, and escape words', () => {
    const svg = figure({ title: 'a < b & "c"', subtitle: 'd', panels: [panel, panel] })
    assert.match(svg, /aria-label="a &lt; b &amp; &quot;c&quot;"/)
    assert.ok(svg.includes('<path class="reads" d="M62 220L448 50"/>'), svg)
    assert.ok(svg.includes('<path class="steps" d="M62 280H255V264H448"/>'), svg)
    assert.ok(svg.includes('text-anchor="start">2</text>'), svg)
  })

  it('have scales of their own, or, to be compared, the same', () => {
    const marked = { ...panel, marks: [{ y: 2000, name: 'limit', at: 'end' as const }] }
    const times = (svg: string, words: string) => svg.split(words).length - 1
    const apart = figure({ title: '', subtitle: '', panels: [panel, marked] })
    assert.equal(times(apart, '>2,000</text>'), 1)
    const compared = figure({ title: '', subtitle: '', panels: [panel, marked], compared: true })
    assert.equal(times(compared, '>2,000</text>'), 2)
    assert.equal(times(compared, 'd="M62 220L448 135"'), 2)
  })

  it('name each kind of line once', () => {
    const svg = figure({ title: '', subtitle: '', panels: [panel, panel, panel] })
    assert.equal(svg.split('>reads</text>').length, 2)
  })

  it('take equal counts one after another as one step', () => {
    assert.deepEqual(runsOf([1, 1, 3, 1]), [
      { from: 0, to: 2, value: 1 },
      { from: 2, to: 3, value: 3 },
      { from: 3, to: 4, value: 1 },
    ])
    assert.deepEqual(runsOf([]), [])
  })
})
