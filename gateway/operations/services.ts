/** What handlers work with, and their type. */
import type { Store } from '../../store/api.ts'
import type { Handler, OperationInput, OperationOutput } from './operation.ts'

export interface S3Services {
  readonly store: Store
}

/** The handler of an operation, by the SDK's types of its input and output. */
export type S3Handler<SdkInput, SdkOutput> = Handler<OperationInput<SdkInput>, OperationOutput<SdkOutput>>
