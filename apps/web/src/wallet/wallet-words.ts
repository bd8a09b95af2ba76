import { BaseError, UserRejectedRequestError } from 'viem'
import { failureWords } from '../failures/failure-words.ts'

/** What a wallet's error means, and what to do. */
export const walletWords = (error: unknown): string => {
  if (isRejection(error)) {
    return 'You refused it in the wallet: nothing was signed and nothing was sent for it. Try again when you want to.'
  }
  if (named(error, 'ProviderNotFoundError')) {
    return 'There is no wallet in this browser. Install one that speaks EIP-1193, or act as one of the people where the ledger is embedded.'
  }
  if (named(error, 'ResourceUnavailableRpcError')) {
    return 'The wallet is asking you already: open it and answer there.'
  }
  if (error instanceof BaseError) return error.shortMessage
  return failureWords(error)
}

const isRejection = (error: unknown): boolean =>
  error instanceof BaseError
    ? error.walk((cause) => cause instanceof UserRejectedRequestError) !== null
    : (error as { code?: unknown } | null)?.code === UserRejectedRequestError.code

const named = (error: unknown, name: string): boolean =>
  error instanceof Error && error.name === name
