import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { formatDecimal } from '@liquefy/protocol'
import { Command } from 'commander'
import { QUARANTINE_WORDS } from '../bins/collection.ts'
import { readBins } from '../bins/read-bins.ts'
import { readSessions } from '../charging/read-sessions.ts'
import { SESSION_QUARANTINE_WORDS } from '../charging/session.ts'
import { contextOf } from '../context.ts'
import { CliError, EXIT } from '../failure.ts'
import { moneyText } from '../money.ts'
import { type Output, table } from '../output.ts'
import type { BinsResult } from '../replay/replay-bins.ts'
import type { ChargingResult } from '../replay/replay-charging.ts'
import type { ReplaySums } from '../replay/run-replay.ts'
import { untilStopped } from '../up/until-stopped.ts'

/** The test euro of the replay's own ledger. */
const EURO = { symbol: 'tEUR', decimals: 6 }

/** Runs the rows of a file in a data folder. */
type Replay<Result> = (dataDir: string, out: Output, stopped: Promise<string>) => Promise<Result>

/** `liquefy replay`: public data through the whole path, on a node and a ledger of its own. */
export function replayCommand(done: (exitCode: number) => void): Command {
  const command = new Command('replay').description(
    'run old data through the whole path, on a node and ledger of its own',
  )
  command
    .command('bins')
    .description('bin collections as machines, paid by litres and kilograms')
    .argument('<file>', 'CSV of collections')
    .action((path: string, _options: object, self: Command) =>
      replay(self, done, binsText, async () => {
        const file = await readBins(path)
        const { replayBins } = await import('../replay/replay-bins.ts')
        return (...where) => replayBins(file, ...where)
      }),
    )
  command
    .command('ev-charging')
    .description('charge points as machines, paid by time of use and by minutes')
    .argument('<file>', 'CSV of charging sessions')
    .action((path: string, _options: object, self: Command) =>
      replay(self, done, chargingText, async () => {
        const file = await readSessions(path)
        const { replayCharging } = await import('../replay/replay-charging.ts')
        return (...where) => replayCharging(file, ...where)
      }),
    )
  return command
}

/** Reads the file, then runs it in the folder named, which must be new, or in one that is removed at the end. */
async function replay<Result extends Pick<ReplaySums, 'firstFault' | 'auditDifferenceMinor'>>(
  self: Command,
  done: (exitCode: number) => void,
  text: (result: Result) => string,
  prepare: () => Promise<Replay<Result>>,
): Promise<void> {
  const { out, folder } = contextOf(self)
  const kept = self.opts<{ dataDir?: string }>().dataDir !== undefined
  if (kept && existsSync(join(folder, 'deployment.json'))) {
    throw new CliError(
      'FOLDER_IN_USE',
      `${folder} holds a ledger already. A replay needs an empty folder: name another with --data-dir, or none for a temporary one.`,
    )
  }
  const run = await prepare()
  const dataDir = kept ? folder : await mkdtemp(join(tmpdir(), 'liquefy-replay-'))
  try {
    const result = await run(dataDir, out, untilStopped())
    out.result(result, () => text(result))
    done(result.firstFault || result.auditDifferenceMinor !== '0' ? EXIT.faultFound : EXIT.ok)
  } finally {
    if (!kept) await rm(dataDir, { recursive: true, force: true })
  }
}

function binsText(result: BinsResult): string {
  return table([
    ...rowsText(result, QUARANTINE_WORDS),
    ['rounded', `${result.transformed.ROUNDED_TO_UNIT} values to their unit, half-even`],
    ['volume', `${formatDecimal(BigInt(result.registers.volume), 3, { grouping: true })} l`],
    ['mass', `${formatDecimal(BigInt(result.registers.mass), 3, { grouping: true })} kg`],
    ...sumsText(result),
  ])
}

function chargingText(result: ChargingResult): string {
  const kWh = (wh: string) => `${formatDecimal(BigInt(wh), 3, { grouping: true })} kWh`
  const { transformed, registers } = result
  return table([
    ...rowsText(result, SESSION_QUARANTINE_WORDS),
    ['turned', `${transformed.DATE_DAY_MONTH_SWAPPED} dates, day and month swapped in the file`],
    ['rounded', `${transformed.ROUNDED_TO_UNIT} energies to whole watt hours, half-even`],
    ['by table', `${transformed.SITE_BY_TABLE} rows spell their site in another way`],
    ['by table', `${transformed.TEST_SITE_BY_TABLE} rows name the operator's test site`],
    ['machines', `${result.chargePoints} charge points of ${result.sites} sites`],
    ['peak', kWh(registers.peakWh)],
    ['off peak', kWh(registers.offPeakWh)],
    ['in the rows', kWh(result.acceptedWh)],
    ['minutes', formatDecimal(BigInt(registers.minutes), 0, { grouping: true })],
    ...sumsText(result),
  ])
}

function rowsText(
  result: { rows: number; accepted: number; quarantined: Partial<Record<string, number>> },
  words: Readonly<Record<string, string>>,
): string[][] {
  return [
    ['rows', String(result.rows)],
    ['accepted', String(result.accepted)],
    ...Object.entries(result.quarantined).map(([code, count]) => [
      'quarantined',
      `${count} ${code}: ${words[code]}`,
    ]),
  ]
}

function sumsText(result: Omit<ReplaySums, 'registers'>): string[][] {
  const euro = moneyText(EURO)
  return [
    ['owed', euro(result.owedMinor)],
    ['settled', euro(result.settledMinor)],
    ['difference', `${result.auditDifferenceMinor} by audit of every agreement`],
    ...(result.firstFault
      ? [['FAULT', `${result.firstFault.code}: ${result.firstFault.message}`]]
      : []),
    ['seconds', String(result.seconds)],
  ]
}
