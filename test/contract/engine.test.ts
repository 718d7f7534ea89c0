import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LevelEngine } from '../../metadata/engine/level.ts'
import { MemoryEngine } from '../../metadata/engine/memory.ts'
import { engineContract } from './engine.ts'

engineContract('memory', async () => {
  const engine = new MemoryEngine()
  return { engine, dispose: () => engine.close() }
})

engineContract('level', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'ashlar-engine-'))
  const engine = await LevelEngine.open(directory)
  return {
    engine,
    async dispose() {
      await engine.close()
      await rm(directory, { recursive: true })
    },
  }
})
