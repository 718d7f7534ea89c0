/** Settings of the JavaScript engine; imported first, before anything is allocated that they speak of. */
import { setFlagsFromString } from 'node:v8'

/**
 * By default V8 collects the whole heap whenever a few dozen MiB of buffers were allocated since the last time, however
 * much of the heap they are: bodies stream through buffers, so that a gateway collected every 25 MB. Counted with the heap,
 * under one limit, they cost a tenth of that: GETs of large objects take 40 % less CPU, PUTs 13 %, for up to 100 MiB more
 * memory a process (`npm run bench -- cluster`). The flag is of this V8; others are left as they are.
 */
if (process.versions.v8.startsWith('13.6.')) setFlagsFromString('--external-memory-accounted-in-global-limit')
