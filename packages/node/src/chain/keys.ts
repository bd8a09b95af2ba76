import { randomBytes } from 'node:crypto'
import { chmod, mkdir, open, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { LiquefyError } from '@liquefy/protocol'
import { bytesToHex, type Hex } from 'viem'
import { type PrivateKeyAccount, privateKeyToAccount } from 'viem/accounts'

/** The accounts that this node holds the keys of. */
export interface Keys {
  /** Relays settlements, anchors the log, and signs its checkpoints. */
  operator: PrivateKeyAccount
  /** Deploys the contracts of the embedded chain and does nothing else, so that their addresses follow from its nonce. */
  deployer: PrivateKeyAccount
  /** The demo's people on the embedded chain. */
  people: Person[]
}

interface Person {
  name: string
  account: PrivateKeyAccount
}

/** The demo's people: a plant that pays, a builder that owns machines, a city, and who empties its bins. */
const PEOPLE = {
  plant: 'Nordmühle GmbH',
  builder: 'Silowerk AG',
  city: 'City council',
  collector: 'Collector Ltd',
} as const

function fileName(name: string): string {
  const plain = name.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase()
  return `${plain.replace(/[^a-z0-9]+/g, '-')}.json`
}

async function read(path: string): Promise<PrivateKeyAccount | undefined> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  try {
    const { privateKey } = JSON.parse(text) as { privateKey: Hex }
    return privateKeyToAccount(privateKey)
  } catch (cause) {
    throw new LiquefyError('KEY_FILE_BROKEN', `${path} holds no key. Restore it from a backup.`, {
      cause,
    })
  }
}

async function openKey(folder: string, name: string): Promise<PrivateKeyAccount> {
  const path = join(folder, fileName(name))
  const known = await read(path)
  if (known) return known
  const privateKey = bytesToHex(randomBytes(32))
  const account = privateKeyToAccount(privateKey)
  // A key must be whole on disk before anything is addressed to it.
  const draft = `${path}.new`
  const file = await open(draft, 'w', 0o600)
  try {
    const content = { name, address: account.address, privateKey }
    await file.writeFile(`${JSON.stringify(content, null, 2)}\n`)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(draft, path)
  return account
}

/** Reads `<dataDir>/keys`, and makes what is missing (mode 0600, one JSON file a key). */
export async function openKeys(dataDir: string): Promise<Keys> {
  const folder = join(dataDir, 'keys')
  await mkdir(folder, { recursive: true, mode: 0o700 })
  await chmod(folder, 0o700)
  const people: Person[] = []
  for (const name of Object.values(PEOPLE)) {
    people.push({ name, account: await openKey(folder, name) })
  }
  return {
    operator: await openKey(folder, 'operator'),
    deployer: await openKey(folder, 'deployer'),
    people,
  }
}
