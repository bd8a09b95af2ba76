import { resolve } from 'node:path'
import { type BackupManifest, restoreBackup, takeBackup } from '@liquefy/node/backup'
import { readSecret } from '@liquefy/node/keys'
import { Command } from 'commander'
import { contextOf } from '../context.ts'
import { table } from '../output.ts'

/** `liquefy backup`: a copy of a node that runs. */
export function backupCommand(): Command {
  return new Command('backup')
    .description('copy database, ledger and keys of the node that runs on the data folder')
    .requiredOption('--to <folder>', 'an empty folder, or one that is not there yet')
    .action(async ({ to }: { to: string }, command: Command) => {
      const { folder: dataDir, out } = contextOf(command)
      const folder = resolve(to)
      const databaseUrl = readSecret(process.env, 'DATABASE_URL')
      const manifest = await takeBackup({
        dataDir,
        folder,
        databaseUrl,
        nowMs: Date.now(),
        onProgress: (step, done, all) => out.progress.show(step, done, all),
      })
      const summary = summaryOf(manifest)
      out.result({ folder, ...summary }, () =>
        table([
          ['backup', folder],
          ['rows', String(summary.rows)],
          ['bytes', String(summary.bytes)],
          ...manifest.elsewhere.map((words) => ['not in it', words]),
          ['keep', 'it holds keys: store it as you would the data folder'],
        ]),
      )
    })
}

/** `liquefy restore`: a data folder from a backup. */
export function restoreCommand(): Command {
  return new Command('restore')
    .description('make a data folder of a backup')
    .requiredOption('--from <folder>', 'what `liquefy backup` wrote')
    .action(async ({ from }: { from: string }, command: Command) => {
      const { folder: dataDir, out } = contextOf(command)
      const databaseUrl = readSecret(process.env, 'DATABASE_URL')
      const manifest = await restoreBackup({
        folder: resolve(from),
        dataDir,
        databaseUrl,
        onProgress: (step, done, all) => out.progress.show(step, done, all),
      })
      const takenAt = new Date(manifest.takenMs).toISOString()
      out.result(
        { dataDir, takenAt, ...summaryOf(manifest) },
        `${dataDir} is as it was at ${takenAt}. Start it with \`liquefy up --data-dir ${dataDir}\`.`,
      )
    })
}

function summaryOf({ database, files }: BackupManifest): { rows: number; bytes: number } {
  return {
    rows: database.tables.reduce((sum, { rows }) => sum + rows, 0),
    bytes: files.reduce((sum, { bytes }) => sum + bytes, 0),
  }
}
