import { etcdMissing } from '../../servers/etcd.ts'
import { postgresMissing } from '../../servers/postgres.ts'
import { metadataFaults } from '../metadata/case.ts'
import { etcdGround, postgresGround } from '../metadata/grounds.ts'

/** The default: one process, its data in a folder. Requests wait until it is back. */
export const metadataProcess = metadataFaults({
  name: 'metadata-faults',
  what: 'kill -9 and SIGSTOP of the metadata process under load; histories are linearizable',
  async ground() {
    return { metadata: [(folder) => ['--data', folder]], faults: [] }
  },
})

export const metadataOnPostgres = metadataFaults({
  name: 'metadata-postgres',
  what: 'the same of three on PostgreSQL, whose primary dies and stands still too, while partitions split, merge and move',
  unable: async () => (await postgresMissing()) || undefined,
  ground: postgresGround,
})

export const metadataOnEtcd = metadataFaults({
  name: 'metadata-etcd',
  what: 'the same of three on etcd, whose leader dies and stands still too, while partitions split, merge and move',
  unable: async () => (await etcdMissing()) || undefined,
  ground: etcdGround,
})
