/**
 * Every error S3 answers with, declared once: code → HTTP status and AWS's default message.
 *
 * Sources: Amazon S3 API Reference, "Error responses" (general, replication, tagging, Select, Inventory,
 * ACL and bucket-policy tables), the messages of the live service where the reference is vaguer than what
 * the service sends, and the modelled errors of `@aws-sdk/client-s3` (annotations, encryption type).
 * Codes the service sends with more than one status (`InvalidRequest`, `NotSignedUp`) carry the usual one.
 *
 * Statuses below 400 are redirects and "not modified": they travel as errors because S3 decides them where it
 * decides errors; 304 has no body (RFC 9110 §15.4.5).
 */
export interface S3ErrorDefinition {
  /** HTTP status code of the answer. */
  readonly status: number
  /** AWS's message, used when the thrower has nothing more exact to say. */
  readonly message: string
}

const definition = (status: number, message: string): S3ErrorDefinition => ({ status, message })

export const s3Errors = {
  AccessControlListNotSupported: definition(400, 'The bucket does not allow ACLs'),
  AccessDenied: definition(403, 'Access Denied'),
  // Of a CORS preflight; not in the reference.
  AccessForbidden: definition(403, 'CORSResponse: This CORS request is not allowed.'),
  AccessPointAlreadyOwnedByYou: definition(
    409,
    'An access point with an identical name already exists in your account.',
  ),
  AccountProblem: definition(
    403,
    'There is a problem with your AWS account that prevents the operation from completing successfully.',
  ),
  AllAccessDisabled: definition(403, 'All access to this object has been disabled'),
  AmbiguousGrantByEmailAddress: definition(
    400,
    'The email address you provided is associated with more than one account.',
  ),
  InvalidAnnotationName: definition(400, 'The annotation name is not valid.'),
  InvalidPrefix: definition(400, 'The prefix is not valid.'),
  AnnotationLimitExceeded: definition(
    400,
    'The maximum number of annotations for this object has been reached.',
  ),
  AnnotationNameTooLong: definition(400, 'The annotation name exceeds the maximum allowed length.'),
  AuthorizationHeaderMalformed: definition(400, 'The authorization header that you provided is not valid.'),
  AuthorizationQueryParametersError: definition(
    400,
    'X-Amz-Algorithm only supports "AWS4-HMAC-SHA256 and AWS4-ECDSA-P256-SHA256"',
  ),
  BadDigest: definition(400, 'The Content-MD5 you specified did not match what we received.'),
  BadRequest: definition(400, 'Bad Request'),
  BucketAlreadyExists: definition(
    409,
    'The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a different name and try again.',
  ),
  BucketAlreadyOwnedByYou: definition(
    409,
    'Your previous request to create the named bucket succeeded and you already own it.',
  ),
  BucketHasAccessPointsAttached: definition(
    400,
    'The bucket you are trying to delete has access points attached. Delete your access points and try again.',
  ),
  BucketNotEmpty: definition(409, 'The bucket you tried to delete is not empty'),
  ClientTokenConflict: definition(
    409,
    'Your Multi-Region Access Point idempotency token was already used for a different request.',
  ),
  ConditionalRequestConflict: definition(
    409,
    'The conditional request cannot succeed due to a conflicting operation against this resource.',
  ),
  ConnectionClosedByRequester: definition(
    400,
    'The client closed the connection before the request was complete.',
  ),
  CredentialsNotSupported: definition(400, 'This request does not support credentials.'),
  CrossLocationLoggingProhibited: definition(403, 'Cross S3 location logging not allowed.'),
  DeviceNotActiveError: definition(400, 'The device is not currently active.'),
  EncryptionTypeMismatch: definition(
    400,
    'The existing object was created with a different encryption type. Subsequent write requests must include the appropriate encryption parameters in the request or while creating the session.',
  ),
  EndpointNotFound: definition(400, 'Direct requests to the correct endpoint.'),
  EntityTooLarge: definition(400, 'Your proposed upload exceeds the maximum allowed size'),
  EntityTooSmall: definition(400, 'Your proposed upload is smaller than the minimum allowed size'),
  ExpiredToken: definition(400, 'The provided token has expired.'),
  IdempotencyParameterMismatch: definition(
    400,
    'The request uses the same client token as a previous, but non-identical request.',
  ),
  IllegalLocationConstraintException: definition(
    400,
    'The unspecified location constraint is incompatible for the region specific endpoint this request was sent to.',
  ),
  IllegalVersioningConfigurationException: definition(400, 'The Versioning element must be specified'),
  IncompleteBody: definition(
    400,
    'You did not provide the number of bytes specified by the Content-Length HTTP header',
  ),
  IncorrectEndpoint: definition(
    400,
    'The specified bucket exists in another Region. Direct requests to the correct endpoint.',
  ),
  IncorrectNumberOfFilesInPostRequest: definition(400, 'POST requires exactly one file upload per request.'),
  InlineDataTooLarge: definition(400, 'Inline data exceeds the maximum allowed size.'),
  InsufficientStorage: definition(507, 'There is not enough free capacity to store the object.'),
  InternalError: definition(500, 'We encountered an internal error. Please try again.'),
  InvalidAccessKeyId: definition(403, 'The AWS Access Key Id you provided does not exist in our records.'),
  InvalidAccessPoint: definition(400, 'The specified access point name or account is not valid.'),
  InvalidAccessPointAliasError: definition(400, 'The specified access point alias name is not valid.'),
  InvalidAddressingHeader: definition(400, 'You must specify the Anonymous role to access this resource.'),
  InvalidArgument: definition(400, 'Invalid Argument'),
  InvalidBucketAclWithObjectOwnership: definition(
    400,
    "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting",
  ),
  InvalidBucketName: definition(400, 'The specified bucket is not valid.'),
  InvalidBucketOwnerAWSAccountID: definition(
    400,
    'The value of the expected bucket owner parameter must be an AWS account ID.',
  ),
  InvalidBucketState: definition(409, 'The request is not valid with the current state of the bucket.'),
  InvalidChunkSizeError: definition(
    403,
    'Only the last chunk is allowed to have a size less than 8192 bytes',
  ),
  InvalidDigest: definition(400, 'The Content-MD5 you specified was invalid.'),
  InvalidEncryptionAlgorithmError: definition(
    400,
    'The encryption request that you specified is not valid. The valid value is AES256.',
  ),
  InvalidHostHeader: definition(
    400,
    'The host headers provided in the request used the incorrect style addressing.',
  ),
  InvalidHttpMethod: definition(400, 'The request is using an unexpected HTTP method.'),
  InvalidLocationConstraint: definition(400, 'The specified location-constraint is not valid'),
  InvalidObjectState: definition(403, "The operation is not valid for the object's storage class"),
  InvalidPart: definition(
    400,
    "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.",
  ),
  InvalidPartNumber: definition(416, 'The requested partnumber is not satisfiable'),
  InvalidPartOrder: definition(
    400,
    'The list of parts was not in ascending order. Parts must be ordered by part number.',
  ),
  InvalidPayer: definition(403, 'All access to this object has been disabled.'),
  InvalidPolicyDocument: definition(
    400,
    'The content of the form does not meet the conditions specified in the policy document.',
  ),
  InvalidRange: definition(416, 'The requested range is not satisfiable'),
  InvalidRedirectLocation: definition(
    400,
    "The website redirect location must have a prefix of 'http://' or 'https://' or '/'.",
  ),
  InvalidRegion: definition(
    403,
    "You've attempted to create a Multi-Region Access Point in a Region that you haven't opted in to.",
  ),
  InvalidRequest: definition(400, 'Invalid Request'),
  InvalidSessionException: definition(400, 'The session is no longer valid.'),
  InvalidSecurity: definition(403, 'The provided security credentials are not valid.'),
  InvalidSignature: definition(
    400,
    'The request signature that the server calculated does not match the signature that you provided.',
  ),
  InvalidSOAPRequest: definition(400, 'The SOAP request body is invalid.'),
  InvalidStorageClass: definition(400, 'The storage class you specified is not valid'),
  InvalidTag: definition(400, 'The TagKey you have provided is invalid'),
  InvalidTargetBucketForLogging: definition(
    400,
    'The target bucket for logging does not exist, is not owned by you, or does not have the appropriate grants for the log-delivery group.',
  ),
  InvalidToken: definition(400, 'The provided token is malformed or otherwise invalid.'),
  InvalidURI: definition(400, "Couldn't parse the specified URI."),
  InvalidWriteOffset: definition(
    400,
    'The write offset value that you specified does not match the current object size.',
  ),
  KeyTooLongError: definition(400, 'Your key is too long'),
  KMSDisabledException: definition(
    400,
    'The request was rejected because the specified KMS key is not enabled.',
  ),
  KMSInvalidKeyUsageException: definition(
    400,
    'The request was rejected because the KeyUsage of the KMS key is incompatible with the operation.',
  ),
  KMSInvalidStateException: definition(
    400,
    'The request was rejected because the state of the specified resource is not valid for this request.',
  ),
  KMSNotFoundException: definition(
    400,
    'The request was rejected because the specified KMS key could not be found.',
  ),
  MalformedACLError: definition(
    400,
    'The XML you provided was not well-formed or did not validate against our published schema',
  ),
  MalformedPolicy: definition(400, "Policies must be valid JSON and the first byte must be '{'"),
  MalformedPOSTRequest: definition(
    400,
    'The body of your POST request is not well-formed multipart/form-data.',
  ),
  MalformedTrailerError: definition(
    400,
    'The request contained trailing data that was not well-formed or did not conform to our published schema.',
  ),
  MalformedXML: definition(
    400,
    'The XML you provided was not well-formed or did not validate against our published schema',
  ),
  MaxMessageLengthExceeded: definition(400, 'Your request was too big.'),
  MaxPostPreDataLengthExceeded: definition(
    400,
    // The service's own spelling.
    'Your POST request fields preceeding the upload file was too large.',
  ),
  MetadataTooLarge: definition(400, 'Your metadata headers exceed the maximum allowed metadata size'),
  MethodNotAllowed: definition(405, 'The specified method is not allowed against this resource.'),
  MissingAttachment: definition(400, 'A SOAP attachment was expected, but none was found.'),
  MissingAuthenticationToken: definition(403, 'The request was not signed.'),
  MissingContentLength: definition(411, 'You must provide the Content-Length HTTP header.'),
  MissingRequestBodyError: definition(400, 'Request Body is empty'),
  MissingSecurityElement: definition(400, 'The SOAP 1.1 request is missing a security element.'),
  MissingSecurityHeader: definition(400, 'Your request is missing a required header.'),
  NoLoggingStatusForKey: definition(400, 'There is no such thing as a logging status subresource for a key.'),
  NoSuchAccessPoint: definition(404, 'The specified accesspoint does not exist'),
  NoSuchAnnotation: definition(404, 'The specified annotation does not exist.'),
  NoSuchAsyncRequest: definition(404, 'The specified request was not found.'),
  NoSuchBucket: definition(404, 'The specified bucket does not exist'),
  NoSuchBucketPolicy: definition(404, 'The bucket policy does not exist'),
  NoSuchConfiguration: definition(404, 'The specified configuration does not exist.'),
  NoSuchCORSConfiguration: definition(404, 'The CORS configuration does not exist'),
  NoSuchKey: definition(404, 'The specified key does not exist.'),
  NoSuchLifecycleConfiguration: definition(404, 'The lifecycle configuration does not exist'),
  NoSuchMultiRegionAccessPoint: definition(404, 'The specified Multi-Region Access Point does not exist.'),
  NoSuchObjectLockConfiguration: definition(
    404,
    'The specified object does not have a ObjectLock configuration',
  ),
  NoSuchPublicAccessBlockConfiguration: definition(
    404,
    'The public access block configuration was not found',
  ),
  NoSuchTagSet: definition(404, 'The TagSet does not exist'),
  NoSuchTagSetError: definition(404, 'The TagSet does not exist'),
  NoSuchUpload: definition(
    404,
    'The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.',
  ),
  NoSuchVersion: definition(404, 'The specified version does not exist.'),
  NoSuchWebsiteConfiguration: definition(404, 'The specified bucket does not have a website configuration'),
  NotFound: definition(404, 'Not Found'),
  NotDeviceOwnerError: definition(
    400,
    'The device that generated the token is not owned by the authenticated user.',
  ),
  NotImplemented: definition(
    501,
    'A header or query you provided implies functionality that is not implemented',
  ),
  NotModified: definition(304, 'Not Modified'),
  NotSignedUp: definition(403, 'Your account is not signed up for the Amazon S3 service'),
  ObjectAlreadyInActiveTierError: definition(403, 'This object is already in the active tier.'),
  ObjectLockConfigurationNotFoundError: definition(
    404,
    'Object Lock configuration does not exist for this bucket',
  ),
  ObjectNotInActiveTierError: definition(
    403,
    'The source object of the COPY action is not in the active tier.',
  ),
  OperationAborted: definition(
    409,
    'A conflicting conditional operation is currently in progress against this resource. Please try again.',
  ),
  OwnershipControlsNotFoundError: definition(404, 'The bucket ownership controls were not found'),
  PermanentRedirect: definition(
    301,
    'The bucket you are attempting to access must be addressed using the specified endpoint. Please send all future requests to this endpoint.',
  ),
  PreconditionFailed: definition(412, 'At least one of the pre-conditions you specified did not hold'),
  Redirect: definition(
    307,
    'Please re-send this request to the specified temporary endpoint. Continue to use the original request endpoint for future requests.',
  ),
  ReplicationConfigurationNotFoundError: definition(404, 'The replication configuration was not found'),
  ReplicationParameterValueError: definition(
    400,
    'The replication configuration contains a parameter value that is not valid.',
  ),
  RequestHeaderSectionTooLarge: definition(
    400,
    'Your request header section exceeds the maximum allowed size.',
  ),
  RequestIsNotMultiPartContent: definition(
    400,
    'Bucket POST must be of the enclosure-type multipart/form-data.',
  ),
  RequestTimeout: definition(
    400,
    'Your socket connection to the server was not read from or written to within the timeout period.',
  ),
  RequestTimeTooSkewed: definition(
    403,
    'The difference between the request time and the current time is too large.',
  ),
  RequestTorrentOfBucketError: definition(400, 'Requesting the torrent file of a bucket is not permitted.'),
  ResponseInterrupted: definition(400, 'The response was interrupted.'),
  RestoreAlreadyInProgress: definition(409, 'Object restore is already in progress'),
  S3ExpressOneZoneNotSupported: definition(400, 'Directory buckets are not supported here.'),
  ServerSideEncryptionConfigurationNotFoundError: definition(
    404,
    'The server side encryption configuration was not found',
  ),
  ServiceUnavailable: definition(503, 'Service is unable to handle request.'),
  SignatureDoesNotMatch: definition(
    403,
    'The request signature we calculated does not match the signature you provided. Check your key and signing method.',
  ),
  SlowDown: definition(503, 'Please reduce your request rate.'),
  TemporaryRedirect: definition(
    307,
    'You are being redirected to the bucket while the DNS server is being updated.',
  ),
  TokenCodeInvalidError: definition(400, 'The serial number and/or token code you provided is not valid.'),
  TokenRefreshRequired: definition(400, 'The provided token must be refreshed.'),
  TooManyAccessPoints: definition(
    400,
    'You have attempted to create more access points than are allowed for an account.',
  ),
  TooManyBuckets: definition(400, 'You have attempted to create more buckets than allowed'),
  TooManyMultiRegionAccessPointregionsError: definition(
    400,
    'You have attempted to create a Multi-Region Access Point with more Regions than are allowed for an account.',
  ),
  TooManyMultiRegionAccessPoints: definition(
    400,
    'You have attempted to create more Multi-Region Access Points than are allowed for an account.',
  ),
  TooManyParts: definition(
    400,
    'You have attempted to add more parts than the maximum of 10000 that are allowed for this object.',
  ),
  UnauthorizedAccess: definition(403, 'You are not authorized to perform this operation.'),
  UnauthorizedAccessError: definition(403, 'You are not authorized to perform this operation.'),
  UnexpectedContent: definition(400, 'This request does not support content'),
  UnexpectedIPError: definition(403, 'This request was rejected because the IP was unexpected.'),
  UnresolvableGrantByEmailAddress: definition(
    400,
    'The email address you provided does not match any account on record.',
  ),
  UnsupportedArgument: definition(400, 'The request contained an unsupported argument.'),
  UnsupportedMediaType: definition(415, 'The media type of the request is not supported.'),
  UnsupportedSignature: definition(
    400,
    'The provided request is signed with an unsupported STS Token version or the signature version is not supported.',
  ),
  URLExpired: definition(403, 'Request has expired'),
  UserKeyMustBeSpecified: definition(
    400,
    'The bucket POST must contain the specified field name. If it is specified, please check the order of the fields.',
  ),
  XAmzContentChecksumMismatch: definition(
    400,
    "The provided 'x-amz-checksum' header does not match what was computed.",
  ),
  XAmzContentSHA256Mismatch: definition(
    400,
    "The provided 'x-amz-content-sha256' header does not match what was computed.",
  ),
  XMLSizeLimitExceeded: definition(400, 'The XML document exceeds the maximum allowed size.'),

  // S3 Select (SelectObjectContent): CSV, JSON, Parquet and expression errors share one shape, all 400.
  Busy: definition(503, 'The service is unavailable. Please retry.'),
  EmptyRequestBody: definition(400, 'Request body cannot be empty.'),
  ExpressionTooLong: definition(
    400,
    'The SQL expression is too long: The maximum byte-length for the SQL expression is 256 KB.',
  ),
  IllegalSqlFunctionArgument: definition(400, 'Illegal argument was used in the SQL function.'),
  InvalidCompressionFormat: definition(
    400,
    'The file is not in a supported compression format. Only GZIP and BZIP2 are supported.',
  ),
  InvalidDataSource: definition(400, 'Invalid data source type. Only CSV, JSON, and Parquet are supported.'),
  InvalidExpressionType: definition(
    400,
    'The ExpressionType is invalid. Only SQL expressions are supported.',
  ),
  InvalidFileHeaderInfo: definition(
    400,
    'The FileHeaderInfo is invalid. Only NONE, USE, and IGNORE are supported.',
  ),
  InvalidJsonType: definition(400, 'The JsonType is invalid. Only DOCUMENT and LINES are supported.'),
  InvalidQuoteFields: definition(400, 'The QuoteFields is invalid. Only ALWAYS and ASNEEDED are supported.'),
  InvalidRequestParameter: definition(400, 'The value of a parameter in SelectRequest element is invalid.'),
  InvalidScanRange: definition(400, 'The provided scan range is not valid.'),
  InvalidTextEncoding: definition(400, 'Invalid encoding type. Only UTF-8 encoding is supported.'),
  MissingRequiredParameter: definition(
    400,
    'The SelectRequest entity is missing a required parameter. Check the service documentation and try again.',
  ),
  ObjectSerializationConflict: definition(
    400,
    'The SelectRequest entity can only contain one of CSV or JSON. Check the service documentation and try again.',
  ),
  OverMaxRecordSize: definition(
    400,
    'The length of a record in the input or result is greater than maxCharsPerRecord of 1 MB.',
  ),
  ParseSelectFailure: definition(400, 'The SQL expression could not be parsed.'),
  UnsupportedFunction: definition(400, 'Encountered an unsupported SQL function.'),
  UnsupportedSqlOperation: definition(400, 'Encountered an unsupported SQL operation.'),
  UnsupportedSqlStructure: definition(
    400,
    'Encountered an unsupported SQL structure. Check the SQL Reference.',
  ),
  UnsupportedSyntax: definition(400, 'Encountered invalid syntax.'),
} as const satisfies Record<string, S3ErrorDefinition>

/** A code of the table above: the `<Code>` of an S3 error document. */
export type S3ErrorCode = keyof typeof s3Errors
