import assert from 'node:assert/strict'
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { temporaryFolder } from '../cluster/harness.ts'
import { run } from '../cluster/tools.ts'
import { deployed } from './files.ts'

/**
 * A `kubectl` of a release `tank` with two StatefulSets, beside a release `tank-two`. Its state is files: `revision/POD`; `sick`, how often
 * the status is asked before the cluster is healthy again; `unseen`, how often a StatefulSet is asked for before its controller has seen
 * what it is to be now. It notes what it is asked to delete, and is at fault where that happens while the cluster is not healthy.
 */
const KUBECTL = String.raw`#!/bin/sh
set -eu
cd "$(dirname "$0")"
case "$*" in
  *"get deployment tank-worker"*) printf 'app.kubernetes.io/name=ashlar,app.kubernetes.io/instance=tank' ;;
  *"get statefulset --selector app.kubernetes.io/name=ashlar,app.kubernetes.io/instance=tank,"*) printf 'tank-east\ntank-west\n' ;;
  *"get statefulset --selector"*) printf 'tank-east\ntank-west\ntank-two-east\nother-east\n' ;;
  *"get statefulset"*observedGeneration*)
    left=$(cat unseen)
    if [ "$left" -eq 0 ]; then printf '2 2'; else printf '2 1'; echo $((left - 1)) >unseen; fi ;;
  *"get statefulset"*updateRevision*) if [ "$(cat unseen)" -eq 0 ]; then printf new; else printf old; fi ;;
  *"get statefulset"*replicas*) printf 2 ;;
  *"get pod"*) printf '%s True' "$(cat "revision/$5")" ;;
  *"exec deployment/tank-worker -- ashlar status"*)
    left=$(cat sick)
    [ "$left" -eq 0 ] || { echo $((left - 1)) >sick; exit 3; } ;;
  *"delete pod"*)
    [ "$(cat sick)" -eq 0 ] || echo 'deleted while degraded' >>log
    echo "$5" >>log
    echo new >"revision/$5"
    echo 2 >sick ;;
  *) echo "unexpected: $*" >&2; exit 1 ;;
esac
`

async function scene(t: TestContext, sick: number, unseen = 0) {
  const folder = await temporaryFolder(t)
  await mkdir(join(folder, 'revision'))
  for (const [pod, revision] of [
    ['tank-east-0', 'old'],
    ['tank-east-1', 'new'],
    ['tank-west-0', 'old'],
    ['tank-west-1', 'old'],
    ['tank-two-east-0', 'old'],
    ['tank-two-east-1', 'old'],
  ] as const) {
    await writeFile(join(folder, 'revision', pod), revision)
  }
  await writeFile(join(folder, 'sick'), String(sick))
  await writeFile(join(folder, 'unseen'), String(unseen))
  await writeFile(join(folder, 'log'), '')
  await writeFile(join(folder, 'kubectl'), KUBECTL)
  await chmod(join(folder, 'kubectl'), 0o755)
  const roll = async (...args: readonly string[]) =>
    await run('sh', [deployed('chart', 'roll.sh'), '-t', '120', ...args], {
      PATH: `${folder}:${process.env['PATH'] ?? ''}`,
      ROLL_POLL_SECONDS: '0',
    })
  return {
    roll,
    deleted: async () => (await readFile(join(folder, 'log'), 'utf8')).split('\n').filter(Boolean),
  }
}

test('storage nodes are replaced one by one, each while the cluster is healthy, and those that are new are left alone', async (t) => {
  const { roll, deleted } = await scene(t, 3)
  assert.match(
    await roll('-n', 'objects', 'tank'),
    /all storage nodes are new, and the cluster is healthy\n$/,
  )
  assert.deepEqual(await deleted(), ['tank-east-0', 'tank-west-0', 'tank-west-1'])
  await roll('-n', 'objects', 'tank')
  assert.equal((await deleted()).length, 3)
})

test('a StatefulSet whose controller has not seen the upgrade yet is waited for, and not taken for new', async (t) => {
  const { roll, deleted } = await scene(t, 0, 3)
  await roll('tank')
  assert.deepEqual(await deleted(), ['tank-east-0', 'tank-west-0', 'tank-west-1'])
})

test('nothing is replaced in a cluster that does not get healthy', async (t) => {
  const { roll, deleted } = await scene(t, 1_000_000)
  await assert.rejects(roll('-n', 'objects', '-t', '0', 'tank'), /nothing more is replaced/)
  assert.deepEqual(await deleted(), [])
  await assert.rejects(roll(), /usage: roll.sh/)
})
