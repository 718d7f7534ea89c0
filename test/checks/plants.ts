/** A violation of one check: `files` are written into the clean project, and the check must name `named`. */
interface Plant {
  readonly what: string
  readonly files: Readonly<Record<string, string>>
  /** Parts of the output, the path of the faulty file first. */
  readonly named: readonly string[]
}

export function linesOf(count: number): string {
  return '// a line\n'.repeat(count)
}

/** By the name of the check they make fail. */
export const plants: Readonly<Record<string, readonly Plant[]>> = {
  format: [
    {
      what: 'a semicolon and double quotes',
      files: { 'core/limits.ts': 'export const ZONES = 3;\nexport const NAME = "a"\n' },
      named: ['core/limits.ts'],
    },
  ],
  lint: [
    {
      what: 'a promise nobody waits for',
      files: {
        'store/late.ts': 'async function f(): Promise<void> {}\nexport const g = () => {\n  f()\n}\n',
      },
      named: ['store/late.ts', 'no-floating-promises'],
    },
    {
      what: 'a promise where a callback returns nothing',
      files: {
        'store/late.ts': 'export const g = (xs: Promise<void>[]) => xs.forEach(async (x) => await x)\n',
      },
      named: ['store/late.ts', 'no-misused-promises'],
    },
    {
      what: 'any',
      files: { 'store/loose.ts': 'export const f = (x: any): unknown => x\n' },
      named: ['store/loose.ts', 'no-explicit-any'],
    },
    {
      what: 'a value of type any in use',
      files: { 'store/loose.ts': 'export const f = (x: string): number => JSON.parse(x).length\n' },
      named: ['store/loose.ts', 'no-unsafe'],
    },
    {
      what: 'a cast that may lie',
      files: { 'store/loose.ts': "export const f = (x: unknown): 'a' => x as 'a'\n" },
      named: ['store/loose.ts', 'no-unsafe-type-assertion'],
    },
    {
      what: 'a switch that forgets a case',
      files: {
        'store/cases.ts':
          "export function f(x: 'a' | 'b'): number {\n  switch (x) {\n    case 'a':\n      return 1\n  }\n  return 2\n}\n",
      },
      named: ['store/cases.ts', 'switch-exhaustiveness-check'],
    },
    {
      what: '==',
      files: { 'store/loose.ts': 'export const f = (x: unknown): boolean => x == 1\n' },
      named: ['store/loose.ts', 'eqeqeq'],
    },
    {
      what: 'a directive that silences nothing',
      files: { 'store/quiet.ts': '// oxlint-disable-next-line eqeqeq\nexport const a = 1\n' },
      named: ['store/quiet.ts'],
    },
    {
      what: 'a cycle of imports',
      files: {
        'store/a.ts': "import { b } from './b.ts'\nexport const a = () => b\n",
        'store/b.ts': "import { a } from './a.ts'\nexport const b = () => a\n",
      },
      named: ['store/a.ts', 'no-cycle'],
    },
  ],
  types: [
    {
      what: 'a wrong type',
      files: { 'store/wrong.ts': "export const n: number = 'x'\n" },
      named: ['store/wrong.ts', 'TS2322'],
    },
    {
      what: 'an element that may be missing',
      files: { 'store/wrong.ts': 'export const f = (xs: number[]): number => xs[0]\n' },
      named: ['store/wrong.ts', 'TS2322'],
    },
    {
      what: 'syntax that type stripping cannot strip',
      files: { 'store/wrong.ts': 'export enum Kind {\n  A,\n}\n' },
      named: ['store/wrong.ts', 'TS1294'],
    },
  ],
  purity: [
    {
      what: 'a Node global in core',
      files: { 'core/bytes.ts': "export const b = Buffer.from('x')\n" },
      named: ['core/bytes.ts', 'Buffer'],
    },
    {
      what: 'a browser global in core',
      files: { 'core/bytes.ts': 'export const b = document.title\n' },
      named: ['core/bytes.ts', 'document'],
    },
    ...[
      ['the clock', 'Date.now()', 'Date.now'],
      ['the clock by its constructor', 'new Date()', 'new Date()'],
      ['the clock by call', 'Date()', 'Date()'],
      ['randomness', 'Math.random()', 'Math.random'],
      ['randomness by subscript', "Math['random']()", 'Math.random'],
    ].map(([what = '', code = '', use = '']) => ({
      what: `${what} in core`,
      files: { 'core/ambient.ts': `export const f = () => ${code}\n` },
      named: ['core/ambient.ts', `${use} is ambient`],
    })),
    ...[
      ['a timer', 'setTimeout(() => {}, 1)', 'setTimeout'],
      ['a timer by globalThis', 'globalThis.setInterval(() => {}, 1)', 'setInterval'],
      ['a timer of a signal', 'AbortSignal.timeout(1)', 'AbortSignal.timeout'],
      ['a fine clock', 'performance.now()', 'performance'],
      ['the environment', "process.env['HOME']", 'process.env'],
      ['randomness of Web Crypto', 'crypto.randomUUID()', 'crypto.randomUUID'],
      ['the network', "fetch('http://localhost/')", 'fetch'],
    ].map(([what = '', code = '', use = '']) => ({
      what: `${what} in a service`,
      files: { 'gateway/ambient.ts': `export const f = () => ${code}\n` },
      named: ['gateway/ambient.ts', `${use} is ambient`],
    })),
    {
      what: 'the environment by destructuring',
      files: {
        'gateway/ambient.ts': 'export const f = () => {\n  const { env } = process\n  return env\n}\n',
      },
      named: ['gateway/ambient.ts', 'process.env is ambient'],
    },
    ...[
      ['the disk', "import { readFile as f } from 'node:fs/promises'", 'node:fs/promises'],
      ['the disk without its scheme', "import { readFile as f } from 'fs'", 'node:fs'],
      ['the network', "export * from 'node:net'", 'node:net'],
      ['timers', "import { setTimeout as f } from 'node:timers/promises'", 'node:timers/promises'],
      ['randomness', "import { randomBytes as f } from 'node:crypto'", 'crypto.randomBytes'],
      ['all of node:crypto', "import * as f from 'node:crypto'", 'node:crypto as a whole'],
      ['the environment', "import { env as f } from 'node:process'", 'process.env'],
    ].map(([what = '', code = '', use = '']) => ({
      what: `an import of ${what} in a service`,
      files: { 'metadata/ambient.ts': code.startsWith('import') ? `${code}\nexport { f }\n` : `${code}\n` },
      named: ['metadata/ambient.ts', `${use} is ambient`],
    })),
    {
      what: 'a dynamic import of the disk',
      files: { 'metadata/ambient.ts': "export const f = async () => await import('node:fs')\n" },
      named: ['metadata/ambient.ts', 'node:fs is ambient'],
    },
  ],
  imports: [
    ...[
      [
        'core of runtime',
        'core',
        "import { now } from '../runtime/clock.ts'",
        'core/ may not import runtime/',
      ],
      [
        'a type from runtime in core',
        'core',
        "type now = typeof import('../runtime/clock.ts')",
        'core/ may not',
      ],
      [
        'core of Node',
        'core',
        "import { join as now } from 'node:path'",
        "core/ may not import Node's modules",
      ],
      [
        'core of npm',
        'core',
        "import { create as now } from '@bufbuild/protobuf'",
        'core/ may not import npm',
      ],
      [
        'values of core in proto',
        'proto',
        "import { ZONES as now } from '../core/limits.ts'",
        'only types of core/',
      ],
      [
        'a service in store',
        'store',
        "import { now } from '../gateway/a.ts'",
        'store/ may not import gateway/',
      ],
      [
        'another service',
        'gateway',
        "import { now } from '../metadata/a.ts'",
        'gateway/ may not import metadata/',
      ],
      [
        'store in storage-node',
        'storage-node',
        "import { now } from '../store/read.ts'",
        'may not import store/',
      ],
      ['tests', 'workers', "import { now } from '../test/a.ts'", 'workers/ may not import test/'],
      ['the command line', 'runtime', "import { now } from '../cli/main.ts'", 'runtime/ may not import cli/'],
      ['anything in a new room', 'attic', "import { now } from '../core/limits.ts'", 'attic/ has no row'],
      [
        'files of packages',
        'store',
        "import { now } from '../node_modules/a.ts'",
        'may not import node_modules/',
      ],
    ].map(([what = '', room = '', code = '', fault = '']) => ({
      what: `imports: ${what}`,
      files: { [`${room}/planted.ts`]: `${code}\nexport type { now }\n` },
      named: [`${room}/planted.ts`, fault],
    })),
    {
      what: 'a re-export across rooms',
      files: { 'metadata/planted.ts': "export { zonesLeft } from '../store/read.ts'\n" },
      named: ['metadata/planted.ts', 'metadata/ may not import store/'],
    },
    {
      what: 'the fakes of tests in a service',
      files: {
        'store/testing/fake.ts': 'export const fake = 1\n',
        'store/planted.ts': "import { fake } from './testing/fake.ts'\nexport const f = fake\n",
      },
      named: ['store/planted.ts', 'only tests may import store/testing/fake.ts'],
    },
    {
      what: 'a dynamic import across rooms',
      files: { 'metadata/planted.ts': "export const f = async () => await import('../store/read.ts')\n" },
      named: ['metadata/planted.ts', 'metadata/ may not import store/'],
    },
    {
      what: 'a worker of another room',
      files: { 'gateway/planted.ts': "export const url = new URL('../metadata/a.ts', import.meta.url)\n" },
      named: ['gateway/planted.ts', 'gateway/ may not import metadata/'],
    },
    {
      what: 'a test beside the code that wires two services',
      files: { 'gateway/planted.test.ts': "import '../metadata/a.ts'\n" },
      named: ['gateway/planted.test.ts', 'gateway/ may not import metadata/'],
    },
  ],
  sizes: [
    {
      what: '401 lines without a reason',
      files: { 'store/long.ts': linesOf(401) },
      named: ['store/long.ts: 401 lines'],
    },
    {
      what: '401 lines of a test',
      files: { 'store/long.test.ts': linesOf(401) },
      named: ['store/long.test.ts: 401 lines'],
    },
  ],
  'dead-code': [
    {
      what: 'a file nobody imports',
      files: { 'store/unused.ts': 'export const a = 1\n' },
      named: ['store/unused.ts', 'Unused files'],
    },
    {
      what: 'an export nobody imports',
      files: { 'runtime/clock.ts': 'export const now = () => Date.now()\nexport const later = () => 1\n' },
      named: ['runtime/clock.ts', 'later'],
    },
    {
      what: 'a package nobody listed',
      files: { 'runtime/clock.ts': "import fc from 'fast-check'\nexport const now = () => fc.nat\n" },
      named: ['runtime/clock.ts', 'fast-check'],
    },
  ],
  generated: [
    {
      what: 'a contract changed after generation',
      files: { 'proto/ashlar/v1/ping.proto': 'syntax = "proto3";\npackage ashlar.v1;\nmessage Ping {}\n' },
      named: ['proto/gen/ashlar/v1/ping_pb.js', 'npm run generate'],
    },
    {
      what: 'a contract not generated',
      files: { 'proto/ashlar/v1/pong.proto': 'syntax = "proto3";\npackage ashlar.v1;\nmessage Pong {}\n' },
      named: ['proto/gen/ashlar/v1/pong_pb.js: missing'],
    },
    {
      what: 'generated code of no contract',
      files: { 'proto/gen/ashlar/v1/old_pb.js': 'export {}\n' },
      named: ['proto/gen/ashlar/v1/old_pb.js'],
    },
    {
      what: 'a contract that does not compile',
      files: { 'proto/ashlar/v1/ping.proto': 'syntax = "proto3";\nmessage {}\n' },
      named: ['proto/ashlar/v1/ping.proto'],
    },
  ],
}

