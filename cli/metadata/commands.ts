import type { CommandRow } from '../command-row.ts'
import { acceptRestoreConfig, backupConfig, recoverConfig, restoreConfig, verifyConfig } from './config.ts'

/** What `ashlar metadata` does beside running the service. */
export const metadataCommands: readonly CommandRow[] = [
  {
    name: 'backup',
    args: [],
    schema: backupConfig,
    description: 'write everything in metadata, as of one moment, to a file while the cluster runs',
  },
  {
    name: 'verify',
    args: ['file'],
    schema: verifyConfig,
    description: 'read a backup and say whether it is whole and its records fit each other',
  },
  {
    name: 'restore',
    args: ['file'],
    schema: restoreConfig,
    description: 'fill an empty engine, of whatever kind, from a backup',
  },
  {
    name: 'recover',
    args: [],
    schema: recoverConfig,
    description: 'after the loss of the metadata: bring it back from the copy that the storage nodes hold',
  },
  {
    name: 'accept-restore',
    args: [],
    schema: acceptRestoreConfig,
    description: 'after a restore: let blobs that no record names be removed again',
  },
]
