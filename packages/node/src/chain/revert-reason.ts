import { clearingHouseAbi, evidenceAnchorAbi, machineRegistryAbi } from '@liquefy/abi'
import {
  BaseError,
  CallExecutionError,
  decodeErrorResult,
  EstimateGasExecutionError,
  ExecutionRevertedError,
  type Hex,
  isHex,
} from 'viem'

const ERRORS = [...machineRegistryAbi, ...clearingHouseAbi, ...evidenceAnchorAbi].filter(
  (item) => item.type === 'error',
)

function revertData(error: BaseError): Hex | undefined {
  let data: unknown
  error.walk((cause) => {
    const found = (cause as { data?: unknown }).data
    if (typeof found === 'string' && isHex(found) && found.length >= 10) data = found
    return false
  })
  return data as Hex | undefined
}

/**
 * Why the ledger would refuse, or refused, a call: the contract's error with its arguments where it is known.
 * Undefined if the error says nothing of the call itself (no answer, no money, a node's own trouble).
 */
export function revertReason(error: unknown): string | undefined {
  if (!(error instanceof BaseError)) return undefined
  const executed = error instanceof EstimateGasExecutionError || error instanceof CallExecutionError
  if (!executed) return undefined
  const data = revertData(error)
  const reverted = error.walk((cause) => cause instanceof ExecutionRevertedError)
  if (!data) return reverted ? (reverted as BaseError).shortMessage : undefined
  try {
    const { errorName, args } = decodeErrorResult({ abi: ERRORS, data })
    return `${errorName}(${(args ?? []).map(String).join(', ')})`
  } catch {
    return `Reverted with ${data.slice(0, 138)}`
  }
}
