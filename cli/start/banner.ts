import { ACCESS_KEY_VARIABLE } from '../folder/credentials.ts'
import type { RootCredentials } from '../folder/data-folder.ts'
import { plural } from '../plural.ts'

/** What is said once a cluster serves. */
export interface Started {
  readonly version: string
  /** Base URLs of the gateways, at least one. */
  readonly endpoints: readonly string[]
  readonly region: string
  readonly domain: string | undefined
  readonly zones: number
  readonly nodes: number
  readonly code: string
  /** URL of metrics and the admin interface. */
  readonly admin: string
  /** As the user would name the folder. */
  readonly folder: string
  readonly separate: boolean
  readonly credentials: RootCredentials
  /** What the user should know about durability: a sentence each. */
  readonly warnings: readonly string[]
}

/** The first words of the last line: what programs wait for. Everything is up and a probe was answered by then. */
const READY = 'Ready.'

/** The text of a start. The secret key is in it only if this start made it. */
export function banner(started: Started): string {
  const { endpoints, region, domain, zones, nodes, code, folder } = started
  const gateways = endpoints.length === 1 ? 'a gateway' : `${endpoints.length} gateways`
  const processes = started.separate ? `a process each, in ${folder}/run` : 'one process'
  const rows: [string, string][] = [
    ['Endpoint', endpoints.join('  ')],
    ...(domain === undefined
      ? []
      : ([['Buckets', `<bucket>.${domain} as well as in the path`]] as [string, string][])),
    ['Region', region],
    [
      'Cluster',
      `${plural(nodes, 'storage node')} in ${plural(zones, 'zone')}, ${code}, metadata, a worker, ${gateways}; ${processes}`,
    ],
    ['Admin', `${started.admin}/metrics, /v1/status, /v1/risk`],
    ['Data', folder],
  ]
  return [
    `Ashlar ${started.version}`,
    '',
    ...rows.map(([label, text]) => `  ${label.padEnd(9)} ${text}`),
    ...credentialLines(started),
    ...(started.warnings.length === 0
      ? []
      : ['', ...started.warnings.map((warning) => `  Warning: ${warning}`)]),
    '',
    `${READY} Ctrl-C stops it${started.separate ? ' and all its processes' : ''}.`,
    '',
  ].join('\n')
}

/** The URL by which this machine reaches what listens on an address: the wildcards are no addresses to call. */
export function endpointOf(address: string): string {
  return `http://${address.replace(/^0\.0\.0\.0:/, '127.0.0.1:').replace(/^\[::\]:/, '[::1]:')}`
}

function credentialLines({ credentials, endpoints, region, folder }: Started): string[] {
  const option = folder === './data' ? '' : ` --data ${folder}`
  switch (credentials.origin) {
    case 'environment':
      return [`  Keys      those of ${ACCESS_KEY_VARIABLE} in the environment`]
    case 'file':
      return [`  Keys      npx ashlar credentials${option}`]
    case 'made':
      return [
        '',
        '  The root credentials, shown this once (later: npx ashlar credentials), and the first commands:',
        '',
        `    export AWS_ACCESS_KEY_ID=${credentials.accessKeyId}`,
        `    export AWS_SECRET_ACCESS_KEY=${credentials.secretAccessKey}`,
        `    export AWS_DEFAULT_REGION=${region} AWS_ENDPOINT_URL=${endpoints[0] ?? ''}`,
        '    aws s3 mb s3://first',
        '    echo hello | aws s3 cp - s3://first/hello.txt',
        '    aws s3 cp s3://first/hello.txt -',
      ]
  }
}
