import { FailureCode } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { MetadataError } from '../../proto/metadata-api.ts'

/** UNAVAILABLE, as this process found it to be: not an answer of metadata's. */
export class UnreachedError extends MetadataError {
  /** False: nothing of the request has left this process, or can any more. True: the outcome of a write is unknown. */
  readonly sent: boolean
  /** It would fail the same wherever it is asked: the caller is refused, or has too much in flight, or closes. */
  readonly final: boolean

  constructor(message: string, { sent, final = false }: { sent: boolean; final?: boolean }) {
    super(FailureCode.UNAVAILABLE, message)
    this.sent = sent
    this.final = final
  }
}
