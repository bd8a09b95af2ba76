import type { AuditReport } from '@liquefy/audit'
import { Command } from 'commander'
import { agreementIdOf, agreementIdOfBundle } from '../agreement-id.ts'
import { runAudit } from '../audit-run.ts'
import { bandText } from '../band.ts'
import { contextOf } from '../context.ts'
import { type KnownContracts, knownContracts } from '../data-folder.ts'
import { EXIT } from '../failure.ts'
import { moneyText } from '../money.ts'
import { table } from '../output.ts'

interface AuditFlags {
  bundle?: string
  archive?: string
  copy?: string
  rpc?: string
  log?: string
  blockHash?: string
  prove?: boolean
}

/** `liquefy audit`: from money back to the sensor. Exit code 1 names the first thing that does not fit. */
export function auditCommand(done: (exitCode: number) => void): Command {
  return new Command('audit')
    .description(
      'recompute a bill from signed readings and compare it with the ledger, trusting nobody',
    )
    .argument('<agreement>', 'agreement id, or its beginning')
    .option('--bundle <file>', 'evidence that `liquefy evidence export` wrote, instead of a node')
    .option(
      '--archive <folder>',
      'where `liquefy archive` put what the node does not have any more',
    )
    .option(
      '--copy <file>',
      'bundle that was exported before the machine was erased, for what the node has erased',
    )
    .option('--rpc <url>', 'JSON-RPC of the ledger, instead of the one that runs here')
    .option(
      '--log <address>',
      'account of the log you trust, instead of the one of this data folder',
    )
    .option(
      '--block-hash <hash>',
      'hash of a block you trust, from another source than the RPC: all that the RPC says is proven against it',
    )
    .option('--prove', 'the same against the newest block of the RPC; say what was proven')
    .action(async (given: string, options: AuditFlags, command: Command) => {
      const context = contextOf(command)
      const agreement = options.bundle
        ? await agreementIdOfBundle(options.bundle, given)
        : await agreementIdOf(context, given)
      const report = await runAudit(context, { ...(agreement ? { agreement } : {}), ...options })
      context.out.result({ ...report, agreement: agreement ?? report.agreement }, () =>
        auditText(report, moneyOf(report, knownContracts(context.folder))),
      )
      done(holds(report) ? EXIT.ok : EXIT.faultFound)
    })
}

/** Nothing is amiss, and not one unit was paid that the evidence does not support. */
function holds(report: AuditReport): boolean {
  return report.firstFault === null && report.differenceMinor === '0'
}

/** An asset's name and decimals are no evidence: known are those of this folder's own clearing house. */
function moneyOf(report: AuditReport, known: KnownContracts | undefined) {
  const own = report.restsOn?.clearingHouse.toLowerCase() === known?.clearingHouse.toLowerCase()
  return known && own
    ? moneyText(known.asset)
    : moneyText({ decimals: 0, symbol: 'smallest units' })
}

function auditText(report: AuditReport, money: (minor: string) => string): string {
  const { firstFault: fault, restsOn, settledAfterMinor: after } = report
  const unpaid = BigInt(report.owedMinor) - BigInt(report.settledMinor)
  const rows = [
    ['agreement', report.agreement ?? 'unreadable'],
    [
      'envelopes',
      `${report.envelopes}, with ${report.readings} readings, signed by ${report.signedBy.join(', ') || 'nobody'}`,
    ],
    ...(report.metersSignedBy ? [['meter values', `signed by ${report.metersSignedBy}`]] : []),
    ['owed', money(report.owedMinor)],
    ...report.periods.flatMap(({ period, owedMinor, band }) =>
      band ? [[`period ${period}`, `${money(owedMinor)}, ${bandText(band, money)}`]] : [],
    ),
    ['settled', money(report.settledMinor)],
    ...(unpaid > 0n && holds(report) ? [['not paid yet', money(String(unpaid))]] : []),
    ['difference', money(report.differenceMinor)],
    ['not anchored yet', String(report.unanchored)],
    ...(after === '0' ? [] : [['settled after it', money(after)]]),
    ...(restsOn
      ? [
          [
            'rests on',
            `chain ${restsOn.chainId}, clearing house ${restsOn.clearingHouse}, log ${restsOn.log}`,
          ],
        ]
      : []),
    ...proofRows(report.ledgerProof),
  ]
  const verdict = fault
    ? `FAULT ${fault.code}${whereOf(fault)}: ${fault.message}${compared(fault)}`
    : holds(report)
      ? `Every unit that was paid${after === '0' ? '' : ' up to this evidence'} is supported by ${report.envelopes > 0 ? 'signed readings' : 'what was signed, or by time'}.`
      : 'FAULT: the ledger paid another sum than the evidence supports.'
  const unchecked =
    after === '0'
      ? ''
      : `\n${money(after)} was paid after this evidence was written and is not checked by it: take newer evidence.`
  return `${table(rows)}\n${verdict}${unchecked}`
}

function proofRows(proof: AuditReport['ledgerProof']): string[][] {
  if (!proof) return []
  const { blockHash, blockNumber, blockSeconds, headers, receiptBlocks, facts } = proof
  const time = new Date(blockSeconds * 1_000).toISOString()
  return [
    [
      'proven against',
      `block ${blockNumber} of ${time}, ${blockHash}: compare it with another source`,
    ],
    ['proven by', `${headers} headers, and all receipts of ${receiptBlocks} blocks`],
    ...facts.map((fact) => ['proven', fact]),
  ]
}

type Fault = NonNullable<AuditReport['firstFault']>

function whereOf(fault: Fault): string {
  const places = [
    fault.stream && `stream ${fault.stream}`,
    fault.seq && `seq ${fault.seq}`,
    fault.logIndex && `log index ${fault.logIndex}`,
    fault.period !== undefined && `period ${fault.period}`,
    fault.line && `line ${fault.line}`,
    fault.block && `block ${fault.block}`,
  ].filter(Boolean)
  return places.length === 0 ? '' : ` at ${places.join(', ')}`
}

function compared(fault: Fault): string {
  if (fault.expected === undefined && fault.found === undefined) return ''
  return ` (expected ${fault.expected ?? 'otherwise'}, found ${fault.found ?? 'nothing'})`
}
