/** Multipart uploads, step by step. */
import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  UploadPartCommand,
  type CompletedPart,
  type CompleteMultipartUploadCommandOutput,
  type CreateMultipartUploadCommandInput,
  type S3Client,
  type UploadPartCommandOutput,
} from '@aws-sdk/client-s3'
import { patternOf } from './bodies.ts'

/** The least that a part other than the last may have. */
export const PART_BYTES = 5 * 1024 * 1024

export type UploadOptions = Omit<CreateMultipartUploadCommandInput, 'Bucket' | 'Key'>

export interface Place {
  readonly Bucket: string
  readonly Key: string
  readonly UploadId: string
}

export async function begin(
  client: S3Client,
  Bucket: string,
  Key: string,
  options: UploadOptions = {},
): Promise<Place> {
  const { UploadId = '' } = await client.send(new CreateMultipartUploadCommand({ Bucket, Key, ...options }))
  return { Bucket, Key, UploadId }
}

/** Uploads one part and says how CompleteMultipartUpload is to name it. */
export async function upload(
  client: S3Client,
  place: Place,
  PartNumber: number,
  Body: Uint8Array | string,
  options: Pick<UploadOptions, 'ChecksumAlgorithm'> = {},
): Promise<CompletedPart> {
  const sent = await client.send(new UploadPartCommand({ ...place, PartNumber, Body, ...options }))
  return { PartNumber, ETag: sent.ETag, ...checksumsOf(sent) }
}

function checksumsOf(answer: UploadPartCommandOutput): Omit<CompletedPart, 'PartNumber' | 'ETag'> {
  return Object.fromEntries(Object.entries(answer).filter(([name]) => name.startsWith('Checksum')))
}

/** A part by number and ETag alone, as an upload without a checksum of its own wants it. */
export const bare = ({ PartNumber, ETag }: CompletedPart): CompletedPart => ({ PartNumber, ETag })

export function complete(
  client: S3Client,
  place: Place,
  Parts: readonly CompletedPart[],
): Promise<CompleteMultipartUploadCommandOutput> {
  return client.send(new CompleteMultipartUploadCommand({ ...place, MultipartUpload: { Parts: [...Parts] } }))
}

/** An object of two parts, from the first step to the last. */
export async function uploadParts(
  client: S3Client,
  Bucket: string,
  Key: string,
  options: UploadOptions = {},
): Promise<{
  Key: string
  bytes: Buffer
  parts: CompletedPart[]
  completed: CompleteMultipartUploadCommandOutput
}> {
  const bytes = patternOf(PART_BYTES + 100_000)
  const place = await begin(client, Bucket, Key, options)
  const { ChecksumAlgorithm } = options
  const parts: CompletedPart[] = []
  for (const [index, body] of [bytes.subarray(0, PART_BYTES), bytes.subarray(PART_BYTES)].entries()) {
    parts.push(await upload(client, place, index + 1, body, { ChecksumAlgorithm }))
  }
  const named = ChecksumAlgorithm === undefined ? parts.map(bare) : parts
  return { Key, bytes, parts, completed: await complete(client, place, named) }
}
