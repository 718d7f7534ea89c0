import { Command, CommanderError, Option } from 'commander'
import packageFile from '../package.json' with { type: 'json' }
import { fieldsOf, type ConfigSchema } from '../runtime/config/layers.ts'
import {
  gatewayConfig,
  metadataConfig,
  storageNodeConfig,
  workerConfig,
  type ServiceKind,
} from '../runtime/config/services.ts'
import type { CommandRow } from './command-row.ts'
import { CommandError, EXIT_USAGE } from './failure.ts'
import { metadataCommands } from './metadata/commands.ts'
import { startConfig } from './start/config.ts'
import { fsckConfig } from './fsck/config.ts'
import { statusConfig } from './status/config.ts'
import { credentialsConfig } from './credentials/config.ts'
import { partitionCommands, partitionGroup, type PartitionCommand } from './partition/commands.ts'
import { topologyCommands, topologyGroups, type TopologyCommand } from './topology/commands.ts'

/** The texts of flags by the field they set. */
export type Flags = Readonly<Record<string, string | undefined>>

/** What each command does, once its line is understood. Resolves to the exit code. */
export interface Actions {
  start(flags: Flags): Promise<number>
  service(kind: ServiceKind, configFile: string | undefined, flags: Flags): Promise<number>
  status(flags: Flags): Promise<number>
  fsck(flags: Flags): Promise<number>
  topology(command: TopologyCommand, args: readonly string[], flags: Flags): Promise<number>
  partition(command: PartitionCommand, args: readonly string[], flags: Flags): Promise<number>
  /** What is done to metadata beside running it: backups. */
  metadata(command: CommandRow, args: readonly string[], flags: Flags): Promise<number>
  credentials(flags: Flags): Promise<number>
}

export interface Output {
  readonly out: (text: string) => void
}

/**
 * Reads a command line and does what it says.
 * @param args without the program's own name
 * @returns the exit code
 * @throws {CommandError} the line makes no sense; and what the actions throw
 */
