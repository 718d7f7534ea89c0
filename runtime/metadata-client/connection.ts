import type {
  MetadataApi,
  MetadataOperation,
  MetadataReply,
  MetadataRequestInit,
} from '../../proto/metadata-api.ts'

/** One metadata process, as it is named to whoever connects to it. */
export interface MemberPlace {
  /** Empty: not known yet, as of an address that this process was given. */
  readonly id: string
  /** `host:port`; empty: it is in this process, and found by its id. */
  readonly address: string
}

/** A call that is under way. */
export interface Begun<K extends MetadataOperation> {
  readonly reply: Promise<MetadataReply<K>>
  /** The process may be working on it. */
  readonly sent: boolean
  /** Waits no longer: the reply fails as `UnreachedError`, and what was not sent never will be. */
  takeBack(why: string): void
}

/** Requests to one metadata process, whichever ranges it has. */
export interface MemberConnection extends MetadataApi {
  /**
   * As `call`, for who may want to ask another process meanwhile. Absent where a process cannot be out of reach, or stand
   * still, by itself: in this one.
   */
  begin?<K extends MetadataOperation>(
    operation: K,
    request: MetadataRequestInit<K>,
    signal?: AbortSignal,
  ): Begun<K>
  close?(): Promise<void>
}
