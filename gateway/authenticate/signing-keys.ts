import { LRUCache } from 'lru-cache'
import { SIGNING_KEYS_MAX } from '../../core/limits.ts'
import { scopeText, type Credential } from '../../core/signing/credential.ts'
import type { SigningDigests } from '../../core/signing/digests.ts'
import { deriveSigningKey } from '../../core/signing/verify.ts'

/** Derived signing keys by access key, day, region and service: four HMACs saved a request. */
export class SigningKeys {
  readonly #digests: SigningDigests
  readonly #keys = new LRUCache<string, { readonly secret: string; readonly key: Uint8Array }>({
    max: SIGNING_KEYS_MAX,
  })

  constructor(digests: SigningDigests) {
    this.#digests = digests
  }

  /** The signing key of the credential's scope for that secret; a rotated secret gets a new one at once. */
  get({ accessKey, scope }: Credential, secret: string): Uint8Array {
    const name = `${accessKey}/${scopeText(scope)}`
    const kept = this.#keys.get(name)
    if (kept?.secret === secret) return kept.key
    const key = deriveSigningKey(this.#digests, secret, scope)
    this.#keys.set(name, { secret, key })
    return key
  }

  /** Keys held now. */
  get size(): number {
    return this.#keys.size
  }
}