export async function runProgram(args: readonly string[], actions: Actions, output: Output): Promise<number> {
  let code = 0
  const program = build(actions, output, (result) => {
    code = result
  })
  try {
    await program.parseAsync(args, { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    // Help and version are asked for; the bare command shows the help too.
    if (error.exitCode === 0 || error.code === 'commander.help') return 0
    const message = error.message.replace(/^error: /, '')
    throw new CommandError(message, {
      exitCode: EXIT_USAGE,
      hints: ['ashlar help shows the commands, ashlar <command> --help the options.'],
    })
  }
  return code
}

function build(actions: Actions, output: Output, done: (code: number) => void): Command {
  const program = new Command('ashlar')
    .description('S3-compatible object storage you host yourself.')
    .version(packageFile.version, '--version', 'show the version')
    .helpOption('-h, --help', 'show help')
    .helpCommand('help [command]', 'show help for a command')
    .showSuggestionAfterError()
    // An option is that of the last command named before it, as `metadata` has some of the same names as what is below it.
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({ writeOut: output.out, writeErr: output.out, outputError: () => {} })
    .addHelpText('after', `\n${examples.program}`)

  const add = (name: string, schema: ConfigSchema, description: string, example: string): Command => {
    const command = program.command(name).description(description).allowExcessArguments(false)
    for (const option of options(schema)) command.addOption(option)
    // ASHLAR_DEBUG is read where errors are shown; the flag is known everywhere.
    return command
      .option('--debug', 'show where an error came from')
      .addHelpText(
        'after',
        `\nIn the environment: ASHLAR_ and the name of the option, such as ${variableOf(schema)}.\n\n${example}`,
      )
  }

  add('start', startConfig, 'run a whole cluster on this machine', examples.start).action(
    async (flags: Values) => {
      done(await actions.start(texts(flags)))
    },
  )
  add(
    'status',
    statusConfig,
    'show zones, nodes, pools and what the loss of a zone would do',
    examples.status,
  ).action(async (flags: Values) => {
    done(await actions.status(texts(flags)))
  })
  add(
    'fsck',
    fsckConfig,
    'hold the records of metadata against the shards of all nodes',
    examples.fsck,
  ).action(async (flags: Values) => {
    done(await actions.fsck(texts(flags)))
  })
  add(
    'credentials',
    credentialsConfig,
    'show the root credentials of a local cluster',
    examples.credentials,
  ).action(async (flags: Values) => {
    done(await actions.credentials(texts(flags)))
  })
  addTopology(program, async (command, args, flags) => {
    done(await actions.topology(command, args, flags))
  })
  addPartition(program, async (command, args, flags) => {
    done(await actions.partition(command, args, flags))
  })
  for (const [kind, schema, description] of [
    ['gateway', gatewayConfig, 'run one gateway: the S3 endpoint'],
    ['metadata', metadataConfig, 'run the metadata service'],
    ['storage-node', storageNodeConfig, 'run one storage node'],
    ['worker', workerConfig, 'run the background work: repair, moves, garbage, metrics'],
  ] as const) {
    const service = add(kind, schema, description, examples[kind])
    if (kind === 'metadata') {
      // Its own options come before the name of a command below it, or there is none.
      service.enablePositionalOptions()
      for (const row of metadataCommands) {
        addRow(service, row, async (command, args, flags) => {
          done(await actions.metadata(command, args, flags))
        })
      }
    }
    service
      .option('--config <file>', 'JSON file of the options, by their names in camelCase')
      .action(async (flags: Values) => {
        const { config, ...rest } = texts(flags)
        done(await actions.service(kind, config, rest))
      })
  }
  return program
}

/** `ashlar node add NAME …` and the like: a command each, under one for its group. */
function addTopology(
  program: Command,
  run: (command: TopologyCommand, args: readonly string[], flags: Flags) => Promise<void>,
): void {
  const groups = Object.fromEntries(
    Object.entries(topologyGroups).map(([group, { description, examples: text }]) => [
      group,
      program.command(group).description(description).addHelpText('after', `\n${text}`),
    ]),
  )
  for (const row of topologyCommands) {
    const parent = row.group === undefined ? program : groups[row.group]
    if (parent !== undefined) addRow(parent, row, run)
  }
}

/** `ashlar partition split ID …` and the like. */
function addPartition(
  program: Command,
  run: (command: PartitionCommand, args: readonly string[], flags: Flags) => Promise<void>,
): void {
  const { description, examples: text } = partitionGroup
  const parent = program.command('partition').description(description).addHelpText('after', `\n${text}`)
  for (const row of partitionCommands) addRow(parent, row, run)
}

/** A command with what must be given to it, and its options. */
function addRow<R extends Pick<TopologyCommand, 'name' | 'args' | 'schema' | 'description'>>(
  parent: Command,
  row: R,
  run: (row: R, args: readonly string[], flags: Flags) => Promise<void>,
): void {
  const command = parent.command(row.name).description(row.description).allowExcessArguments(false)
  for (const name of row.args) command.argument(`<${name}>`)
  for (const option of options(row.schema)) command.addOption(option)
  command.option('--debug', 'show where an error came from').action(async (...given: unknown[]) => {
    // Commander gives the arguments, then the options, then itself.
    const args = given.slice(0, row.args.length).map(String)
    await run(row, args, texts(command.opts()))
  })
}

/** One option for each field. Its text is read and checked with the other layers, not here. */
function options(schema: ConfigSchema): Option[] {
  return fieldsOf(schema).map(({ flag, key, description, fallback, value, required }) => {
    const silent = value !== 'needed' || fallback === undefined
    const note = silent ? (required ? ' (required)' : '') : ` (${fallback})`
    const placeholder = placeholders[key] ?? 'value'
    const taken = { none: '', optional: ` [${placeholder}]`, needed: ` <${placeholder}>` }[value]
    return new Option(`${flag}${taken}`, `${description}${note}`)
  })
}

const placeholders: Readonly<Record<string, string>> = {
  data: 'folder',
  host: 'address',
  port: 'number',
  zones: 'number',
  nodesPerZone: 'number',
  gateways: 'number',
  code: 'name',
  domain: 'name',
  region: 'name',
  defaultObjectOwnership: 'ownership',
  bucketsPerAccount: 'number',
  logLevel: 'level',
  metadata: 'host:port,…',
  advertise: 'host:port',
  secretFile: 'file',
  credentialsFile: 'file',
  pidFile: 'file',
  clusterId: 'id',
  nodes: 'json',
  node: 'name',
  zone: 'name',
  adminHost: 'address',
  adminPort: 'number',
  nodeGraceSeconds: 'number',
  scrubDays: 'number',
  garbageGraceSeconds: 'number',
  compactionBytesPerSecond: 'bytes',
  repairBytesPerSecond: 'bytes',
  bytesPerSecond: 'bytes',
  weight: 'number',
  groups: 'number',
  at: 'bucket/key',
  to: 'name',
  engine: 'address',
  nodeId: 'name',
  splitWritesPerSecond: 'number',
  splitReadsPerSecond: 'number',
  splitAfterSeconds: 'number',
  mergeAfterSeconds: 'number',
  emulateS3Limits: 'scale',
  bucket: 'name',
  prefix: 'text',
}

function variableOf(schema: ConfigSchema): string {
  return fieldsOf(schema).find(({ key }) => key === 'data' || key === 'host')?.variable ?? ''
}

/** Options as commander gives them. */
type Values = Readonly<Record<string, unknown>>

/** The same as texts; a flag without a value is `true`. */
function texts(values: Values): Flags {
  const given = Object.entries(values).filter(([key]) => key !== 'debug')
  return Object.fromEntries(given.map(([key, value]) => [key, String(value)]))
}

const examples = {
  program: `Examples:
  ashlar start                         a cluster of three zones in ./data, S3 on http://127.0.0.1:9000
  ashlar status                        how it is, and what it can lose
  ashlar credentials                   the keys to sign requests with
  ashlar node add zone-b-3 --zone zone-b
`,
  start: `Examples:
  ashlar start --data /srv/ashlar --host 0.0.0.0
  ashlar start --zones 1 --nodes-per-zone 4 --code rs-2-2
  ashlar start --emulate-s3-limits=0.1          a tenth of what S3 lets a prefix do, and splits from there on
  ashlar start --separate --gateways 2
      then, to lose a zone:  kill -9 $(cat data/run/storage-node-zone-a-*.pid)
  ASHLAR_ROOT_ACCESS_KEY=admin ASHLAR_ROOT_SECRET_KEY=… ashlar start
`,
  gateway: `Examples:
  ashlar gateway --config gateway.json
  ashlar gateway --host 0.0.0.0 --metadata 10.0.0.7:9101 --secret-file secret --credentials-file credentials.json
`,
  metadata: `Examples:
  ashlar metadata --config metadata.json
  ashlar metadata --data /srv/metadata --host 10.0.0.7 --secret-file secret --cluster-id $(openssl rand -hex 16) \\
      --nodes '{"zone-a": ["a-1", "a-2"], "zone-b": ["b-1", "b-2"], "zone-c": ["c-1", "c-2"]}'
  ashlar metadata backup --to metadata.backup
  ashlar metadata verify metadata.backup
  ashlar metadata restore metadata.backup --data /srv/ashlar
`,
  'storage-node': `Examples:
  ashlar storage-node --config node.json
  ashlar storage-node --node a-1 --zone zone-a --data /srv/shards --host 10.0.0.8 \\
      --metadata 10.0.0.7:9101 --secret-file secret
`,
  worker: `Examples:
  ashlar worker --config worker.json
  ashlar worker --metadata 10.0.0.7:9101 --secret-file secret --repair-bytes-per-second 200MiB --admin-port 9180
`,
  status: `Exit codes: 0 healthy, 3 degraded, 1 unreachable.

Examples:
  ashlar status --data /srv/ashlar
  ashlar status --metadata 10.0.0.7:9101 --secret-file secret --json
`,
  fsck: `Exit codes: 0 all agrees, 1 something disagrees, 2 not all of it could be looked at.

Examples:
  ashlar fsck --data /srv/ashlar
  ashlar fsck --metadata 10.0.0.7:9101 --secret-file secret --deep --json > found.jsonl
  ashlar fsck --bucket photos --prefix 2026/
  mv data/metadata data/metadata.lost && ashlar fsck --rebuild --data data
`,
  credentials: `Examples:
  ashlar credentials
  export $(ashlar credentials --env)
`,
} as const
