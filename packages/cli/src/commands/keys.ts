import { encryptKeys, listKeys, readSecret } from '@liquefy/node/keys'
import { Command } from 'commander'
import { type Context, contextOf } from '../context.ts'
import { CliError } from '../failure.ts'
import { table } from '../output.ts'

const CURRENT = 'LIQUEFY_KEY_PASSPHRASE'
const NEXT = 'LIQUEFY_NEW_KEY_PASSPHRASE'

/** `liquefy keys`: the accounts of the node, and the passphrase that they lie under. */
export function keysCommand(): Command {
  return new Command('keys')
    .description('the keys that a data folder holds, and their passphrase')
    .addCommand(list())
    .addCommand(encrypt())
    .addCommand(passphrase())
}

function list(): Command {
  return new Command('list')
    .description('whose keys there are, and whether they are encrypted')
    .action((_options: object, command: Command) => {
      const { folder, out } = contextOf(command)
      const keys = listKeys(folder)
      out.result(keys, () =>
        keys.length === 0
          ? `${folder} holds no keys yet. \`liquefy up\` makes them.`
          : table([
              ['name', 'address', 'on disk'],
              ...keys.map(({ name, address, encrypted }) => [
                name ?? '',
                address ?? '',
                encrypted ? 'encrypted' : 'in the open',
              ]),
            ]),
      )
    })
}

function encrypt(): Command {
  return new Command('encrypt')
    .description(`put the keys under the passphrase of ${CURRENT}_FILE, or ${CURRENT}`)
    .action((_options: object, command: Command) => {
      const context = contextOf(command)
      answer(context, encryptKeys(context.folder, needed(CURRENT)))
    })
}

function passphrase(): Command {
  return new Command('passphrase')
    .description(`change the passphrase from ${CURRENT}(_FILE) to ${NEXT}(_FILE)`)
    .action((_options: object, command: Command) => {
      const context = contextOf(command)
      answer(context, encryptKeys(context.folder, needed(NEXT), needed(CURRENT)))
    })
}

/** Never an argument of the command line: those are seen by everybody on the computer. */
function needed(name: string): string {
  const secret = readSecret(process.env, name)
  if (secret) return secret
  throw new CliError(
    'KEY_PASSPHRASE_MISSING',
    `Give the passphrase: ${name}_FILE names a file that holds it, or set ${name}.`,
  )
}

function answer({ folder, out }: Context, written: readonly string[]): void {
  out.result({ dataDir: folder, written }, () =>
    written.length === 0
      ? 'Nothing to do: every key is under that passphrase.'
      : `${written.length} key files are under the passphrase now. Keep it apart from the backups of ${folder}: without it they are lost.`,
  )
}
