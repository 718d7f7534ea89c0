/** Settings of the JavaScript engine; imported first, before anything is allocated that they speak of. */
import { setFlagsFromString } from 'node:v8'

/**
 * By default V8 collects the whole heap whenever a few dozen MiB of buffers were allocated since the last time, however
 * much of the heap they are: bodies stream through buffers, so that a gateway collected every 20 MB. Counted with the heap,
 * under one limit, a GB costs a fifth as many collections, and a large GET 20 to 40 % less CPU, a PUT 10 to 25 %, for up to
 * 100 MiB more memory a process (docs/performance.md, "Whole cluster"). The flag is of this V8; others stay as they are.
 */
if (process.versions.v8.startsWith('13.6.')) setFlagsFromString('--external-memory-accounted-in-global-limit')
