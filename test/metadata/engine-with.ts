import type { Engine } from '../../metadata/engine/engine.ts'

/** The engine, but for what `changed` does in another way. */
export function engineWith(engine: Engine, changed: Partial<Engine>): Engine {
  return {
    limits: engine.limits,
    get: (key) => engine.get(key),
    scan: (request) => engine.scan(request),
    scanTogether: (requests) => engine.scanTogether(requests),
    watch: (key, listener) => engine.watch(key, listener),
    estimate: (range) => engine.estimate(range),
    openSnapshot: () => engine.openSnapshot(),
    commit: (batch) => engine.commit(batch),
    close: () => engine.close(),
    ...changed,
  }
}
