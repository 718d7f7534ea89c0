import { join } from 'node:path'

/** Not `lock`: LevelDB has a LOCK of its own in its folders, and some file systems fold case. */
export const LOCK_FILE = 'ashlar.lock'

/** Where everything lies in the folder of a cluster that `ashlar start` runs. */
export interface DataPaths {
  readonly folder: string
  /** Empty file that the running cluster holds locked. */
  readonly lock: string
  readonly cluster: string
  readonly credentials: string
  readonly secret: string
  readonly metadata: string
  /** Folder of a storage node by its name. */
  node(name: string): string
  readonly run: string
  /** Files of a service by its name, such as `storage-node-zone-a-1`. */
  pid(service: string): string
  log(service: string): string
  config(service: string): string
}

export function dataPaths(folder: string): DataPaths {
  const run = join(folder, 'run')
  return {
    folder,
    lock: join(folder, LOCK_FILE),
    cluster: join(folder, 'cluster.json'),
    credentials: join(folder, 'credentials.json'),
    secret: join(folder, 'secret'),
    metadata: join(folder, 'metadata'),
    node: (name) => join(folder, 'nodes', name),
    run,
    pid: (service) => join(run, `${service}.pid`),
    log: (service) => join(run, `${service}.log`),
    config: (service) => join(run, `${service}.json`),
  }
}
