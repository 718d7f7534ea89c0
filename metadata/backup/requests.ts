import { create } from '@bufbuild/protobuf'
import { restoredKey } from '../../core/keyspace/keys.ts'
import { RECORD_FORMAT } from '../../core/limits.ts'
import {
  AcceptRestoreReplySchema,
  CloseBackupReplySchema,
  GetBackupStateReplySchema,
  OpenBackupReplySchema,
  ReadBackupReplySchema,
  type JournalState,
  type Reply,
  type Request,
} from '../../proto/gen/ashlar/v1/metadata_pb.js'
import type { Partition } from '../partition/partition.ts'
import type { RestoreBrake } from './brake.ts'
import type { OpenBackups } from './open-backups.ts'

export interface BackupParts {
  readonly clusterId: string
  readonly backups: OpenBackups
  readonly brake: RestoreBrake
  /** The one that commits the cluster's own records. */
  readonly partition: Pick<Partition, 'onName' | 'enqueue'>
  /** Undefined where the engine ships no journal. */
  readonly journal?: { state(): JournalState } | undefined
}

type BackupOperation = Extract<
  Request['operation'],
  { case: 'openBackup' | 'readBackup' | 'closeBackup' | 'acceptRestore' | 'getBackupState' }
>

/** The operations of backups and of what follows a restore. @throws {MetadataError} */
export async function answerBackup(
  { clusterId, backups, brake, partition, journal }: BackupParts,
  operation: BackupOperation,
): Promise<Reply['result']> {
  switch (operation.case) {
    case 'openBackup': {
      const { id, atMs, engines, heldMs, bytes } = await backups.open(operation.value.allRecords)
      const value = create(OpenBackupReplySchema, {
        id,
        clusterId,
        atMs: BigInt(atMs),
        recordFormat: RECORD_FORMAT,
        engines: [...engines],
        oneMoment: true,
        heldMs: BigInt(Math.ceil(heldMs)),
        bytes: BigInt(Math.round(bytes)),
      })
      return { case: 'openBackup', value }
    }
    case 'readBackup': {
      const { id, engine, after, before } = operation.value
      const entries = await backups.read(id, engine, after, before)
      return { case: 'readBackup', value: create(ReadBackupReplySchema, { entries }) }
    }
    case 'closeBackup':
      await backups.close(operation.value.id)
      return { case: 'closeBackup', value: create(CloseBackupReplySchema) }
    case 'acceptRestore': {
      const spans = await partition.onName('restored', async () => {
        const accepted = brake.spans
        if (accepted.length > 0) partition.enqueue({ deletes: [restoredKey] })
        return accepted
      })
      return { case: 'acceptRestore', value: create(AcceptRestoreReplySchema, { spans: [...spans] }) }
    }
    case 'getBackupState': {
      const value = create(GetBackupStateReplySchema, {
        restored: [...brake.spans],
        journal: journal?.state(),
      })
      return { case: 'getBackupState', value }
    }
  }
}
