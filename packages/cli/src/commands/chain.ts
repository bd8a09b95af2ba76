import { Command } from 'commander'
import { contextOf } from '../context.ts'
import { portOf } from './up.ts'

/** `liquefy chain`: the embedded ledger alone, so that a bundle can be audited with the node off. */
export function chainCommand(): Command {
  return new Command('chain')
    .description('serve the embedded ledger alone, from its journal')
    .option(
      '--rpc-port <port>',
      'JSON-RPC on loopback, 0 for any free one (LIQUEFY_RPC_PORT, default 4285)',
      portOf,
    )
    .action(async (options: { rpcPort?: number }, command: Command) => {
      const context = contextOf(command)
      const { runChain } = await import('../up/run-chain.ts')
      await runChain(context, options)
    })
}
