import { S3Error } from '../errors/s3-error.ts'
import type { Account } from '../accounts/account.ts'
import type { Sender } from '../http/ports.ts'

/** The account that signed. @throws {S3Error} AccessDenied when nobody did */
export function senderAccount(sender: Sender): Account {
  if (sender.kind !== 'signed') throw new S3Error('AccessDenied')
  return sender.principal
}
