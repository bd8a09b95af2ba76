import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { formatDecimal } from '@liquefy/protocol'
import { Command } from 'commander'
import { QUARANTINE_WORDS, type QuarantineCode } from '../bins/collection.ts'
import { readBins } from '../bins/read-bins.ts'
import { contextOf } from '../context.ts'
import { CliError, EXIT } from '../failure.ts'
import { moneyText } from '../money.ts'
import { table } from '../output.ts'
import type { ReplayResult } from '../replay/replay-bins.ts'
import { untilStopped } from '../up/until-stopped.ts'

/** The test euro of the replay's own ledger. */
const EURO = { symbol: 'tEUR', decimals: 6 }

/** `liquefy replay`: public data through the whole path, on a node and a ledger of its own. */
export function replayCommand(done: (exitCode: number) => void): Command {
  const command = new Command('replay').description(
    'run old data through the whole path, on a node and ledger of its own',
  )
  command
    .command('bins')
    .description('bin collections as machines, paid by litres and kilograms')
    .argument('<file>', 'CSV of collections')
    .action(async (path: string, _options: object, self: Command) => {
      const { out, folder } = contextOf(self)
      const kept = self.opts<{ dataDir?: string }>().dataDir !== undefined
      if (kept && existsSync(join(folder, 'deployment.json'))) {
        throw new CliError(
          'FOLDER_IN_USE',
          `${folder} holds a ledger already. A replay needs an empty folder: name another with --data-dir, or none for a temporary one.`,
        )
      }
      const file = await readBins(path)
      const { replayBins } = await import('../replay/replay-bins.ts')
      const dataDir = kept ? folder : await mkdtemp(join(tmpdir(), 'liquefy-replay-'))
      try {
        const result = await replayBins(file, dataDir, out, untilStopped())
        out.result(result, () => resultText(result))
        done(result.firstFault || result.auditDifferenceMinor !== '0' ? EXIT.faultFound : EXIT.ok)
      } finally {
        if (!kept) await rm(dataDir, { recursive: true, force: true })
      }
    })
  return command
}

function resultText(result: ReplayResult): string {
  const euro = moneyText(EURO)
  return table([
    ['rows', String(result.rows)],
    ['accepted', String(result.accepted)],
    ...Object.entries(result.quarantined).map(([code, count]) => [
      'quarantined',
      `${count} ${code}: ${QUARANTINE_WORDS[code as QuarantineCode]}`,
    ]),
    ['rounded', `${result.transformed.ROUNDED_TO_UNIT} values to their unit, half-even`],
    ['volume', `${formatDecimal(BigInt(result.registers.volume), 3, { grouping: true })} l`],
    ['mass', `${formatDecimal(BigInt(result.registers.mass), 3, { grouping: true })} kg`],
    ['owed', euro(result.owedMinor)],
    ['settled', euro(result.settledMinor)],
    ['difference', `${result.auditDifferenceMinor} by audit of every agreement`],
    ...(result.firstFault
      ? [['FAULT', `${result.firstFault.code}: ${result.firstFault.message}`]]
      : []),
    ['seconds', String(result.seconds)],
  ])
}
