/**
 * The hash functions of Signature Version 4, as a port. A string stands for bytes, one character (≤ U+00FF) a byte:
 * header values and paths reach us as bytes of no stated encoding, and the client signed the bytes.
 */
export interface SigningDigests {
  /** SHA-256 (FIPS 180-4), 32 bytes. */
  sha256(data: Uint8Array | string): Uint8Array
  /** HMAC-SHA-256 (RFC 2104), 32 bytes. */
  hmacSha256(key: Uint8Array | string, data: Uint8Array | string): Uint8Array
  /** A SHA-256 over pieces. */
  sha256Stream(): { update(bytes: Uint8Array): void; digest(): Uint8Array }
}
