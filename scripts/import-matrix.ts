/**
 * Who may import whom, and who may touch the world: the one statement of both (docs/ARCHITECTURE.md).
 *
 * `npm run check imports` holds every import against `rooms`; `npm run check purity` holds every use of a
 * clock, timer, random number, disk, network or environment against `ambient`. Both read this file and
 * nothing else, so a change of the architecture is a change of these tables.
 */

/** What the files of one top-level directory may import. Its own files are always allowed. */
interface Room {
  /** Rooms (and files at the top) whose values and types it may import. */
  readonly imports: readonly string[]
  /** Rooms of which it may import types only, which vanish before anything runs. */
  readonly types?: readonly string[]
  /** Whether non-test files may import Node's modules and npm packages. */
  readonly external: boolean
}

const service = { imports: ['core', 'runtime', 'proto'], external: true }

/** A top-level directory without a row here may hold no code. */
export const rooms: Readonly<Record<string, Room>> = {
  core: { imports: [], external: false },
  proto: { imports: [], types: ['core'], external: true },
  runtime: { imports: ['core', 'proto'], external: true },
  store: { imports: ['core', 'runtime', 'proto'], external: true },
  gateway: { imports: ['store', 'core', 'runtime', 'proto'], external: true },
  workers: { imports: ['store', 'core', 'runtime', 'proto'], external: true },
  metadata: service,
  'storage-node': service,
  // Only the command line and the tests wire several services together.
  cli: {
    imports: [
      'gateway',
      'workers',
      'metadata',
      'storage-node',
      'store',
      'core',
      'runtime',
      'proto',
      'package.json',
    ],
    external: true,
  },
  // What runs in containers beside the program.
  deploy: { imports: [], external: true },
  test: {
    imports: [
      'scripts',
      'cli',
      'gateway',
      'workers',
      'metadata',
      'storage-node',
      'store',
      'core',
      'runtime',
      'proto',
    ],
    external: true,
  },
  scripts: { imports: ['core'], external: true },
}

/** Fakes and helpers of unit tests that lie beside the code. Only tests and each other may import them. */
export const testSupport = /(^|\/)(testing\/|testing\.ts$|test-support\.ts$)/

/** Paths that adapt the real world, or choose who does: all of `ambient` is theirs to use. */
export const worldly: readonly RegExp[] = [
  /^(runtime|scripts|test|cli|deploy)\//,
  /(^|\/)main\.ts$/,
  /\.test\.ts$/,
  testSupport,
]

/**
 * Ambient sources of non-determinism. Elsewhere they are passed in as ports (runtime/ports), so that the
 * whole cluster can run on simulated time, disks and network from one seed. Type-only imports are free.
 */
export const ambient = {
  /** Globals that may not be used at all. */
  globals: [
    'performance',
    'setTimeout',
    'setInterval',
    'setImmediate',
    'fetch',
    'WebSocket',
    'EventSource',
    'XMLHttpRequest',
  ],
  /** Members of globals that may not be used. `Date` itself is handled by name: see scripts/lint. */
  members: {
    AbortSignal: ['timeout'],
    Date: ['now'],
    Math: ['random'],
    crypto: ['getRandomValues', 'randomUUID'],
    process: ['argv', 'cwd', 'env', 'exit', 'hrtime', 'uptime'],
  },
  /** Node modules that may not be imported at all (written without `node:`; subpaths included). */
  modules: [
    'child_process',
    'cluster',
    'dgram',
    'dns',
    'fs',
    'http',
    'http2',
    'https',
    'inspector',
    'net',
    'perf_hooks',
    'sqlite',
    'timers',
    'tls',
  ],
  /** Names that may not be imported from Node modules that are otherwise pure. */
  names: {
    crypto: [
      'generateKey',
      'generateKeyPair',
      'generateKeyPairSync',
      'generateKeySync',
      'getRandomValues',
      'randomBytes',
      'randomFill',
      'randomFillSync',
      'randomInt',
      'randomUUID',
      'webcrypto',
    ],
    process: ['argv', 'cwd', 'env', 'exit', 'hrtime', 'uptime'],
  },
} as const satisfies {
  globals: readonly string[]
  members: Record<string, readonly string[]>
  modules: readonly string[]
  names: Record<string, readonly string[]>
}

/** One file's leave to use some of `ambient`. */
interface Exception {
  readonly file: string
  /** What it may use, as the check names it: `node:http`, `setTimeout`, `process.env`. */
  readonly uses: readonly string[]
  readonly reason: string
}

/**
 * An exception that is no longer used fails the check, so that this list only holds what is true.
 * Last in this file: test/checks puts a list of its own here.
 */
export const exceptions: readonly Exception[] = [
  {
    file: 'gateway/http/server.ts',
    uses: ['node:http'],
    reason: 'The HTTP server itself: the one place where the gateway meets sockets, started by a main.ts.',
  },
  {
    file: 'gateway/http/client-error.ts',
    uses: ['node:http'],
    reason: "Node's table of status texts, which is data.",
  },
]
