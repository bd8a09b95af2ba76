import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { LiquefyError } from '@liquefy/protocol'
import { bytesToHex, type Hex } from 'viem'
import { type PrivateKeyAccount, privateKeyToAccount } from 'viem/accounts'
import { refuseExposed } from '../private-file.ts'
import { decryptKey, encryptKey, type Web3Secret } from './web3-secret.ts'

/** The accounts that this node holds the keys of. */
export interface Keys {
  /** Relays settlements, anchors the log, and signs its checkpoints. */
  operator: PrivateKeyAccount
  /** Deploys the contracts of the embedded chain and does nothing else, so that their addresses follow from its nonce. */
  deployer: PrivateKeyAccount
  /** The demo's people on the embedded chain. */
  people: Person[]
  /** Files whose keys lie open on disk. */
  plain: string[]
}

interface Person {
  name: string
  account: PrivateKeyAccount
}

/** A key file: in the open, or a Web3 Secret Storage file with a name added. */
type KeyFile = { name?: string } & ({ privateKey: Hex } | Web3Secret)

/** What a key file says without a passphrase. */
export interface KeyFileHead {
  path: string
  name: string | undefined
  /** Lower case; undefined if the file leaves it out. */
  address: Hex | undefined
  encrypted: boolean
}

/** The demo's people: a plant that pays, a builder that owns machines, a city, and who empties its bins. */
const PEOPLE = {
  plant: 'Nordmühle GmbH',
  builder: 'Silowerk AG',
  city: 'City council',
  collector: 'Collector Ltd',
} as const

const SETTING = 'LIQUEFY_KEY_PASSPHRASE'

// ── one file ────────────────────────────────────────────────────────────────────────────────────────────────

function parseKeyFile(text: string): KeyFile | undefined {
  const isKey = (value: unknown) => typeof value === 'string' && /^0x[0-9a-fA-F]{64}$/.test(value)
  const trimmed = text.trim()
  if (isKey(trimmed)) return { privateKey: trimmed as Hex }
  try {
    // Some writers spell it `Crypto`.
    const { Crypto, ...rest } = JSON.parse(trimmed) as Partial<Web3Secret> & {
      Crypto?: Web3Secret['crypto']
      privateKey?: unknown
    }
    const json = Crypto ? { ...rest, crypto: Crypto } : rest
    if (isKey(json.privateKey)) return json as KeyFile
    return json.version === 3 && json.crypto ? (json as KeyFile) : undefined
  } catch {
    return undefined
  }
}

function readFile(path: string): KeyFile {
  refuseExposed(path)
  const file = parseKeyFile(readFileSync(path, 'utf8'))
  if (file) return file
  throw new LiquefyError(
    'KEY_FILE_BROKEN',
    `${path} holds no private key: 0x and 64 hex digits, alone or as "privateKey" of a JSON object, or a Web3 Secret Storage file (version 3). Restore it from a backup.`,
  )
}

function open(path: string, file: KeyFile, passphrase: string | undefined): Hex | undefined {
  if ('privateKey' in file) return file.privateKey
  if (passphrase === undefined) {
    throw new LiquefyError(
      'KEY_PASSPHRASE_MISSING',
      `${path} is encrypted. Give its passphrase: ${SETTING}_FILE names a file that holds it, or set ${SETTING}.`,
    )
  }
  try {
    return decryptKey(file, passphrase)
  } catch (cause) {
    throw new LiquefyError(
      'KEY_FILE_BROKEN',
      `${path} is no Web3 Secret Storage file that we can open. Restore it from a backup.`,
      { cause },
    )
  }
}

/** Whose file it is, and whether it is encrypted. @throws LiquefyError `KEY_FILE_BROKEN`, `KEY_FILE_EXPOSED`. */
export function readKeyHead(path: string): KeyFileHead {
  const file = readFile(path)
  const encrypted = !('privateKey' in file)
  const address = 'privateKey' in file ? privateKeyToAccount(file.privateKey).address : file.address
  const hex = address?.toLowerCase().replace(/^(0x)?/, '0x') as Hex | undefined
  return { path, name: file.name, address: hex, encrypted }
}

