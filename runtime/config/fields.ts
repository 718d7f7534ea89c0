import { z } from 'zod'
import { CodeNameError, parseCode } from '../../core/erasure/code.ts'
import {
  ACCESS_KEY_BYTES_MAX,
  ACCESS_KEY_BYTES_MIN,
  BUCKETS_PER_ACCOUNT_MAX,
  METADATA_ADDRESSES_MAX,
  NAME_BYTES_MAX,
  PORT_MAX,
  SECRET_KEY_BYTES_MAX,
  SECRET_KEY_BYTES_MIN,
  SPAN_SECONDS_MAX,
} from '../../core/limits.ts'

/** The kinds of value that configuration fields have. Every field of a service is one of these, described. */

/** A name of a node, a zone or a service: it becomes a file name and a metric's label. */
export const name = z
  .string()
  .max(NAME_BYTES_MAX, `at most ${NAME_BYTES_MAX} characters`)
  .regex(
    /^[a-z0-9]+(-[a-z0-9]+)*$/,
    'expected lower-case letters, digits and single hyphens, such as zone-a-1',
  )

/** A host name or an IP address, without a port. IPv6 without brackets. */
export const host = z
  .string()
  .regex(
    /^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$|^[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*$/,
    'expected a host name or an IP address',
  )

/** Whether a host stands for all addresses of the machine, IPv4 or IPv6: one to listen on, not to call. */
export function isWildcard(text: string): boolean {
  return /^0+(\.0+){0,3}$|^[0:]*:[0:]*$/.test(text)
}

export const port = z
  .int('expected a whole number')
  .min(0, 'expected 0 (any free port) or more')
  .max(PORT_MAX, `expected at most ${PORT_MAX}`)

/** `host:port`; an IPv6 address in brackets. */
export const address = z
  .string()
  .refine(
    (text) => parseAddress(text) !== undefined,
    'expected host:port, such as 10.0.0.7:9101 or [::1]:9101',
  )

/** One `host:port`, or several, separated by commas. */
export const addresses = z.string().refine((text) => {
  const all = splitAddresses(text)
  return (
    all.length <= METADATA_ADDRESSES_MAX &&
    new Set(all).size === all.length &&
    all.every((one) => parseAddress(one) !== undefined)
  )
}, 'expected host:port, or several of them with commas between, such as 10.0.0.7:9101,10.0.0.8:9101')

/** A file or folder. Marked, so that a relative one can be resolved against what names it. */
export const path = z.string().min(1, 'expected a path').meta({ path: true })

export const code = z.string().superRefine((text, context) => {
  try {
    parseCode(text)
  } catch (error) {
    if (!(error instanceof CodeNameError)) throw error
    context.addIssue({ code: 'custom', message: error.message })
  }
})

export const region = z
  .string()
  .regex(/^[a-z0-9]+(-[a-z0-9]+)*$/, 'expected lower-case letters, digits and hyphens, such as us-east-1')

/** Who owns what is written into a bucket, by S3's names. */
const objectOwnerships = ['BucketOwnerEnforced', 'BucketOwnerPreferred', 'ObjectWriter'] as const

export const objectOwnership = z.enum(objectOwnerships, `expected one of ${objectOwnerships.join(', ')}`)

/** How many buckets an account may have. */
export const bucketsPerAccount = z
  .int('expected a whole number')
  .min(1, 'expected 1 or more')
  .max(BUCKETS_PER_ACCOUNT_MAX, `expected at most ${BUCKETS_PER_ACCOUNT_MAX}`)

export const domain = z
  .string()
  .regex(
    /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/,
    'expected a lower-case domain name, such as s3.example.com',
  )

/** The two halves of a key pair. Their messages never show the value. */
export const accessKeyId = z
  .string()
  .regex(
    new RegExp(`^[A-Za-z0-9_.@-]{${ACCESS_KEY_BYTES_MIN},${ACCESS_KEY_BYTES_MAX}}$`),
    `expected ${ACCESS_KEY_BYTES_MIN} to ${ACCESS_KEY_BYTES_MAX} letters, digits, or one of _ . @ -`,
  )
export const secretAccessKey = z
  .string()
  .regex(
    new RegExp(`^[\\x21-\\x7e]{${SECRET_KEY_BYTES_MIN},${SECRET_KEY_BYTES_MAX}}$`),
    `expected ${SECRET_KEY_BYTES_MIN} to ${SECRET_KEY_BYTES_MAX} printable ASCII characters without spaces`,
  )

const BYTE_UNITS = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3, TiB: 1024 ** 4 } as const

/** A number of bytes, as such or with a binary unit: `104857600`, `100MiB`, `1.5 GiB`. */
export const bytes = z
  .union([z.number(), z.string()])
  .transform((given) => (typeof given === 'number' ? given : parseBytes(given)))
  .refine(
    (value): value is number => value !== undefined && Number.isSafeInteger(value) && value >= 0,
    'expected bytes, such as 1048576 or 100MiB',
  )
  .transform((value) => value ?? 0)

/** The bytes that a text such as `100MiB` stands for; undefined for anything else. */
function parseBytes(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?) ?(B|KiB|MiB|GiB|TiB)?$/.exec(text)
  if (match === null) return undefined
  const unit = Object.entries(BYTE_UNITS).find(([suffix]) => suffix === (match[2] ?? 'B'))?.[1] ?? 1
  return Math.round(Number(match[1]) * unit)
}

/** A span of whole seconds; 0 is none. */
export const seconds = z
  .int('expected a whole number of seconds')
  .min(0, 'expected 0 or more')
  .max(SPAN_SECONDS_MAX, `expected at most ${SPAN_SECONDS_MAX}`)

const logLevels = ['debug', 'info', 'warn', 'error', 'silent'] as const

export const logLevel = z.enum(logLevels, `expected one of ${logLevels.join(', ')}`)

/** Where a service listens or is reached. */
export interface HostPort {
  readonly host: string
  readonly port: number
}

/** `10.0.0.7:9101` or `[::1]:9101`; undefined for anything else. The port is 1 to 65535. */
export function parseAddress(text: string): HostPort | undefined {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]+)):([1-9][0-9]{0,4})$/.exec(text)
  const at = match?.[1] ?? match?.[2]
  const number = Number(match?.[3])
  return at === undefined || number > PORT_MAX ? undefined : { host: at, port: number }
}

/** The addresses of a list. */
export function splitAddresses(text: string): string[] {
  return text.split(',').map((one) => one.trim())
}

/** The inverse of {@link parseAddress}. */
export function formatAddress({ host: at, port: number }: HostPort): string {
  return at.includes(':') ? `[${at}]:${number}` : `${at}:${number}`
}
