import { type AuditReport, auditBundle, viemLedgerReader } from '@liquefy/audit'
import { startSignatureWorkers } from '@liquefy/audit/workers'
import type { Hex } from '@liquefy/protocol'
import { isAddress } from 'viem'
import { linesOf } from './bundle-file.ts'
import type { Context } from './context.ts'
import { knownContracts, knownLog, readRunning } from './data-folder.ts'
import { CliError } from './failure.ts'

/** Where evidence and ledger come from. */
export interface AuditSource {
  agreement?: Hex
  bundle?: string
  rpc?: string
  /** Account of the log that is trusted to be the only one; default: the data folder's own. */
  log?: string
}

/**
 * Audits from an exported file, else from the running node. What this data folder knows of its own contracts is held against
 * what the bundle names.
 */
export async function runAudit(context: Context, source: AuditSource): Promise<AuditReport> {
  const known = knownContracts(context.folder)
  const log = source.log ?? knownLog(context.folder)
  const rpcUrl =
    source.rpc ?? readRunning(context.folder)?.rpcUrl ?? (await rpcOfNode(context, source))
  const lines = source.bundle ? linesOf(source.bundle) : bundleOf(context, source.agreement)
  const workers = startSignatureWorkers()
  try {
    return await auditBundle({
      lines,
      verifyMany: workers.verifyMany,
      ledger: viemLedgerReader({
        rpcUrl,
        ...(known ? { tariffs: known } : {}),
      }),
      expected: {
        ...(source.agreement ? { agreementId: source.agreement } : {}),
        ...(log ? { log: addressOf(log) } : {}),
        ...(known
          ? {
              chainId: known.chainId,
              registry: known.registry,
              clearingHouse: known.clearingHouse,
              evidenceAnchor: known.evidenceAnchor,
            }
          : {}),
      },
      onProgress: ({ envelopes }) => context.out.progress.show('checking envelopes', envelopes),
    })
  } finally {
    await workers.stop()
  }
}

function addressOf(text: string): Hex {
  if (!isAddress(text, { strict: false })) {
    throw new CliError('LOG_INVALID', `--log takes an address (0x and 40 hex digits), not ${text}.`)
  }
  return text
}

async function rpcOfNode(context: Context, source: AuditSource): Promise<string> {
  if (source.bundle) {
    throw new CliError(
      'LEDGER_NOT_RUNNING',
      `No ledger runs on ${context.folder}. Serve it from its journal: liquefy chain --data-dir ${context.folder}. Or name one: --rpc <url>.`,
    )
  }
  return (await context.node().deployment()).rpcUrl
}

function bundleOf(context: Context, agreement: Hex | undefined): AsyncIterable<string> {
  if (!agreement)
    throw new CliError('AGREEMENT_MISSING', 'Name an agreement: liquefy agreement list.')
  return context.node().bundle(agreement)
}
