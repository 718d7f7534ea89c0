import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { figure, ticksTo } from './figure.ts'

describe('figures', () => {
  it('reach beyond the greatest value by round steps', () => {
    assert.deepEqual(ticksTo(0), [0, 1])
    assert.deepEqual(ticksTo(4), [0, 1, 2, 3, 4])
    assert.deepEqual(ticksTo(5500), [0, 2000, 4000, 6000])
    assert.deepEqual(ticksTo(10_000), [0, 2000, 4000, 6000, 8000, 10_000])
  })

  it('draw values between the axes, each by its own scale, and escape words', () => {
    const svg = figure('a < b & "c"', [
      {
        title: 'one',
        x: 'seconds',
        left: 'ops/s',
        right: 'partitions',
        series: [
          {
            name: 'reads',
            tone: 'reads',
            points: [
              [0, 0],
              [10, 1000],
            ],
          },
          {
            name: 'partitions',
            tone: 'partitions',
            axis: 'right',
            step: true,
            points: [
              [0, 1],
              [10, 2],
            ],
          },
        ],
      },
    ])
    assert.match(svg, /aria-label="a &lt; b &amp; &quot;c&quot;"/)
    assert.ok(svg.includes('<path class="reads" d="M62 230L412 34"/>'), svg)
    assert.ok(svg.includes('<path class="partitions" d="M62 132H412V34"/>'), svg)
  })
})
