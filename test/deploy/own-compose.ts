import { cp, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { atEnd, type Lifetime } from '../cluster/lifetime.ts'
import { run } from '../cluster/tools.ts'
import { loadCompose, parseVariables, type Compose, type ComposeService } from './compose-files.ts'
import { deployed } from './files.ts'

/** The compose files of the project, in a folder of their own with secrets made as a user makes them. */
export interface OwnCompose {
  readonly folder: string
  readonly variables: Readonly<Record<string, string>>
  load(...files: readonly string[]): Promise<Compose>
  /** Where the file lies that a container sees as `/run/secrets/NAME`. */
  secret(compose: Compose, name: string): string
}

export async function ownCompose(t: Lifetime): Promise<OwnCompose> {
  const folder = await mkdtemp(join(tmpdir(), 'ashlar-compose-'))
  atEnd(t, () => rm(folder, { recursive: true, force: true }))
  await cp(deployed('compose'), folder, {
    recursive: true,
    // Those of somebody who runs the cluster in this checkout are theirs.
    filter: (path) => !/[/\\](secrets|\.env)$/.test(path),
  })
  await run('sh', [join(folder, 'secrets.sh')])
  const variables = parseVariables(await readFile(join(folder, '.env'), 'utf8'))
  return {
    folder,
    variables,
    load: (...files) =>
      loadCompose(
        files.map((file) => join(folder, file)),
        variables,
      ),
    secret(compose, name) {
      const path = compose.secrets.get(name)
      if (path === undefined) throw new Error(`no secret ${name} is declared`)
      return join(folder, path)
    },
  }
}

/** The names of the secrets that a service's command and environment read. */
export function secretsRead({ command = [], environment = {} }: ComposeService): string[] {
  const texts = [...command, ...Object.values(environment)]
  return [
    ...new Set(
      texts.flatMap((text) => [...text.matchAll(/\/run\/secrets\/([a-z-]+)/g)].map(([, name = '']) => name)),
    ),
  ]
}

/** Whether a service runs the image of this project. */
export function isOwn({ image }: ComposeService): boolean {
  return image === 'ashlar'
}

/** Texts of a service with the places of its container put where they are on this machine. */
export function placed(
  { command = [], environment = {} }: ComposeService,
  place: (text: string) => string,
): { readonly args: string[]; readonly environment: Record<string, string> } {
  return {
    args: command.map(place),
    environment: Object.fromEntries(Object.entries(environment).map(([name, text]) => [name, place(text)])),
  }
}
