import { LiquefyError } from '@liquefy/protocol'
import { Command, CommanderError } from 'commander'
import { agreementCommand } from './commands/agreement.ts'
import { archiveCommand } from './commands/archive.ts'
import { auditCommand } from './commands/audit.ts'
import { backupCommand, restoreCommand } from './commands/backup.ts'
import { calibrationCommand } from './commands/calibration.ts'
import { chainCommand } from './commands/chain.ts'
import { credentialCommand } from './commands/credential.ts'
import { evidenceCommand } from './commands/evidence.ts'
import { keysCommand } from './commands/keys.ts'
import { machineCommand } from './commands/machine.ts'
import { marketCommand } from './commands/market.ts'
import { originCommand } from './commands/origin.ts'
import { replayCommand } from './commands/replay.ts'
import { rightCommand } from './commands/right.ts'
import { shareCommand } from './commands/share.ts'
import { statusCommand } from './commands/status.ts'
import { upCommand } from './commands/up.ts'
import { vaultCommand } from './commands/vault.ts'
import { voteCommand } from './commands/vote.ts'
import { EXIT } from './failure.ts'

/**
 * Runs one command line and answers its exit code: 0 done, 1 a fault was found, 2 wrong usage or environment. Never
 * throws for what whoever called can put right.
 */
export async function run(args: readonly string[]): Promise<number> {
  let exitCode: number = EXIT.ok
  const done = (code: number) => {
    exitCode = code
  }
  const program = new Command('liquefy')
    .description('Machines that sign what they measure, and are paid for it on a real ledger.')
    .exitOverride()
    .configureHelp({ showGlobalOptions: true })
    .showHelpAfterError('Run `liquefy --help` for all commands.')
    .addHelpText(
      'after',
      '\nStart with `liquefy up --demo silo`, then `liquefy status` in another terminal.',
    )
  for (const command of [
    upCommand(),
    chainCommand(),
    statusCommand(),
    machineCommand(),
    calibrationCommand(done),
    credentialCommand(done),
    keysCommand(),
    backupCommand(),
    restoreCommand(),
    archiveCommand(done),
    agreementCommand(),
    marketCommand(),
    rightCommand(),
    vaultCommand(),
    shareCommand(),
    voteCommand(),
    auditCommand(done),
    evidenceCommand(done),
    originCommand(done),
    replayCommand(done),
  ]) {
    program.addCommand(command)
  }
  withCommonOptions(program)
  try {
    await program.parseAsync(args, { from: 'user' })
    return exitCode
  } catch (error) {
    return explain(error, args.includes('--json'))
  }
}

/** `--json` and `--data-dir` stand behind any command, where people type them. */
function withCommonOptions(command: Command, path = 'liquefy'): void {
  for (const child of command.commands) {
    const words = `${path} ${child.name()}`
    child.exitOverride().showHelpAfterError(`Run \`${words} --help\`.`)
    if (child.commands.length > 0) withCommonOptions(child, words)
    else {
      child
        .option('--json', 'print one line of JSON, the last of the output')
        .option('--data-dir <folder>', 'where data lives (LIQUEFY_DATA_DIR, default .liquefy)')
    }
  }
}

function explain(error: unknown, json: boolean): number {
  if (error instanceof CommanderError) {
    return error.exitCode === 0 ? EXIT.ok : EXIT.usage
  }
  const code = error instanceof LiquefyError ? error.code : 'INTERNAL'
  const message = error instanceof Error ? error.message : String(error)
  if (json) process.stdout.write(`${JSON.stringify({ error: { code, message } })}\n`)
  else process.stderr.write(`${message}\n`)
  // Only what nobody foresaw is worth a trace.
  if (code === 'INTERNAL' && error instanceof Error) process.stderr.write(`${error.stack}\n`)
  return EXIT.usage
}
