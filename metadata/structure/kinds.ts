/** Ways in which records of metadata disagree among themselves. */
export type FaultKind =
  /** A record that cannot be read, contradicts itself, or lies in the place of another. */
  | 'record'
  /** Pages of a manifest that are missing, too many, or do not add up to the object. */
  | 'manifest'
  /** A version says another number of annotations than it has; or some are left of a version that is gone. */
  | 'annotations'
  /** The pointer to the null version of a key is missing, leads to nothing, or there are two such versions. */
  | 'null-version'
  /** A key's current object is not its newest version, or a version is in two places. */
  | 'versions'
  /** A bucket is not among those of its owner, or of another one too; or one that is not there is. */
  | 'owner-index'
  /** Objects, uploads or settings of a bucket that is not there. */
  | 'no-bucket'
  /** Parts of no upload, or an upload in progress whose parts are about to be removed. */
  | 'upload'
  /** A marker by which what belongs to something that is there is removed, or that nobody works off. */
  | 'purge'
  /** A record names a blob that waits to be removed. */
  | 'live-garbage'
  /** A task that no worker reads, or that lies in the place of another. */
  | 'outbox'
  /** Numbers of versions or tasks that may be given a second time. */
  | 'sequence'
  /** The partition map is missing, cannot be read, or has gaps or overlaps. */
  | 'partition-map'
  /** Records on an engine on which no partition has them. */
  | 'stray-record'
