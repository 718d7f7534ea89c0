/** The `code` of a system error (`ENOSPC`, `LEVEL_LOCKED` …), or undefined for anything else. */
export function errnoOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}

/** Whether the disk had no room: as a system error says it by its code, and LevelDB in words. */
export function isDiskFull(error: unknown): boolean {
  if (errnoOf(error) === 'ENOSPC') return true
  return error instanceof Error && error.message.includes('No space left on device')
}
