import { commonPrefixOf } from '../../core/keyspace/listing.ts'

/**
 * Where a listing goes on after a marker. One that lies inside a common prefix is that prefix: the keys behind it are not
 * rolled up a second time (recorded of the service by LocalStack's `test_list_objects_marker_common_prefixes`, and the
 * tests of that name for versions and uploads; of `start-after` nothing is recorded).
 * @param delimiter empty for none
 * @returns the marker, or the common prefix that it lies in
 */
export function listingStart(marker: string, prefix: string, delimiter: string): string {
  if (!marker.startsWith(prefix)) return marker
  return commonPrefixOf(marker, prefix, delimiter) ?? marker
}
