import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { startCluster } from './harness.ts'

/** The samples of a scrape by metric and labels. */
async function scrape(admin: string): Promise<Map<string, number>> {
  const response = await fetch(`${admin}/metrics`)
  assert.equal(response.status, 200)
  const lines = (await response.text()).split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]),
  )
}

/** Scrapes until the metric has that value. The runner's own timeout ends a test where it never has. */
async function until(admin: string, metric: string, value: number): Promise<Map<string, number>> {
  for (;;) {
    const samples = await scrape(admin)
    if (samples.get(metric) === value) return samples
    await delay(100)
  }
}

test('metrics and the admin interface answer while metadata stands still, and say how old they are', async (t) => {
  const cluster = await startCluster(t, { separate: true })
  const { admin } = cluster
  const node = 'ashlar_node_up{zone="zone-a",node="zone-a-1"}'
  await until(admin, 'ashlar_metadata_reachable', 1)
  await cluster.kill(['storage-node-zone-a-1'], 'SIGKILL')
  const before = await until(admin, node, 0)
  assert.equal(before.get('ashlar_healthy'), 0)

  await cluster.kill(['metadata'], 'SIGSTOP')
  const during = await until(admin, 'ashlar_metadata_reachable', 0)
  assert.equal(during.get(node), 0, 'what was known last is still told')
  assert.equal(during.get('ashlar_node_up{zone="zone-b",node="zone-b-1"}'), 1)
  const age = during.get('ashlar_status_age_seconds') ?? 0
  assert.ok(age > 0)
  const status = (await (await fetch(`${admin}/v1/status`)).json()) as Record<string, unknown>
  assert.deepEqual([status['metadataReachable'], status['health']], [false, 'degraded'])
  const risk = (await (await fetch(`${admin}/v1/risk`)).json()) as Record<string, unknown>
  assert.ok(Number(risk['ageSeconds']) >= age)
  assert.equal(await (await fetch(`${admin}/healthz`)).text(), 'ok\n')
  const shown = await cluster.command('status')
  assert.equal(shown.code, 3)
  assert.match(shown.stdout, /zone-a-1 +down/)
  assert.match(shown.stdout, /metadata at .* cannot be reached: .*; this is how it was [\d.]+ s ago/)

  await cluster.kill(['metadata'], 'SIGCONT')
  await cluster.restart('storage-node-zone-a-1')
  const after = await until(admin, node, 1)
  assert.equal(after.get('ashlar_metadata_reachable'), 1)
  assert.deepEqual(await cluster.stop(), { code: 0, signal: null })
})
