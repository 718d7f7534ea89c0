/**
 * Files of one service, as the storage node uses them; simulated in fault tests. Paths are relative to the disk's
 * root folder. Errors are Node's: `ENOENT`, `ENOSPC`, `EIO`, `EROFS` in `code`.
 */
export interface Disk {
  /** Opens for reading and writing; `create` makes the file and fails if it exists. */
  open(path: string, options?: { readonly create?: boolean }): Promise<DiskFile>
  /** Makes the folder and its parents. */
  makeDirectory(path: string): Promise<void>
  /** Names in a folder, sorted. */
  list(path: string): Promise<string[]>
  rename(from: string, to: string): Promise<void>
  remove(path: string): Promise<void>
  /** Makes entries of a folder (new, renamed, removed files) durable. */
  syncDirectory(path: string): Promise<void>
  /** Bytes free for use and in all, of the file system below. */
  space(): Promise<{ readonly freeBytes: number; readonly totalBytes: number }>
}

export interface DiskFile {
  size(): Promise<number>
  /** Fills `into` from `position`; resolves to the bytes read, fewer only at the end of the file. */
  read(into: Uint8Array, position: number): Promise<number>
  /** Writes all the buffers, in order, from `position`. */
  write(buffers: readonly Uint8Array[], position: number): Promise<void>
  /** Makes content and length durable (fdatasync). */
  sync(): Promise<void>
  truncate(size: number): Promise<void>
  close(): Promise<void>
}
