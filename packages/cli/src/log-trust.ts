import { viemLedgerReader } from '@liquefy/audit'
import type { Hex, LogIdentity } from '@liquefy/protocol'
import { addressOf, ledgerUrl } from './audit-run.ts'
import type { Context } from './context.ts'
import { knownContracts, knownLog } from './data-folder.ts'
import { CliError } from './failure.ts'

/** Which ledger and which log a check believes: what this data folder knows, or what was typed in. */
export interface Trust {
  log: LogIdentity
  registry: Hex
  clearingHouse: Hex
  ledger: ReturnType<typeof viemLedgerReader>
}

/** @throws CliError `CONTRACTS_UNKNOWN`, `LOG_UNKNOWN`, `LEDGER_NOT_RUNNING`. */
export function trustOf(context: Context, given: { rpc?: string; log?: string }): Trust {
  const contracts = knownContracts(context.folder)
  if (!contracts) {
    throw new CliError(
      'CONTRACTS_UNKNOWN',
      `${context.folder} knows no contracts. Name the folder of a node with --data-dir, or a deployment file in LIQUEFY_DEPLOYMENT.`,
    )
  }
  const { chainId, evidenceAnchor, registry, clearingHouse } = contracts
  const log = given.log ? addressOf(given.log) : knownLog(context.folder)
  if (!log) {
    throw new CliError(
      'LOG_UNKNOWN',
      'Name the account of the log that you trust: --log <address>.',
    )
  }
  const lower = (address: Hex) => address.toLowerCase() as Hex
  return {
    log: { chainId, log: lower(log), anchor: lower(evidenceAnchor) },
    registry: lower(registry),
    clearingHouse,
    ledger: viemLedgerReader({ rpcUrl: ledgerUrl(context, given.rpc) }),
  }
}
