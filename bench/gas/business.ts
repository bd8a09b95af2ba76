import { randomBytes } from 'node:crypto'
import { clearingHouseAbi, machineRegistryAbi, testEuroAbi } from '@liquefy/abi'
import { activateMachines, type Call, registerMachines as register } from '@liquefy/client'
import {
  agreementId,
  type Curve,
  encodeTariffData,
  type Hex,
  type MeterValue,
  machineSigner,
  meterValueDigest,
  type PrivateKey,
  privateKeyFromBytes,
  signTypedDigest,
  type Terms,
  ZERO_DIGEST,
} from '@liquefy/protocol'
import { bytesToHex, keccak256 } from 'viem'
import type { PrivateKeyAccount } from 'viem/accounts'
import type { BenchLedger } from './ledger.ts'

/** A registered, active machine and the key that it signs with. */
export interface BenchMachine {
  machineId: bigint
  key: PrivateKey
}

/** An open, funded agreement. */
export interface BenchAgreement {
  id: Hex
  terms: Terms
  machine: BenchMachine
}

const FAR = 2n ** 40n
const DAY_SECONDS = 86_400
/** Enough for every register that the benchmark states. */
const LIMIT = { burst: 10n ** 9n, perHour: 10n ** 9n }
export const FUND_MINOR = 10n ** 9n
const SOME_HEAD = keccak256('0x01')

/** Registers and activates machines of `owner`, each with a new key. */
export async function registerMachines(
  ledger: BenchLedger,
  owner: PrivateKeyAccount,
  curve: Curve,
  count: number,
): Promise<BenchMachine[]> {
  const action = { ...ledger.senderOf(owner), deployment: ledger.node.deployment }
  const keys = Array.from({ length: count }, () => privateKeyFromBytes(curve, randomBytes(32)))
  const ids = await register(action, keys)
  await activateMachines(action, ids)
  return ids.map((machineId, index) => ({ machineId, key: keys[index] as PrivateKey }))
}

/** Terms of a pay-per-use agreement with two registers, of the year that begins now; `changes` go over them. */
export async function termsOf(
  ledger: BenchLedger,
  parties: { payer: Hex; payee: Hex },
  machine: BenchMachine,
  changes: Partial<Terms> = {},
): Promise<Terms> {
  const { asset, linearTariff } = ledger.node.deployment
  const meter = (stream: string) => ({
    stream,
    ruleHash: keccak256('0x02'),
    startHead: ZERO_DIGEST,
  })
  return {
    ...parties,
    asset: asset.address,
    machineId: machine.machineId,
    meters: [meter('energy'), meter('time')],
    signerKind: 1,
    signer: machineSigner(machine.machineId),
    tariff: linearTariff,
    tariffData: encodeTariffData({ kind: 'linear', prices: [25n, 10n], scale: 1 }),
    limits: [LIMIT, LIMIT],
    capMinor: 10n ** 9n,
    start: await ledger.now(),
    periodSeconds: 31 * DAY_SECONDS,
    periods: 12,
    backfillSeconds: DAY_SECONDS,
    lateSeconds: DAY_SECONDS,
    gapTimeoutSeconds: 3_600,
    settleSeconds: 31 * DAY_SECONDS,
    shared: false,
    openBy: FAR,
    salt: bytesToHex(randomBytes(32)),
    ...changes,
  }
}

/** The call that opens an agreement with the signatures of both parties. */
export async function openCall(
  ledger: BenchLedger,
  terms: Terms,
  people: { payer: PrivateKeyAccount; payee: PrivateKeyAccount },
): Promise<Call> {
  const hash = idOf(ledger, terms)
  const args = [terms, await people.payer.sign({ hash }), await people.payee.sign({ hash })]
  return houseCall(ledger, 'open', args)
}

/** Mints what the payer needs, lets the clearing house take it, opens an agreement for each machine and funds it. */
export async function openAgreements(
  ledger: BenchLedger,
  people: { payer: PrivateKeyAccount; payee: PrivateKeyAccount },
  machines: readonly BenchMachine[],
  changes: Partial<Terms> = {},
): Promise<BenchAgreement[]> {
  const { payer, payee } = people
  const needed = FUND_MINOR * BigInt(machines.length)
  await provide(ledger, payer, needed)
  const parties = { payer: payer.address, payee: payee.address }
  const agreements: BenchAgreement[] = []
  const opens: Call[] = []
  for (const machine of machines) {
    const terms = await termsOf(ledger, parties, machine, changes)
    agreements.push({ id: idOf(ledger, terms), terms, machine })
    opens.push(await openCall(ledger, terms, people))
  }
  await ledger.sendAll(payer, opens)
  await ledger.sendAll(
    payer,
    agreements.map(({ id }) => houseCall(ledger, 'fund', [id, FUND_MINOR])),
  )
  return agreements
}

/** Gives an account `amountMinor` of the asset and allows the clearing house to take as much. */
export async function provide(
  ledger: BenchLedger,
  account: PrivateKeyAccount,
  amountMinor: bigint,
): Promise<void> {
  const { clearingHouse } = ledger.node.deployment
  await ledger.send(account, assetCall(ledger, 'mint', [account.address, amountMinor]))
  await ledger.send(account, assetCall(ledger, 'approve', [clearingHouse, amountMinor]))
}

/** A meter value of an agreement's first period, not yet signed. */
export function meterValueOf(
  { id }: BenchAgreement,
  asOf: bigint,
  registers: readonly bigint[],
): MeterValue {
  return { agreementId: id, period: 0, asOf, registers, evidenceHead: SOME_HEAD }
}

/** The machine's signature of a meter value. */
export function signValue(ledger: BenchLedger, { key }: BenchMachine, value: MeterValue): Hex {
  const { clearingHouse } = ledger.node.deployment
  return signTypedDigest(key, meterValueDigest({ chainId: ledger.chainId, clearingHouse, value }))
}

/** The agreement's id on this ledger. */
export function idOf(ledger: BenchLedger, terms: Terms): Hex {
  const { clearingHouse } = ledger.node.deployment
  return agreementId({ chainId: ledger.chainId, clearingHouse, terms })
}

export function houseCall(
  { node }: BenchLedger,
  functionName: string,
  args: readonly unknown[],
): Call {
  return { address: node.deployment.clearingHouse, abi: clearingHouseAbi, functionName, args }
}

export function registryCall(
  { node }: BenchLedger,
  functionName: string,
  args: readonly unknown[],
): Call {
  return { address: node.deployment.registry, abi: machineRegistryAbi, functionName, args }
}

export function assetCall(
  { node }: BenchLedger,
  functionName: string,
  args: readonly unknown[],
): Call {
  return { address: node.deployment.asset.address, abi: testEuroAbi, functionName, args }
}
