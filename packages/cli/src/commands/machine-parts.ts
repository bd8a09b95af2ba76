import { Command } from 'commander'
import { contextOf } from '../context.ts'
import { machineIdOf } from '../machine-id.ts'
import { table } from '../output.ts'

/** `liquefy machine parts`. */
export function partsCommand(): Command {
  return new Command('parts')
    .description('which sensors of a machine gave way to which, the newest declared first')
    .argument('<machineId>')
    .action(async (machineId: string, _options: object, command: Command) => {
      const { node, out } = contextOf(command)
      const parts = await node().parts(machineIdOf(machineId))
      out.result(parts, () =>
        parts.length === 0
          ? `No part of machine ${machineId} was declared as replaced.`
          : table([
              ['at', 'stream', 'old part', 'last', 'new part', 'first', 'seq'],
              ...parts.map(({ atMs, stream, oldPart, last, newPart, first, seq }) => [
                new Date(atMs).toISOString(),
                stream,
                oldPart ?? '-',
                last ?? '-',
                newPart ?? '-',
                first ?? '-',
                seq,
              ]),
            ]),
      )
    })
}
