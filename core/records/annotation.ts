/** What belongs to S3's storage classes is the object: an annotation of any lies in the pools of the standard one. */
export const ANNOTATION_STORAGE_CLASS = 'STANDARD'
