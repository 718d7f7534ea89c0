/** What the table of operations is made with where only its rows are looked at. */
import { S3_BUCKET_DEFAULTS, type S3Services } from './services.ts'

const unused = (): never => {
  throw new Error('no operation runs here')
}

export const idleServices: S3Services = {
  store: {
    metadata: { call: unused },
    putObject: unused,
    putPart: unused,
    putAnnotation: unused,
    readObject: unused,
    readAnnotation: unused,
  },
  newUploadId: unused,
  newVersion: unused,
  bucketDefaults: S3_BUCKET_DEFAULTS,
}
