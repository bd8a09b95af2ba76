import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Hex } from '@liquefy/protocol'
import { privateKeyToAccount } from 'viem/accounts'
import { CliError } from './failure.ts'
import type { Signer } from './transactions.ts'

/** Keys that are the node's own and no person's. */
const NOT_PEOPLE = ['operator', 'deployer']

interface KeyFile {
  name?: string
  address: Hex
  privateKey: Hex
}

/** The account that acts: `--key-file`, else `--as` one of the embedded chain's people. */
export function walletOf(folder: string, options: { as?: string; keyFile?: string }): Signer {
  if (options.keyFile) return accountOf(options.keyFile)
  const people = namesIn(folder)
  if (!options.as) {
    throw new CliError(
      'WALLET_MISSING',
      `Say who acts: --as "<person>" or --key-file <file>. ${whoThereIs(people)}`,
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

function namesIn(folder: string): { name: string; path: string }[] {
  const keys = join(folder, 'keys')
  if (!existsSync(keys)) return []
  return readdirSync(keys)
    .filter((file) => file.endsWith('.json'))
    .map((file) => ({ name: read(join(keys, file)).name ?? file, path: join(keys, file) }))
    .filter(({ name }) => !NOT_PEOPLE.includes(name))
}

function whoThereIs(people: readonly { name: string }[]): string {
  return people.length === 0
    ? 'This data folder has no keys of people: those come with the embedded chain.'
    : `On this data folder: ${people.map(({ name }) => name).join(', ')}.`
}

/** A JSON file with `privateKey`, or one that holds nothing but it. */
function accountOf(path: string): Signer {
  return privateKeyToAccount(read(path).privateKey)
}

function read(path: string): KeyFile {
  let text: string
  try {
    text = readFileSync(path, 'utf8').trim()
  } catch (cause) {
    throw new CliError('KEY_FILE_UNREADABLE', `${path} cannot be read.`, { cause })
  }
  const json = /^0x[0-9a-fA-F]{64}$/.test(text) ? { privateKey: text } : parseJson(text)
  if (typeof json?.privateKey !== 'string' || !/^0x[0-9a-fA-F]{64}$/.test(json.privateKey)) {
    throw new CliError(
      'KEY_FILE_UNREADABLE',
      `${path} holds no private key: 0x and 64 hex digits, alone or as "privateKey" of a JSON object.`,
    )
  }
  return json as KeyFile
}

function parseJson(text: string): Partial<KeyFile> | undefined {
  try {
    return JSON.parse(text) as Partial<KeyFile>
  } catch {
    return undefined
  }
}

/** What the people of a data folder are called, by lower-case address. */
export function namesOf(folder: string): Map<string, string> {
  return new Map(namesIn(folder).map(({ name, path }) => [read(path).address.toLowerCase(), name]))
}
