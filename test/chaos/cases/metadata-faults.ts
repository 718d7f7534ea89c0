import { metadataFaults } from '../metadata/case.ts'

/** The default: one process, its data in a folder. Requests wait until it is back. */
export const metadataProcess = metadataFaults({
  name: 'metadata-faults',
  what: 'kill -9 and SIGSTOP of the metadata process under load; histories are linearizable',
  async ground() {
    return { metadata: [(folder) => ['--data', folder]], faults: [] }
  },
})
