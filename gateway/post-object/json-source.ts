/** Pieces of a JSON text as they were written: refusals quote a condition with the client's own blanks and case. */

/** The text of a member of the top-level object; of repeated ones the last, as in JSON.parse. @param text valid JSON */
export function memberValue(text: string, name: string): string {
  let found = ''
  for (const item of items(text)) {
    const key = /^"(?:[^"\\]|\\[\s\S])*"/.exec(item)?.[0]
    if (key === undefined || JSON.parse(key) !== name) continue
    found = item.slice(item.indexOf(':', key.length) + 1).trim()
  }
  return found
}

/** The texts of an array's elements. @param text a valid JSON array */
export function arrayElements(text: string): readonly string[] {
  return items(text)
}

/** What stands between the outer brackets, cut at its commas. */
function items(text: string): string[] {
  const inner = text.slice(text.search(/[[{]/) + 1)
  const found: string[] = []
  let depth = 0
  let start = 0
  // Strings are skipped whole: their brackets and commas mean nothing.
  for (const { 0: token, index } of inner.matchAll(/"(?:[^"\\]|\\[\s\S])*"|[[\]{},]/g)) {
    if (token === '[' || token === '{') depth++
    else if (token === ']' || token === '}') depth--
    if (depth < 0 || (depth === 0 && token === ',')) {
      const item = inner.slice(start, index).trim()
      if (item !== '') found.push(item)
      start = index + 1
    }
    if (depth < 0) break
  }
  return found
}
