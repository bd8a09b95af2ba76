import { Command, InvalidArgumentError, Option } from 'commander'
import { contextOf } from '../context.ts'
import type { UpOptions } from '../up/run-node.ts'

/** `liquefy up`: the node, until it is asked to stop. */
export function upCommand(): Command {
  return new Command('up')
    .description('start the node: database, broker, ledger, page')
    .addOption(
      new Option('--demo <name>', 'run an example on it').choices(['silo', 'charging', 'boat']),
    )
    .addOption(
      new Option(
        '--role <role>',
        'one process of several that share DATABASE_URL, MQTT_URL and RPC_URL (LIQUEFY_ROLE, docs/scale.md)',
      )
        .choices(['all', 'ingest', 'meter', 'settle', 'api'])
        .env('LIQUEFY_ROLE')
        .default('all'),
    )
    .option('--host <address>', 'interface to listen on (LIQUEFY_HOST, default 127.0.0.1)')
    .option(
      '--port <port>',
      'of API and page, 0 for any free one (LIQUEFY_PORT, default 4280)',
      portOf,
    )
    .option(
      '--mqtt-port <port>',
      'of the embedded broker (LIQUEFY_MQTT_PORT, default 4283)',
      portOf,
    )
    .option('--rpc-port <port>', 'of the embedded ledger (LIQUEFY_RPC_PORT, default 4285)', portOf)
    .option('--rpc-url <url>', 'an EVM chain of your own instead of the embedded one (RPC_URL)')
    .addHelpText('after', '\nMore settings are environment variables: see the README.')
    .action(async (options: UpOptions, command: Command) => {
      const context = contextOf(command)
      if (options.role !== 'all') {
        const { runRole } = await import('../up/run-role.ts')
        return runRole(context, options)
      }
      const { runNode } = await import('../up/run-node.ts')
      await runNode(context, options)
    })
}

/** A TCP port, 0 for any free one. */
export function portOf(text: string): number {
  const port = Number(text)
  if (!/^\d{1,5}$/.test(text) || port > 65_535)
    throw new InvalidArgumentError('It must be a port from 0 to 65535.')
  return port
}
