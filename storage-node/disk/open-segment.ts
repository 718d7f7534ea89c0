import type { Log } from '../../runtime/ports/log.ts'
import { messageOf } from '../calls.ts'
import type { Scrubber } from '../scrub/scrubber.ts'
import { type SegmentFiles, segmentPath } from '../segment/files.ts'
import type { SegmentLog } from '../segment/log.ts'

export interface OpenSegmentPorts {
  readonly files: SegmentFiles
  readonly segments: SegmentLog
  readonly scrubber: Scrubber
  readonly log: Log
}

/**
 * Looks whether the segment that is appended to still has its name. Writes to a file without one succeed, and are gone with
 * the process: the log goes on in another then, and what was in this one is listed as damaged.
 */
export async function lookForOpenSegment(ports: OpenSegmentPorts): Promise<void> {
  const { files, segments, scrubber, log } = ports
  const segment = segments.openSegment
  if (segment === undefined) return
  // What else may be wrong with it shows when it is written to.
  const isThere = await files.look(segment).catch(() => true)
  if (isThere || segments.openSegment !== segment) return
  segments.giveUp(segment, new Error(`${segmentPath(segment)} is gone`))
  await segments.idle()
  // Now, and not in the next cycle.
  scrubber.look(segment).catch((error: unknown) => {
    log.warn('a segment that is gone could not be scrubbed', { error: messageOf(error) })
  })
}
