import { resolve } from 'node:path'
import { viemLedgerReader } from '@liquefy/audit'
import { startSignatureWorkers } from '@liquefy/audit/workers'
import { type ArchiveResult, archiveEnvelopes, restoreEnvelopes } from '@liquefy/node/archive'
import { readSecret } from '@liquefy/node/keys'
import { Command } from 'commander'
import {
  type ArchiveFault,
  type ArchiveReport,
  checkArchives,
  type ExpectedLog,
} from '../archive-check.ts'
import { addressOf, ledgerUrl } from '../audit-run.ts'
import { contextOf } from '../context.ts'
import { knownContracts, knownLog } from '../data-folder.ts'
import { CliError, EXIT } from '../failure.ts'
import { table } from '../output.ts'

const FAULTS_SHOWN = 20

/** `liquefy archive`: old envelopes out of the database, into files that anybody can check. */
export function archiveCommand(done: (exitCode: number) => void): Command {
  const command = new Command('archive')
    .description(
      'move the bytes of old envelopes from the database of the node that runs into Parquet files',
    )
    .addHelpText('after', '\n  liquefy archive --to <folder> --before <date>')
  command
    .command('write', { isDefault: true })
    .description('what `liquefy archive` does')
    .requiredOption('--to <folder>', "the archive's folder, the same each time")
    .requiredOption('--before <date>', 'archive what was logged before: 2026-11-23 (UTC)')
    .action(async ({ to, before }: { to: string; before: string }, self: Command) => {
      const { folder: dataDir, node, out } = contextOf(self)
      const beforeMs = dateOf(before, Date.now())
      const client = node()
      const [{ chain }, deployment] = await Promise.all([client.status(), client.deployment()])
      const { chainId, registry, evidenceAnchor, log } = deployment
      const folder = resolve(to)
      const result = await archiveEnvelopes({
        dataDir,
        databaseUrl: readSecret(process.env, 'DATABASE_URL'),
        folder,
        beforeMs,
        finalBlock: chain.finalBlock,
        origin: { chainId, registry, evidenceAnchor, log },
        onProgress: (step, count) => out.progress.show(step, count),
      })
      out.result({ folder, ...result }, () => archivedText(folder, result))
    })
  command
    .command('verify')
    .description('check each envelope of an archive up to an anchor on the ledger, without a node')
    .requiredOption('--from <folder>', 'what `liquefy archive` wrote')
    .option('--rpc <url>', 'JSON-RPC of the ledger, instead of the one that runs here')
    .option(
      '--log <address>',
      'account of the log you trust, instead of the one of this data folder',
    )
    .action(async (options: { from: string; rpc?: string; log?: string }, self: Command) => {
      const context = contextOf(self)
      const known = knownContracts(context.folder)
      const log = options.log ?? knownLog(context.folder)
      const report = await checked(resolve(options.from), ledgerUrl(context, options.rpc), {
        ...(known && {
          chainId: known.chainId,
          registry: known.registry,
          evidenceAnchor: known.evidenceAnchor,
        }),
        ...(log && { log: addressOf(log) }),
        onProgress: (envelopes) => context.out.progress.show('checking envelopes', envelopes),
      })
      if (report.files === 0) {
        throw new CliError(
          'ARCHIVE_EMPTY',
          `${options.from} holds no archive. Name the folder that \`liquefy archive\` wrote to.`,
        )
      }
      context.out.result(report, () => reportText(report))
      done(report.faulty === 0 ? EXIT.ok : EXIT.faultFound)
    })
  command
    .command('restore')
    .description('put the bytes of archived envelopes back into the database')
    .requiredOption('--from <folder>', 'the archive, or a folder with those of its files')
    .action(async ({ from }: { from: string }, self: Command) => {
      const { folder: dataDir, out } = contextOf(self)
      const restored = await restoreEnvelopes({
        dataDir,
        databaseUrl: readSecret(process.env, 'DATABASE_URL'),
        folder: resolve(from),
        onProgress: (step, count) => out.progress.show(step, count),
      })
      out.result({ restored }, `${restored} envelopes are in the database again.`)
    })
  return command
}

async function checked(
  folder: string,
  rpcUrl: string,
  { onProgress, ...expected }: ExpectedLog & { onProgress: (envelopes: number) => void },
): Promise<ArchiveReport> {
  const workers = startSignatureWorkers()
  try {
    const ledger = viemLedgerReader({ rpcUrl })
    return await checkArchives(folder, ledger, workers.verifyMany, expected, onProgress)
  } finally {
    await workers.stop()
  }
}

/** A day, or a moment with its zone, ms since 1970. @throws CliError `DATE_INVALID`. */
function dateOf(text: string, nowMs: number): number {
  const [, day] = /^(\d{4}-\d\d-\d\d)(T\d\d:\d\d:\d\d(\.\d{1,3})?Z)?$/.exec(text) ?? []
  const ms = Date.parse(text)
  if (day === undefined || Number.isNaN(ms) || !new Date(ms).toISOString().startsWith(day)) {
    throw new CliError(
      'DATE_INVALID',
      `--before takes a day (2026-11-23) or a moment in UTC (2026-11-23T08:00:00Z), not ${text}.`,
    )
  }
  if (ms <= nowMs) return ms
  throw new CliError('DATE_INVALID', `--before takes a time that has passed, not ${text}.`)
}

function archivedText(folder: string, { files, archived, held }: ArchiveResult): string {
  return table([
    ['archived', `${archived} envelopes into ${files.length} files in ${folder}`],
    ['kept for an agreement that is not closed', String(held.agreement)],
    ['kept as the newest of their stream', String(held.newest)],
    ['kept until they are anchored', String(held.unanchored)],
  ])
}

function reportText({ files, envelopes, faulty, faults, restsOn }: ArchiveReport): string {
  const rows = [
    ['files', String(files)],
    ['envelopes that hold', String(envelopes)],
    ...restsOn.map(({ chainId, registry, evidenceAnchor, log }) => [
      'rests on',
      `chain ${chainId}, registry ${registry}, anchors ${evidenceAnchor}, log ${log}`,
    ]),
  ]
  const shown = faults.slice(0, FAULTS_SHOWN).map(faultText)
  const more = faulty > shown.length ? [`and ${faulty - shown.length} more`] : []
  return [table(rows), ...shown, ...more].join('\n')
}

function faultText({ file, message, logIndex, machineId, stream, seq }: ArchiveFault): string {
  const where =
    logIndex === undefined
      ? ''
      : ` log index ${logIndex} (machine ${machineId}, stream ${stream}, seq ${seq})`
  return `FAULT in ${file}${where}: ${message}`
}
