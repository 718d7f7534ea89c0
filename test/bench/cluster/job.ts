/** What the load generator is asked to do, and what it answers. */

/** Where requests go; the benchmark's own server asks for no signature and is given one all the same. */
export interface Endpoint {
  readonly host: string
  readonly port: number
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly bucket: string
}

export type Job =
  | { readonly kind: 'create-bucket'; readonly endpoint: Endpoint }
  | LoadJob
  | {
      /** One object by a multipart upload, its parts by `clients` at once. */
      readonly kind: 'upload'
      readonly endpoint: Endpoint
      readonly object: number
      readonly size: number
      readonly partSize: number
      readonly clients: number
    }

export interface LoadJob {
  readonly kind: 'put' | 'get'
  readonly endpoint: Endpoint
  readonly size: number
  /** Connections, each with one request at a time. */
  readonly clients: number
  /** Objects `firstObject` and those after it are put; gets go round `objects` of them. */
  readonly firstObject: number
  readonly objects: number
  /** It ends after so many operations … */
  readonly operations: number
  /** … or begins none after so many seconds. */
  readonly seconds: number
}

export interface Outcome {
  readonly operations: number
  readonly seconds: number
  readonly p50Ms: number
  readonly p99Ms: number
}

export type Reply = { readonly outcome: Outcome } | { readonly error: string }
