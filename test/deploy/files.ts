import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parse } from 'yaml'
import { z } from 'zod'
import { root } from '../../scripts/lib/root.ts'

/** Files of `deploy/` as the tests read them. */

export function deployed(...path: string[]): string {
  return join(root, 'deploy', ...path)
}

/** A YAML document, with merge keys (`<<`) and anchors done, as Docker Compose and Helm read it. */
export async function readYaml(path: string): Promise<unknown> {
  return parse(await readFile(path, 'utf8'), { merge: true })
}

/** What the image says of itself in its last stage. */
export interface ImageFile {
  /** Sources in the build context, with the folder or file in the image, of every COPY that is not from another stage. */
  readonly copies: readonly (readonly [source: string, target: string])[]
  readonly environment: Readonly<Record<string, string>>
  readonly entrypoint: readonly string[]
  readonly command: readonly string[]
  readonly healthcheck: readonly string[]
  readonly user: string
  readonly ports: readonly string[]
}

const words = z.array(z.string())

/** The part of the Dockerfile's language that ours uses. */
export async function readDockerfile(): Promise<ImageFile> {
  const text = await readFile(deployed('docker', 'Dockerfile'), 'utf8')
  const lines = text
    .replaceAll(/^#.*\n/gm, '')
    .replaceAll(/\\\n\s*/g, '')
    .split('\n')
  const last = lines.slice(lines.findLastIndex((line) => line.startsWith('FROM ')))
  const of = (instruction: string) =>
    last
      .filter((line) => line.startsWith(`${instruction} `))
      .map((line) => line.slice(instruction.length).trim())
  const exec = (text_: string | undefined) => words.parse(JSON.parse(text_ ?? 'null'))
  return {
    copies: of('COPY')
      .filter((line) => !line.startsWith('--from='))
      .flatMap((line) => {
        const parts = line.split(/\s+/)
        const target = parts.at(-1) ?? ''
        return parts.slice(0, -1).map((source) => [source, target] as const)
      }),
    environment: Object.fromEntries(
      of('ENV').flatMap((line) =>
        line.split(/\s+/).map((one): [string, string] => {
          const [name = '', value = ''] = one.split('=', 2)
          return [name, value]
        }),
      ),
    ),
    entrypoint: exec(of('ENTRYPOINT')[0]),
    command: exec(of('CMD')[0]),
    healthcheck: exec(of('HEALTHCHECK')[0]?.replace(/^.*?CMD /, '')),
    user: of('USER')[0] ?? '',
    ports: of('EXPOSE'),
  }
}
