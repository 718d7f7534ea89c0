/** What handlers work with, and their type. */
import type { Store } from '../../store/api.ts'
import type { Handler, OperationInput, OperationOutput } from './operation.ts'

export interface S3Services {
  readonly store: Store
  /** A new upload id: 32 lower-case hex digits, in order of time, never given twice; see runtime/random/identifier.ts. */
  readonly newUploadId: () => string
}

/** The handler of an operation, by the SDK's types of its input and output. */
export type S3Handler<SdkInput, SdkOutput> = Handler<OperationInput<SdkInput>, OperationOutput<SdkOutput>>
