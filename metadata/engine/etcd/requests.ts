import { create } from '@bufbuild/protobuf'
import {
  type Compare,
  Compare_CompareResult,
  Compare_CompareTarget,
  CompareSchema,
  DeleteRangeRequestSchema,
  KV,
  PutRequestSchema,
  type RangeRequest,
  RangeRequestSchema,
  type RequestOp,
  RequestOpSchema,
  type TxnRequest,
} from '../../../proto/gen/etcdserverpb/rpc_pb.js'
import { methodOf } from './rpc.ts'

/** The messages of etcd's KV service, in short. */

export const rangeMethod = methodOf(KV.method.range)
export const txnMethod = methodOf(KV.method.txn)

/** That a key holds exactly this; undefined: that there is no such key. etcd takes no value of an absent key for equal. */
export function compareValue(key: Uint8Array, value: Uint8Array | undefined): Compare {
  const equal = { key, result: Compare_CompareResult.EQUAL }
  return value === undefined
    ? create(CompareSchema, {
        ...equal,
        target: Compare_CompareTarget.CREATE,
        targetUnion: { case: 'createRevision', value: 0n },
      })
    : create(CompareSchema, {
        ...equal,
        target: Compare_CompareTarget.VALUE,
        targetUnion: { case: 'value', value },
      })
}

/** That a key was last written at this revision; 0: that there is no such key. */
export function compareRevision(key: Uint8Array, revision: bigint): Compare {
  return create(CompareSchema, {
    key,
    result: Compare_CompareResult.EQUAL,
    target: Compare_CompareTarget.MOD,
    targetUnion: { case: 'modRevision', value: revision },
  })
}

/** Whether a key is, or is not, under this lease; a key that is not there is under none. */
export function compareLease(key: Uint8Array, lease: bigint, equal: boolean): Compare {
  return create(CompareSchema, {
    key,
    result: equal ? Compare_CompareResult.EQUAL : Compare_CompareResult.NOT_EQUAL,
    target: Compare_CompareTarget.LEASE,
    targetUnion: { case: 'lease', value: lease },
  })
}

export function putOf(key: Uint8Array, value: Uint8Array, lease = 0n): RequestOp {
  return create(RequestOpSchema, {
    request: { case: 'requestPut', value: create(PutRequestSchema, { key, value, lease }) },
  })
}

export function deleteOf(key: Uint8Array): RequestOp {
  return create(RequestOpSchema, {
    request: { case: 'requestDeleteRange', value: create(DeleteRangeRequestSchema, { key }) },
  })
}

export function txnOf(request: TxnRequest): RequestOp {
  return create(RequestOpSchema, { request: { case: 'requestTxn', value: request } })
}

export function getOf(key: Uint8Array): RequestOp {
  return rangeOf(create(RangeRequestSchema, { key }))
}

export function rangeOf(request: RangeRequest): RequestOp {
  return create(RequestOpSchema, { request: { case: 'requestRange', value: request } })
}
