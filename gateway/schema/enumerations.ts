/**
 * Values that S3 checks against a list. The schemas know enumerations only as strings, so the lists are the SDK's
 * constants, tied here to where they travel: XML members (wrong value: `MalformedXML`), and headers and query keys
 * (wrong value: the error named beside each).
 */
import * as s3 from '@aws-sdk/client-s3'
import { invalidArgument, S3Error } from '../errors/s3-error.ts'

const valuesOf = (constants: Readonly<Record<string, string>>): ReadonlySet<string> =>
  new Set(Object.values(constants))

const inXml: ReadonlyMap<string, ReadonlySet<string>> = new Map(
  Object.entries({
    'AccelerateConfiguration.Status': s3.BucketAccelerateStatus,
    'Grant.Permission': s3.Permission,
    'Grantee.Type': s3.Type,
    'TargetGrant.Permission': s3.BucketLogsPermission,
    'Transition.StorageClass': s3.TransitionStorageClass,
    'NoncurrentVersionTransition.StorageClass': s3.TransitionStorageClass,
    'LifecycleRule.Status': s3.ExpirationStatus,
    'VersioningConfiguration.Status': s3.BucketVersioningStatus,
    'VersioningConfiguration.MFADelete': s3.MFADelete,
    'RequestPaymentConfiguration.Payer': s3.Payer,
    'ReplicationRule.Status': s3.ReplicationRuleStatus,
    'DeleteMarkerReplication.Status': s3.DeleteMarkerReplicationStatus,
    'OwnershipControlsRule.ObjectOwnership': s3.ObjectOwnership,
    'ObjectLockConfiguration.ObjectLockEnabled': s3.ObjectLockEnabled,
    'ObjectLockLegalHold.Status': s3.ObjectLockLegalHoldStatus,
    'ObjectLockRetention.Mode': s3.ObjectLockRetentionMode,
    'DefaultRetention.Mode': s3.ObjectLockRetentionMode,
    'ServerSideEncryptionByDefault.SSEAlgorithm': s3.ServerSideEncryption,
    'IntelligentTieringConfiguration.Status': s3.IntelligentTieringStatus,
    'InventoryConfiguration.IncludedObjectVersions': s3.InventoryIncludedObjectVersions,
    'InventorySchedule.Frequency': s3.InventoryFrequency,
    'InventoryS3BucketDestination.Format': s3.InventoryFormat,
    'RedirectAllRequestsTo.Protocol': s3.Protocol,
    'Redirect.Protocol': s3.Protocol,
    'GlacierJobParameters.Tier': s3.Tier,
    'RestoreRequest.Tier': s3.Tier,
    'RestoreRequest.Type': s3.RestoreRequestType,
  }).map(([place, constants]) => [place, valuesOf(constants)]),
)

/** The allowed values of an XML member, `Structure.Member`; undefined when any string will do. */
export function enumerationOf(place: string): ReadonlySet<string> | undefined {
  return inXml.get(place)
}

/** The places above, for the test that each exists in the schemas. */
export const xmlEnumerationPlaces: readonly string[] = [...inXml.keys()]

export interface HttpEnumeration {
  readonly allowed: ReadonlySet<string>
  readonly refuse: (value: string) => S3Error
  /** Whether the letter case means nothing; the values of the list are upper case then. */
  readonly anyCase?: boolean
}

const argument = (name: string, message?: string) => (value: string) => invalidArgument(name, value, message)

/** S3 reads the names of checksum algorithms and types in any letter case (Versity's integration suite). */
const checksumAlgorithms = {
  allowed: valuesOf(s3.ChecksumAlgorithm),
  anyCase: true,
  refuse: () =>
    new S3Error('InvalidRequest', {
      message: `Checksum algorithm provided is unsupported. Please try again with any of the valid types: [${Object.values(s3.ChecksumAlgorithm).join(', ')}]`,
    }),
}

