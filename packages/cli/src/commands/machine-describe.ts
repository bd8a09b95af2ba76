import { Command, Option } from 'commander'
import { contextOf } from '../context.ts'
import { CliError } from '../failure.ts'
import { machineIdOf } from '../machine-id.ts'

/** `liquefy machine describe`. */
export function describeCommand(): Command {
  return new Command('describe')
    .description('one machine as other systems read it, in JSON')
    .argument('<machineId>')
    .addOption(new Option('--td', 'as a W3C WoT Thing Description 1.1').conflicts('aas'))
    .addOption(new Option('--aas', 'as an Asset Administration Shell (metamodel 3.0)'))
    .action(async (machineId: string, options: { td?: true; aas?: true }, command: Command) => {
      const { node, out } = contextOf(command)
      if (!options.td && !options.aas) {
        throw new CliError('FORMAT_MISSING', 'Say as what: --td or --aas.')
      }
      const client = node()
      const id = machineIdOf(machineId)
      const described = options.td
        ? await client.thingDescription(id)
        : await client.administrationShell(id)
      out.result(described, () => JSON.stringify(described, null, 2))
    })
}
