/**
 * `encoding-type=url` of listings: keys, prefixes, delimiters and markers percent-encoded, so that names which XML cannot
 * carry survive. S3 encodes as Java's URLEncoder does, with `/` kept: letters, digits and `-_.*` stay, a space becomes
 * `+`, everything else is %XX of its UTF-8 bytes.
 */
const kept = /^[A-Za-z0-9\-_.*/]*$/

export function encodeListingName(name: string): string {
  if (kept.test(name)) return name
  return encodeURIComponent(name.toWellFormed())
    .replace(/[!'()~]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll('%2F', '/')
    .replaceAll('%20', '+')
}

/** The encoding for one listing: that above when the request asked for it, else none. */
export function listingEncoder(encodingType: string | undefined): (name: string) => string {
  return encodingType === 'url' ? encodeListingName : (name) => name
}
