import type { MetadataApi } from '../../proto/metadata-api.ts'
import type { GetClusterReply } from '../../proto/gen/ashlar/v1/metadata_pb.js'

export interface AddressBook {
  /** The same metadata, overheard. */
  readonly metadata: MetadataApi
  /** `host:port` of a storage node as last heard; undefined while it is not known. */
  readonly addressOf: (node: string) => string | undefined
}

/**
 * Learns where the storage nodes are from the answers that the store asks for anyway: it looks at the cluster every second,
 * so that a node that comes back elsewhere is found there.
 */
export function overhearAddresses(metadata: MetadataApi): AddressBook {
  const addresses = new Map<string, string>()
  const learn = ({ nodes }: GetClusterReply) => {
    for (const { node, address } of nodes) if (address !== '') addresses.set(node, address)
  }
  return {
    metadata: {
      async call(operation, request, signal) {
        const reply = await metadata.call(operation, request, signal)
        if (reply.$typeName === 'ashlar.v1.GetClusterReply') learn(reply)
        return reply
      },
    },
    addressOf: (node) => addresses.get(node),
  }
}
