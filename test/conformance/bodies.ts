/** Bodies to write and to read back. */
import { createHash } from 'node:crypto'
import { GetObjectCommand, type S3Client } from '@aws-sdk/client-s3'

/** Bytes that differ from place to place, and with `seed`. */
export function patternOf(size: number, seed = 0): Buffer {
  const bytes = Buffer.alloc(size)
  for (let i = 0; i < size; i++) bytes[i] = (i * 7 + (i >> 8) * 13 + (i >> 16) + seed) & 0xff
  return bytes
}

export const md5Hex = (bytes: Uint8Array | string): string => createHash('md5').update(bytes).digest('hex')

/** All bytes of an object. */
export async function readBody(client: S3Client, Bucket: string, Key: string): Promise<Buffer> {
  const { Body } = await client.send(new GetObjectCommand({ Bucket, Key }))
  return Buffer.from((await Body?.transformToByteArray()) ?? [])
}
