import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { type Client, type Deployment, termsOf } from '@liquefy/client'
import { createKey, hasKey, loadIdentity, loadKey, saveIdentity } from '@liquefy/machine'
import {
  agreementId,
  type Hex,
  keyId,
  LiquefyError,
  type SigningKey,
  tariffContracts,
  termsFromJson,
  termsToJson,
} from '@liquefy/protocol'
import { readJson, writeJson } from './demo-file.ts'
import type { PartyLedger } from './party-ledger.ts'
import type { MachineDefinition, Product } from './product.ts'

export interface Onboarding {
  product: Product
  deployment: Deployment
  client: Pick<Client, 'machines' | 'machine' | 'agreement' | 'submitRules'>
  ledger: PartyLedger
  nowMs(): number
}

/** Milliseconds between two looks at what the node has seen of the ledger, and how often it looks. */
const LOOK_MS = 200
const LOOKS = 300

/** The name of a folder for a name of a machine. */
export const folderName = (name: string) => name.toLowerCase().replace(/[^a-z0-9]+/g, '-')

/** Sees to it that a machine has a key, is registered and active, and is known to the node. Done before: does nothing. */
export async function ensureMachine(
  { product, deployment, client, ledger }: Onboarding,
  definition: MachineDefinition,
  folder: string,
): Promise<bigint> {
  const key = hasKey(folder) ? loadKey(folder) : createKey(folder)
  const owner = personOf(product, definition.owner)
  const machineId =
    loadIdentity(folder)?.machineId ??
    (await registeredBefore(client, key)) ??
    (await ledger.registerMachine({ key, owner }))
  const { chainId, registry, clearingHouse, mqttUrl } = deployment
  // The broker's port may be another one after a restart.
  const tariffs = tariffContracts(deployment)
  saveIdentity(folder, { machineId, chainId, registry, clearingHouse, mqttUrl, tariffs })
  await until(`machine ${machineId} is active on the node`, async () => {
    return (await client.machine(machineId.toString())).state === 'active'
  })
  return machineId
}

/** A run that was cut off between registering and noting the id left the machine on the ledger. */
async function registeredBefore(
  client: Onboarding['client'],
  key: SigningKey,
): Promise<bigint | undefined> {
  for (const { machineId } of await client.machines()) {
    const machine = await client.machine(machineId)
    if (machine.key?.keyId === keyId(key.publicKey)) return BigInt(machineId)
  }
  return undefined
}

/** Sees to it that a machine's agreement is open, with its rules known to the node. Done before: does nothing. */
export async function ensureAgreement(
  onboarding: Onboarding,
  definition: MachineDefinition,
  machine: { folder: string; machineId: bigint },
): Promise<Hex> {
  const { product, deployment, client, ledger } = onboarding
  const { agreement } = definition
  const payer = personOf(product, agreement.payer)
  const payee = personOf(product, agreement.payee)
  await client.submitRules(agreement.meters.map(({ rule }) => rule))
  // The terms are kept before they are sent: a run that was cut off finds the same agreement again.
  const path = join(machine.folder, 'agreement.json')
  const kept = readJson(path)
  const terms = kept
    ? termsFromJson(kept)
    : termsOf(agreement, {
        deployment,
        machineId: machine.machineId,
        payer: ledger.addressOf(payer),
        payee: ledger.addressOf(payee),
        startSeconds: BigInt(Math.floor(onboarding.nowMs() / 1000)),
        salt: `0x${randomBytes(32).toString('hex')}`,
      })
  if (!kept) writeJson(path, termsToJson(terms))
  const { chainId, clearingHouse } = deployment
  const id = agreementId({ chainId, clearingHouse, terms })
  if (!kept || !(await isKnown(client, id))) {
    await ledger.openAgreement({ terms, payer, payee })
    await until(`agreement ${id} is open on the node`, () => isKnown(client, id))
  }
  return id
}

/** Fills escrow up to what the definition says, once less than half of it is left. */
export async function ensureEscrow(
  { product, client, ledger }: Pick<Onboarding, 'product' | 'client' | 'ledger'>,
  { agreement }: MachineDefinition,
  agreementId: Hex,
): Promise<void> {
  const { open, escrowMinor } = await client.agreement(agreementId)
  const left = BigInt(escrowMinor)
  if (!open || left * 2n >= agreement.escrowMinor) return
  const amountMinor = agreement.escrowMinor - left
  await ledger.fund({ agreementId, person: personOf(product, agreement.payer), amountMinor })
}

async function isKnown(client: Onboarding['client'], id: Hex): Promise<boolean> {
  return client.agreement(id).then(
    () => true,
    (error: unknown) => {
      if (error instanceof LiquefyError && error.code === 'AGREEMENT_UNKNOWN') return false
      throw error
    },
  )
}

function personOf(product: Product, role: string): string {
  const person = (product.parties as Record<string, string>)[role]
  if (!person) throw new RangeError(`${product.name} has no party "${role}".`)
  return person
}

/** Waits for the node to see on the ledger what was sent there. */
async function until(what: string, isMet: () => Promise<boolean>): Promise<void> {
  let last: unknown
  for (let look = 0; look < LOOKS; look += 1) {
    try {
      if (await isMet()) return
    } catch (error) {
      last = error
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
  }
  const seconds = (LOOK_MS * LOOKS) / 1000
  const message = `After ${seconds} s the node does not show that ${what}. Look at its log.`
  throw new LiquefyError('NODE_BEHIND', message, { cause: last })
}
