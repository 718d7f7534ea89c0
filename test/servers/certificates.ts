import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

/** Certificates for tests, made by openssl in a folder. */

const execute = promisify(execFile)
const KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']

/** Paths of PEM files. */
export interface Certificate {
  readonly cert: string
  readonly key: string
}

export interface CertificateOptions {
  /** Common name; of a client, the user. */
  readonly name: string
  /** Of a server, such as `DNS:localhost`. */
  readonly altNames?: readonly string[]
  /** It ended yesterday. */
  readonly expired?: boolean
}

export class Authority {
  /** Path of its certificate. */
  readonly ca: string
  readonly #folder: string
  readonly #name: string
  #count = 0

  private constructor(folder: string, name: string) {
    this.#folder = folder
    this.#name = name
    this.ca = join(folder, `${name}.pem`)
  }

  static async make(folder: string, name: string): Promise<Authority> {
    const authority = new Authority(folder, name)
    const key = join(folder, `${name}.key`)
    const what = ['-days', '2', '-subj', `/CN=${name}`, '-keyout', key, '-out', authority.ca]
    await execute('openssl', ['req', '-x509', ...KEY, ...what])
    return authority
  }

  async issue({ name, altNames = [], expired = false }: CertificateOptions): Promise<Certificate> {
    const base = join(this.#folder, `${this.#name}-${++this.#count}`)
    const [cert, key, request, extensions] = [`${base}.pem`, `${base}.key`, `${base}.csr`, `${base}.ext`]
    await execute('openssl', ['req', ...KEY, '-subj', `/CN=${name}`, '-keyout', key, '-out', request])
    await writeFile(extensions, altNames.length === 0 ? '' : `subjectAltName=${altNames.join(',')}\n`)
    const signer = ['-CA', this.ca, '-CAkey', join(this.#folder, `${this.#name}.key`), '-CAcreateserial']
    const end = ['-days', expired ? '-1' : '2', '-extfile', extensions]
    await execute('openssl', ['x509', '-req', '-in', request, ...signer, ...end, '-out', cert])
    return { cert, key }
  }
}

/** Puts one in the place of another: a server that reads its files again has it from then on. */
export async function replaceCertificate(place: Certificate, by: Certificate): Promise<void> {
  await writeFile(place.key, await readFile(by.key))
  await writeFile(place.cert, await readFile(by.cert))
}
