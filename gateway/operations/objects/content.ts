/**
 * Bodies as the store takes them. The digests of a body, those that its sender declared and those that the object is to
 * have, are taken by the store as the bytes pass, off the event loop; none is taken twice.
 */
import {
  checksumAlgorithms,
  type ChecksumAlgorithm,
  type ChecksumType,
} from '../../../core/checksum/algorithms.ts'
import { toBase64 } from '../../../core/checksum/base64.ts'
import { simpleEtag } from '../../../core/checksum/multipart.ts'
import type { AcceptedContent, Content } from '../../../store/api.ts'
import type { VerifiedBody } from '../../body/verified-body.ts'
import { bareEntityTag } from '../../rules/conditions.ts'
import type { BodyRules } from '../operation.ts'

/** How PutObject and UploadPart take their bodies: MD5 for the ETag, and every digest by the store. */
export const storedBody: BodyRules = { wanted: ['MD5'], delegable: new Set(checksumAlgorithms) }

/**
 * The content of a body.
 * @param kept the checksum to keep with it
 * @param type what the kept checksum is called; of a part, that of its upload
 */
export function contentOf(
  body: VerifiedBody,
  kept: ChecksumAlgorithm,
  type: ChecksumType = 'FULL_OBJECT',
): Content {
  return {
    size: body.size,
    atMost: body.sizeIsBound,
    bytes: body,
    digests: [...new Set([...body.delegated, kept])],
    accept(taken) {
      body.verify(taken)
      return acceptedContent(kept, taken, type)
    },
  }
}

/** What a content of these digests is: the MD5 in hex as its ETag, and the checksum `kept`. */
export function acceptedContent(
  kept: ChecksumAlgorithm,
  digests: ReadonlyMap<ChecksumAlgorithm, Uint8Array>,
  type: ChecksumType = 'FULL_OBJECT',
): AcceptedContent {
  const take = (algorithm: ChecksumAlgorithm): Uint8Array => {
    const digest = digests.get(algorithm)
    if (digest === undefined) throw new Error(`no ${algorithm} was taken`)
    return digest
  }
  return {
    etag: bareEntityTag(simpleEtag(take('MD5'))),
    checksums: [{ algorithm: kept, value: toBase64(take(kept)), type }],
  }
}
