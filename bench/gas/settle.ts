import { machineSigner, meterValuesDigest, SIGNER_KIND, signTypedDigest } from '@liquefy/protocol'
import type { PrivateKeyAccount } from 'viem/accounts'
import {
  type BenchAgreement,
  type BenchMachine,
  houseCall,
  meterValueOf,
  openAgreements,
  registerMachines,
  signValue,
} from './business.ts'
import type { BenchLedger } from './ledger.ts'

/** What one settled agreement costs in a batch of 100, base cost and calldata included. */
export interface SettleGas {
  /** Each agreement and machine touched for the first time in the transaction, in a period that was settled before. */
  ofHundred: bigint
  /** One more value of agreements that the transaction has touched already: what is left without cold storage. */
  slotsWarm: bigint
}

interface People {
  payer: PrivateKeyAccount
  payee: PrivateKeyAccount
}

const BATCH = 100
const HOUR_SECONDS = 3_600

/** Each agreement signed by its own machine's key. */
export async function settleByOwnKeys(
  ledger: BenchLedger,
  people: People,
  curve: 'P-256' | 'secp256k1',
): Promise<SettleGas & { alone: bigint }> {
  const machines = await registerMachines(ledger, people.payee, curve, BATCH)
  const agreements = await openAgreements(ledger, people, machines)
  const [first] = agreements
  if (!first) throw new Error('No agreement was opened.')
  const settle = (some: readonly BenchAgreement[], values: number) =>
    settleSigned(ledger, people.payer, some, values)
  await settle(agreements, 1)
  const once = await settle(agreements, 1)
  const twice = await settle(agreements, 2)
  return {
    ofHundred: once / BigInt(BATCH),
    slotsWarm: (twice - once) / BigInt(BATCH),
    alone: await settle([first], 1),
  }
}

/** All agreements name one attestor, a machine with a P-256 key, who signs them at once. */
export async function settleAttested(ledger: BenchLedger, people: People): Promise<SettleGas> {
  const machines = await registerMachines(ledger, people.payee, 'P-256', 1)
  const [attestor] = machines
  if (!attestor) throw new Error('No attestor was registered.')
  const metered = await registerMachines(ledger, people.payee, 'P-256', BATCH)
  const signer = machineSigner(attestor.machineId)
  const signerKind = SIGNER_KIND.machine
  const agreements = await openAgreements(ledger, people, metered, { signer, signerKind })
  const settle = async (rounds: number) => {
    const values = await nextValues(ledger, agreements, rounds)
    const { clearingHouse } = ledger.node.deployment
    const digest = meterValuesDigest({ chainId: ledger.chainId, clearingHouse, values })
    const args = [values, signerKind, signer, signTypedDigest(attestor.key, digest)]
    return (await ledger.send(people.payer, houseCall(ledger, 'settleAttested', args))).gasUsed
  }
  await settle(1)
  const once = await settle(1)
  const twice = await settle(2)
  return { ofHundred: once / BigInt(BATCH), slotsWarm: (twice - once) / BigInt(BATCH) }
}

async function settleSigned(
  ledger: BenchLedger,
  sender: PrivateKeyAccount,
  agreements: readonly BenchAgreement[],
  rounds: number,
): Promise<bigint> {
  const values = await nextValues(ledger, agreements, rounds)
  const signatures = values.map((value, index) =>
    signValue(ledger, machineAt(agreements, index), value),
  )
  return (await ledger.send(sender, houseCall(ledger, 'settle', [values, signatures]))).gasUsed
}

function machineAt(agreements: readonly BenchAgreement[], index: number): BenchMachine {
  const agreement = agreements[index % agreements.length]
  if (!agreement) throw new RangeError('There is no agreement to sign for.')
  return agreement.machine
}

/** An hour later: for each agreement as many values as there are rounds, each higher than all before. */
async function nextValues(
  ledger: BenchLedger,
  agreements: readonly BenchAgreement[],
  rounds: number,
) {
  await ledger.pass(HOUR_SECONDS)
  const asOf = await ledger.now()
  return Array.from({ length: rounds }, (_, round) =>
    agreements.map((agreement) => {
      const used = asOf - agreement.terms.start + BigInt(round)
      return meterValueOf(agreement, asOf, [used, used / 60n])
    }),
  ).flat()
}
