import { existsSync } from 'node:fs'
import { listKeys, readKey, readSecret } from '@liquefy/node/keys'
import type { Hex } from '@liquefy/protocol'
import { CliError } from './failure.ts'
import type { Signer } from './transactions.ts'

/** Keys that are the node's own and no person's. */
const NOT_PEOPLE = ['operator', 'deployer']

/** The account that acts: `--key-file`, else `--as` one of the embedded chain's people. */
export function walletOf(folder: string, options: { as?: string; keyFile?: string }): Signer {
  if (options.keyFile) return accountOf(options.keyFile)
  if (!options.as) {
    throw new CliError(
      'WALLET_MISSING',
      `Say who acts: --as "<person>" or --key-file <file>. ${whoThereIs(namesIn(folder))}`,
    )
  }
  return personOf(folder, options.as)
}

/** One of the people by name, in any case, or by a beginning that only one of them has. */
export function personOf(folder: string, given: string): Signer {
  const people = namesIn(folder)
  const wanted = given.toLowerCase()
  const whole = people.find(({ name }) => name.toLowerCase() === wanted)
  const [found, another] = whole
    ? [whole]
    : people.filter(({ name }) => name.toLowerCase().startsWith(wanted))
  if (!found)
    throw new CliError('PERSON_UNKNOWN', `Nobody is called "${given}". ${whoThereIs(people)}`)
  // Whoever acts pays: nobody guesses.
  if (another)
    throw new CliError(
      'PERSON_UNKNOWN',
      `More than one is called "${given}…". ${whoThereIs(people)}`,
    )
  return accountOf(found.path)
}

function namesIn(folder: string): { name: string; path: string; address: Hex | undefined }[] {
  return listKeys(folder)
    .map(({ name, ...file }) => ({ name: name ?? file.path, ...file }))
    .filter(({ name }) => !NOT_PEOPLE.includes(name))
}

function whoThereIs(people: readonly { name: string }[]): string {
  return people.length === 0
    ? 'This data folder has no keys of people: those come with the embedded chain.'
    : `On this data folder: ${people.map(({ name }) => name).join(', ')}.`
}

/** A key file of any kind that `readKey` knows, with the passphrase of the environment if it is encrypted. */
function accountOf(path: string): Signer {
  if (!existsSync(path)) throw new CliError('KEY_FILE_UNREADABLE', `${path} cannot be read.`)
  return readKey(path, readSecret(process.env, 'LIQUEFY_KEY_PASSPHRASE'))
}

/** What the people of a data folder are called, by lower-case address. */
export function namesOf(folder: string): Map<string, string> {
  return new Map(namesIn(folder).flatMap(({ address, name }) => (address ? [[address, name]] : [])))
}
