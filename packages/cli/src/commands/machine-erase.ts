import { Command } from 'commander'
import { contextOf } from '../context.ts'
import { CliError } from '../failure.ts'
import { machineIdOf } from '../machine-id.ts'
import { asPerson } from '../sign-in.ts'
import { walletOf } from '../wallet.ts'

/** `liquefy machine erase`: what people measured goes, what proves stays. */
export function eraseCommand(): Command {
  return new Command('erase')
    .description('erase what a decommissioned machine measured; proofs and payments stay')
    .argument('<machineId>')
    .option('--as <person>', 'owner: one of the embedded chain’s people')
    .option('--key-file <file>', 'owner: file with a private key')
    .option('--yes', 'do it: export first what you want to keep')
    .action(
      async (
        given: string,
        options: { as?: string; keyFile?: string; yes?: boolean },
        command: Command,
      ) => {
        const machineId = machineIdOf(given)
        if (!options.yes) {
          throw new CliError(
            'ERASE_UNCONFIRMED',
            `This erases all that machine ${given} measured, for ever. Whoever is to audit its bills later needs a copy: liquefy evidence export <agreement>, once for each (liquefy agreement list). Backups made before keep it. Then say --yes.`,
          )
        }
        const context = contextOf(command)
        const owner = walletOf(context.folder, options)
        const statement = await asPerson(context, owner, (client) => client.eraseMachine(machineId))
        const sum = (field: 'envelopes' | 'bytes') =>
          statement.streams.reduce((total, stream) => total + BigInt(stream[field]), 0n)
        context.out.result(
          statement,
          `Erased ${sum('envelopes')} envelopes of machine ${given}, ${sum('bytes')} bytes, from ${statement.streams.length} streams. Their leaves stay in the log, under ${statement.keptRoot}. The signed statement: liquefy machine history ${given}`,
        )
      },
    )
}
