import { createWriteStream } from 'node:fs'
import { rename } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { FAULT_CODES } from '@liquefy/audit'
import { Command } from 'commander'
import { agreementIdOf } from '../agreement-id.ts'
import { withArchived } from '../archived-lines.ts'
import { runAudit } from '../audit-run.ts'
import { contextOf } from '../context.ts'
import { EXIT } from '../failure.ts'
import { addReceiptCommands } from './receipts.ts'

const EVIDENCE_CODES = FAULT_CODES.slice(0, FAULT_CODES.indexOf('ADMISSION_MISMATCH') + 1)

/** `liquefy evidence`: what outlives the node. */
export function evidenceCommand(done: (exitCode: number) => void): Command {
  const command = new Command('evidence').description(
    'signed readings with their proofs: bundles, receipts, whole streams',
  )
  command
    .command('export')
    .description('write all evidence of an agreement into one file')
    .argument('<agreement>', 'agreement id, or its beginning')
    .option('--out <file>', 'default: <agreement>.ndjson in the working folder')
    .option(
      '--archive <folder>',
      'where `liquefy archive` put what the node does not have any more',
    )
    .action(async (given: string, options: { out?: string; archive?: string }, self: Command) => {
      const context = contextOf(self)
      const agreement = await agreementIdOf(context, given)
      const file = options.out ?? `${agreement}.ndjson`
      let lines = 0
      const counted = async function* () {
        for await (const line of withArchived(context.node().bundle(agreement), options.archive)) {
          lines += 1
          context.out.progress.show('writing lines', lines)
          yield `${line}\n`
        }
      }
      // Half a bundle must not bear the name of a whole one.
      await pipeline(counted(), createWriteStream(`${file}.part`))
      await rename(`${file}.part`, file)
      context.out.result(
        { agreement, file, lines },
        `${file}: ${lines} lines. Audit it with: liquefy audit ${agreement} --bundle ${file}`,
      )
    })
  command
    .command('verify')
    .description(
      'check signatures, chains, completeness and log proofs of a bundle against the ledger',
    )
    .argument('<file>', 'what `liquefy evidence export` wrote')
    .option('--rpc <url>', 'JSON-RPC of the ledger, instead of the one that runs here')
    .option(
      '--log <address>',
      'account of the log you trust, instead of the one of this data folder',
    )
    .action(async (bundle: string, options: { rpc?: string; log?: string }, self: Command) => {
      const context = contextOf(self)
      const report = await runAudit(context, { bundle, ...options })
      const { agreement, envelopes, readings, unanchored, signedBy } = report
      const fault = report.firstFault
      const firstFault = fault && EVIDENCE_CODES.includes(fault.code) ? fault : null
      context.out.result(
        { agreement, envelopes, readings, unanchored, signedBy, firstFault },
        () =>
          firstFault
            ? `FAULT ${firstFault.code}: ${firstFault.message}${firstFault.stream ? ` (stream ${firstFault.stream}, seq ${firstFault.seq})` : ''}`
            : `${envelopes} envelopes hold: signed by ${signedBy.join(', ') || 'nobody'}, complete, in the log; ${unanchored} not anchored yet.`,
      )
      done(firstFault ? EXIT.faultFound : EXIT.ok)
    })
  addReceiptCommands(command, done)
  return command
}
