/** The credential scope of Signature Version 4: `AKID/yyyymmdd/region/service/aws4_request`. */
import { refuse, refuseArgument, type SigningFailure } from './failure.ts'
import { parseAmzDate } from './time.ts'

/** The day, region and service a signing key is good for. */
export interface Scope {
  /** `yyyymmdd`. */
  readonly date: string
  readonly region: string
  readonly service: string
}

export interface Credential {
  readonly accessKey: string
  readonly scope: Scope
}

/** Where this endpoint is and whom it serves. */
export interface EndpointScope {
  readonly region: string
  /** The services that answer on this port; the first is named in refusals. */
  readonly services: readonly [string, ...string[]]
}

/** The scope as the string to sign carries it. */
export function scopeText({ date, region, service }: Scope): string {
  return `${date}/${region}/${service}/aws4_request`
}

/** How a request is signed: by header or by query. */
export type Mechanism = 'header' | 'query'

/** Where a credential stands; S3's code and lead-in differ, the rest of the message does not. */
export type CredentialPlace = Mechanism | 'form'

/** S3's refusal of a credential that stood there. */
export function refuseCredential(
  place: CredentialPlace,
  detail: string,
  fields: Readonly<Record<string, string>> = {},
  credential = '',
): SigningFailure {
  switch (place) {
    case 'header':
      return refuse(
        'AuthorizationHeaderMalformed',
        `The authorization header is malformed; ${detail}`,
        fields,
      )
    case 'query': {
      const message = `Error parsing the X-Amz-Credential parameter; ${detail}`
      return refuse('AuthorizationQueryParametersError', message, fields)
    }
    case 'form':
      return refuseArgument(detail, 'x-amz-credential', credential)
  }
}

/** Reads and checks a credential against this endpoint. */
export function parseCredential(
  text: string,
  place: CredentialPlace,
  endpoint: EndpointScope,
): Credential | SigningFailure {
  const refused = (detail: string, fields: Readonly<Record<string, string>> = {}): SigningFailure =>
    refuseCredential(place, detail, fields, text)
  const parts = text.split('/')
  const [accessKey = '', date = '', region = '', service = '', terminator = ''] = parts
  if (parts.length !== 5 || accessKey === '') {
    const form = '"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request"'
    return refused(`the Credential is mal-formed; expecting ${form}.`)
  }
  if (parseAmzDate(`${date}T000000Z`) === undefined) {
    const rule = 'This date in the credential must be in the format "yyyyMMdd".'
    return refused(`incorrect date format "${date}". ${rule}`)
  }
  if (!endpoint.services.includes(service)) {
    const rule = `This endpoint belongs to "${endpoint.services[0]}".`
    return refused(`incorrect service "${service}". ${rule}`)
  }
  if (terminator !== 'aws4_request') {
    const rule = 'This endpoint uses "aws4_request".'
    return refused(`incorrect terminal "${terminator}". ${rule}`)
  }
  if (region !== endpoint.region) {
    const detail = `the region '${region}' is wrong; expecting '${endpoint.region}'`
    return refused(detail, { Region: endpoint.region })
  }
  return { accessKey, scope: { date, region, service } }
}