/**
 * Reads a private key: 0x and 64 hex digits alone, a JSON object with `privateKey`, or Web3 Secret Storage version 3.
 *
 * @throws LiquefyError `KEY_FILE_BROKEN`, `KEY_FILE_EXPOSED` if others may read it, `KEY_PASSPHRASE_MISSING` or
 * `KEY_PASSPHRASE_WRONG` if it is encrypted.
 */
export function readKey(path: string, passphrase: string | undefined): PrivateKeyAccount {
  const privateKey = open(path, readFile(path), passphrase)
  if (privateKey === undefined) throw wrongPassphrase(path)
  return privateKeyToAccount(privateKey)
}

function wrongPassphrase(path: string): LiquefyError {
  return new LiquefyError(
    'KEY_PASSPHRASE_WRONG',
    `The passphrase does not open ${path}. Nothing was changed. Check ${SETTING} or ${SETTING}_FILE.`,
  )
}

/** A key must be whole on disk before anything is addressed to it, and before what it replaces is gone. */
function writeDurably(path: string, name: string | undefined, file: KeyFile): void {
  const draft = `${path}.new`
  // One that was left behind keeps its mode.
  rmSync(draft, { force: true })
  const handle = openSync(draft, 'wx', 0o600)
  try {
    writeFileSync(handle, `${JSON.stringify({ ...(name ? { name } : {}), ...file }, null, 2)}\n`)
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
  renameSync(draft, path)
  const folder = openSync(join(path, '..'), 'r')
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}

// ── the node's own ──────────────────────────────────────────────────────────────────────────────────────────

function fileName(name: string): string {
  const plain = name.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase()
  return `${plain.replace(/[^a-z0-9]+/g, '-')}.json`
}

function openKey(folder: string, name: string, passphrase: string | undefined): PrivateKeyAccount {
  const path = join(folder, fileName(name))
  if (existsSync(path)) return readKey(path, passphrase)
  const privateKey = bytesToHex(randomBytes(32))
  const account = privateKeyToAccount(privateKey)
  const file = passphrase
    ? encryptKey(privateKey, passphrase)
    : { address: account.address, privateKey }
  writeDurably(path, name, file)
  return account
}

/** Key files of a data folder, in order of name. */
export function listKeys(dataDir: string): KeyFileHead[] {
  const folder = join(dataDir, 'keys')
  if (!existsSync(folder)) return []
  const names = readdirSync(folder).filter((name) => name.endsWith('.json'))
  return names.sort().map((name) => readKeyHead(join(folder, name)))
}

/**
 * Reads `<dataDir>/keys`, and makes what is missing: one JSON file a key (mode 0600), encrypted if there is a passphrase.
 *
 * @param more names of people beside the demo's own.
 * @throws LiquefyError as `readKey`.
 */
export async function openKeys(
  dataDir: string,
  passphrase?: string,
  more: readonly string[] = [],
): Promise<Keys> {
  const folder = join(dataDir, 'keys')
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  chmodSync(folder, 0o700)
  const people = [...Object.values(PEOPLE), ...more].map((name) => ({
    name,
    account: openKey(folder, name, passphrase),
  }))
  const operator = openKey(folder, 'operator', passphrase)
  const deployer = openKey(folder, 'deployer', passphrase)
  const plain = listKeys(dataDir).flatMap(({ path, encrypted }) => (encrypted ? [] : [path]))
  return { operator, deployer, people, plain }
}

/**
 * Puts all keys of a data folder under `next`, from `current` or from the open. Each file is replaced whole, and none before all are
 * opened; cut short, it goes on when it is called again.
 *
 * @returns the files that were written; those that `next` opens already stay as they are.
 * @throws LiquefyError as `readKey`; then nothing was changed.
 */
export function encryptKeys(dataDir: string, next: string, current: string = next): string[] {
  const opened = listKeys(dataDir).flatMap(({ path, name, encrypted }) => {
    const file = readFile(path)
    if (encrypted && open(path, file, next) !== undefined) return []
    const privateKey = open(path, file, current)
    if (privateKey === undefined) throw wrongPassphrase(path)
    return [{ path, name, privateKey }]
  })
  for (const { path, name, privateKey } of opened) {
    writeDurably(path, name, encryptKey(privateKey, next))
  }
  return opened.map(({ path }) => path)
}