const inHttp: ReadonlyMap<string, HttpEnumeration> = new Map<string, HttpEnumeration>([
  // The SDK's lists leave out the one that is for buckets that logs are delivered to (User Guide, "Canned ACL").
  [
    'x-amz-acl',
    {
      allowed: new Set([...valuesOf(s3.ObjectCannedACL), 'log-delivery-write']),
      // The one argument whose refusal says nothing (LocalStack's `test_s3_bucket_acl_exceptions`).
      refuse: argument('x-amz-acl', ''),
    },
  ],
  [
    'x-amz-storage-class',
    {
      allowed: valuesOf(s3.StorageClass),
      refuse: (value) => new S3Error('InvalidStorageClass', { fields: { StorageClassRequested: value } }),
    },
  ],
  [
    'x-amz-metadata-directive',
    {
      allowed: valuesOf(s3.MetadataDirective),
      refuse: argument('x-amz-metadata-directive', 'Unknown metadata directive.'),
    },
  ],
  [
    'x-amz-tagging-directive',
    {
      allowed: valuesOf(s3.TaggingDirective),
      refuse: argument('x-amz-tagging-directive', 'Unknown tagging directive.'),
    },
  ],
  [
    'x-amz-server-side-encryption',
    {
      allowed: valuesOf(s3.ServerSideEncryption),
      refuse: argument('x-amz-server-side-encryption', 'The encryption method specified is not supported'),
    },
  ],
  ['x-amz-checksum-algorithm', checksumAlgorithms],
  ['x-amz-sdk-checksum-algorithm', checksumAlgorithms],
  [
    'x-amz-checksum-type',
    {
      allowed: valuesOf(s3.ChecksumType),
      anyCase: true,
      refuse: () =>
        new S3Error('InvalidRequest', { message: 'Value for x-amz-checksum-type header is invalid.' }),
    },
  ],
  // In any letter case, as recorded of the service by LocalStack's `test_s3_get_object_checksum`.
  [
    'x-amz-checksum-mode',
    { allowed: valuesOf(s3.ChecksumMode), anyCase: true, refuse: argument('x-amz-checksum-mode') },
  ],
  [
    'encoding-type',
    {
      allowed: valuesOf(s3.EncodingType),
      refuse: argument('encoding-type', 'Invalid Encoding Method specified in Request'),
    },
  ],
  [
    'x-amz-object-lock-mode',
    {
      allowed: valuesOf(s3.ObjectLockMode),
      refuse: argument('x-amz-object-lock-mode', 'Unknown wormMode directive.'),
    },
  ],
  [
    'x-amz-object-lock-legal-hold',
    {
      allowed: valuesOf(s3.ObjectLockLegalHoldStatus),
      refuse: argument('x-amz-object-lock-legal-hold', "Legal Hold must be either of 'ON' or 'OFF'"),
    },
  ],
  [
    'x-amz-object-ownership',
    {
      allowed: valuesOf(s3.ObjectOwnership),
      refuse: (value) =>
        new S3Error('InvalidArgument', {
          message: `Invalid x-amz-object-ownership header: ${value}`,
          fields: { ArgumentName: 'x-amz-object-ownership' },
        }),
    },
  ],
  [
    'x-amz-object-attributes',
    {
      allowed: valuesOf(s3.ObjectAttributes),
      refuse: argument('x-amz-object-attributes', 'Invalid attribute name specified.'),
    },
  ],
  [
    'x-amz-optional-object-attributes',
    {
      allowed: valuesOf(s3.OptionalObjectAttributes),
      refuse: argument('x-amz-optional-object-attributes', 'Invalid attribute name specified.'),
    },
  ],
  ['x-amz-request-payer', { allowed: valuesOf(s3.RequestPayer), refuse: argument('x-amz-request-payer') }],
])

/** The allowed values of a header or query key, by its lower-case name. */
export function httpEnumerationOf(wireName: string): HttpEnumeration | undefined {
  return inHttp.get(wireName)
}