/** What looks like a violation of a check and is none. */
export const innocents: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  purity: {
    'core/shadow.ts': 'export const f = (Date: { now(): number }) => Date.now()\n',
    'core/given.ts': 'export const f = (ms: number): Date => new Date(ms)\n// Date.now() in a comment\n',
    'core/clock.test.ts': 'export const f = () => Date.now()\n',
    'core/text.ts': "export const f = () => new TextEncoder().encode('x')\n",
    'core/kernel.ts': 'export const f = () => new WebAssembly.Memory({ initial: 1 })\n',
    'gateway/types.ts':
      "import type { Server } from 'node:http'\nexport type S = Server | WebSocket | Date\n",
    'gateway/hash.ts': "import { createHash } from 'node:crypto'\nexport const f = () => createHash('md5')\n",
    'gateway/other.ts': "import { f } from '../metadata/a.ts'\nexport { f }\n",
    'gateway/main.ts': "import { createServer } from 'node:http'\nexport const f = () => createServer()\n",
  },
  imports: {
    'store/ambient.ts': 'export const f = () => Date.now()\n',
    'cli/version.ts': "import version from '../package.json' with { type: 'json' }\nexport { version }\n",
    'proto/api.ts': "import type { ZONES } from '../core/limits.ts'\nexport type Z = typeof ZONES\n",
    'core/oracle.test.ts': "import { createHash } from 'node:crypto'\nexport const f = createHash\n",
    'gateway/put.ts': "import { zonesLeft } from '../store/read.ts'\nexport const f = zonesLeft\n",
    'test/cluster/whole.ts': "import { f } from '../../gateway/put.ts'\nexport const g = f\n",
    'top.config.ts': "import { f } from './gateway/put.ts'\nexport const g = f\n",
  },
}
