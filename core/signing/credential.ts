/** The credential scope of Signature Version 4: `AKID/yyyymmdd/region/service/aws4_request`. */
import { refuse, type SigningFailure } from './failure.ts'
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

/** A credential came by header or by query; S3's code and lead-in differ, the rest of the message does not. */
export type Mechanism = 'header' | 'query'

/** S3's refusal of a credential that came by this mechanism. */
export function refuseCredential(
  mechanism: Mechanism,
  detail: string,
  fields: Readonly<Record<string, string>> = {},
): SigningFailure {
  return mechanism === 'header'
    ? refuse('AuthorizationHeaderMalformed', `The authorization header is malformed; ${detail}`, fields)
    : refuse(
        'AuthorizationQueryParametersError',
        `Error parsing the X-Amz-Credential parameter; ${detail}`,
        fields,
      )
}

/** Reads and checks a credential against this endpoint. */
export function parseCredential(
  text: string,
  mechanism: Mechanism,
  endpoint: EndpointScope,
): Credential | SigningFailure {
  const parts = text.split('/')
  const [accessKey = '', date = '', region = '', service = '', terminator = ''] = parts
  if (parts.length !== 5 || accessKey === '') {
    const form = '"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request"'
    return refuseCredential(mechanism, `the Credential is mal-formed; expecting ${form}.`)
  }
  if (parseAmzDate(`${date}T000000Z`) === undefined) {
    const rule = 'This date in the credential must be in the format "yyyyMMdd".'
    return refuseCredential(mechanism, `incorrect date format "${date}". ${rule}`)
  }
  if (!endpoint.services.includes(service)) {
    const rule = `This endpoint belongs to "${endpoint.services[0]}".`
    return refuseCredential(mechanism, `incorrect service "${service}". ${rule}`)
  }
  if (terminator !== 'aws4_request') {
    const rule = 'This endpoint uses "aws4_request".'
    return refuseCredential(mechanism, `incorrect terminal "${terminator}". ${rule}`)
  }
  if (region !== endpoint.region) {
    const detail = `the region '${region}' is wrong; expecting '${endpoint.region}'`
    return refuseCredential(mechanism, detail, { Region: endpoint.region })
  }
  return { accessKey, scope: { date, region, service } }
}
