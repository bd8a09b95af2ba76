import { type AuditReport, auditBundle, type LedgerReader, viemLedgerReader } from '@liquefy/audit'
import { provenLedgerReader } from '@liquefy/audit/proof'
import { startSignatureWorkers } from '@liquefy/audit/workers'
import type { Hex } from '@liquefy/protocol'
import { isAddress } from 'viem'
import { withArchived } from './archived-lines.ts'
import { linesOf } from './bundle-file.ts'
import type { Context } from './context.ts'
import { type KnownContracts, knownContracts, knownLog, readRunning } from './data-folder.ts'
import { CliError } from './failure.ts'
import { withKept } from './kept-lines.ts'
import { blockHashOf, newestBlockHash } from './trusted-block.ts'

/** Where evidence and ledger come from. */
export interface AuditSource {
  agreement?: Hex
  bundle?: string
  /** Folder of the archive that has what the node has not any more. */
  archive?: string
  /** Bundle exported before the machine was erased. */
  copy?: string
  rpc?: string
  /** Account of the log that is trusted to be the only one; default: the data folder's own. */
  log?: string
  /** Hash of a block that is trusted: then the ledger's answers are proven against it. */
  blockHash?: string
  /** Proves the ledger's answers, against the newest block that the RPC names if no hash is given. */
  prove?: boolean
}

/**
 * Audits from an exported file, else from the running node. What this data folder knows of its own contracts is held against
 * what the bundle names.
 */
export async function runAudit(context: Context, source: AuditSource): Promise<AuditReport> {
  const known = knownContracts(context.folder)
  const log = source.log ?? knownLog(context.folder)
  const rpcUrl = source.bundle
    ? ledgerUrl(context, source.rpc)
    : (source.rpc ?? readRunning(context.folder)?.rpcUrl ?? (await rpcOfNode(context)))
  const given = source.bundle ? linesOf(source.bundle) : bundleOf(context, source.agreement)
  const lines = withKept(withArchived(given, source.archive), source.copy)
  const workers = startSignatureWorkers()
  try {
    return await auditBundle({
      lines,
      verifyMany: workers.verifyMany,
      ledger: await ledgerOf(context, rpcUrl, source, known),
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

async function ledgerOf(
  context: Context,
  rpcUrl: string,
  { blockHash, prove }: AuditSource,
  known: KnownContracts | undefined,
): Promise<LedgerReader> {
  if (blockHash === undefined && !prove) {
    return viemLedgerReader({ rpcUrl, ...(known ? { tariffs: known } : {}) })
  }
  return provenLedgerReader({
    rpcUrl,
    blockHash: blockHash === undefined ? await newestBlockHash(rpcUrl) : blockHashOf(blockHash),
    onProgress: ({ headers, of }) => context.out.progress.show('proving blocks', headers, of),
  })
}

/** An address that was typed in. @throws CliError `LOG_INVALID`. */
export function addressOf(text: string): Hex {
  if (!isAddress(text, { strict: false })) {
    throw new CliError('LOG_INVALID', `--log takes an address (0x and 40 hex digits), not ${text}.`)
  }
  return text
}

/** JSON-RPC of the ledger: the one given, else the one that runs on the data folder. @throws CliError `LEDGER_NOT_RUNNING`. */
export function ledgerUrl(context: Context, given: string | undefined): string {
  const url = given ?? readRunning(context.folder)?.rpcUrl
  if (url !== undefined) return url
  throw new CliError(
    'LEDGER_NOT_RUNNING',
    `No ledger runs on ${context.folder}. Serve it from its journal: liquefy chain --data-dir ${context.folder}. Or name one: --rpc <url>.`,
  )
}

async function rpcOfNode(context: Context): Promise<string> {
  return (await context.node().deployment()).rpcUrl
}

function bundleOf(context: Context, agreement: Hex | undefined): AsyncIterable<string> {
  if (!agreement)
    throw new CliError('AGREEMENT_MISSING', 'Name an agreement: liquefy agreement list.')
  return context.node().bundle(agreement)
}
