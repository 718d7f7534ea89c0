import { HttpConnection } from '../cluster/http-connection.ts'
import { headSigner } from '../cluster/signed-head.ts'
import type { Endpoint } from '../cluster/job.ts'
import type { Lister, Page } from './lister.ts'

/** Lists through a gateway, by ListObjectsV2 and ListObjectVersions with pages of 1,000, on one connection. */
export async function httpLister(endpoint: Endpoint): Promise<Lister & { close(): void }> {
  const { host, port, accessKeyId, secretAccessKey } = endpoint
  const sign = headSigner({ host: `${host}:${port}`, accessKeyId, secretAccessKey })
  const connection = await HttpConnection.open(host, port)
  async function get(bucket: string, query: readonly (readonly [string, string])[]): Promise<string> {
    const pieces: Buffer[] = []
    const text = query.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join('&')
    const take = (piece: Buffer): void => {
      // The piece is valid during the call only.
      pieces.push(Buffer.from(piece))
    }
    await connection.exchange({ head: sign('GET', `/${bucket}`, text, 0), body: [], take })
    return Buffer.concat(pieces).toString('latin1')
  }
  return {
    async objects(bucket, { delimiter = '', after = '' }): Promise<Page> {
      const document = await get(bucket, [
        ...(after === '' ? [] : [['continuation-token', after] as const]),
        ...(delimiter === '' ? [] : [['delimiter', delimiter] as const]),
        ['list-type', '2'],
      ])
      return {
        entries: Number(element(document, 'KeyCount')),
        next: element(document, 'NextContinuationToken'),
      }
    },
    async versions(bucket, { after = '' }): Promise<Page> {
      const [key = '', version = ''] = after.split('\n')
      const document = await get(bucket, [
        ...(key === '' ? [] : [['key-marker', key] as const, ['version-id-marker', version] as const]),
        ['versions', ''],
      ])
      const next = element(document, 'NextKeyMarker')
      return {
        entries: document.split('<Version>').length - 1,
        next: next === '' ? '' : `${next}\n${element(document, 'NextVersionIdMarker')}`,
      }
    },
    close() {
      connection.close()
    },
  }
}

/** The text of the first element of that name; empty if there is none. */
function element(document: string, name: string): string {
  const start = document.indexOf(`<${name}>`)
  if (start === -1) return ''
  return document.slice(start + name.length + 2, document.indexOf('<', start + 1))
}
