import { randomBytes } from 'node:crypto'
import { clearingHouseAbi, machineRegistryAbi, testEuroAbi } from '@liquefy/abi'
import {
  agreementId,
  encodeTariffData,
  keyId,
  type MeterValue,
  meterValueDigest,
  type PrivateKey,
  privateKeyFromBytes,
  registerDigest,
  signTypedDigest,
  type Terms,
} from '@liquefy/protocol'
import { encodeFunctionData, type Hex, keccak256, type PublicClient, toHex, zeroHash } from 'viem'
import type { PrivateKeyAccount } from 'viem/accounts'
import type { Chain } from '../../src/chain/chain.ts'
import { clients } from './support.ts'

const HEAD = keccak256('0x01')

type Call = { to: Hex; data: Hex }

/** Sends a transaction as a stranger to the node would, and waits for its receipt. */
export async function sendAs(url: string, account: PrivateKeyAccount, chainId: number, call: Call) {
  const { wallet, reader } = clients(url, account, chainId)
  const hash = await wallet.sendTransaction(call)
  const receipt = await reader.waitForTransactionReceipt({ hash })
  if (receipt.status !== 'success') throw new Error(`${hash} was reverted`)
  return receipt
}

/** A machine with a P-256 key, registered and activated by its owner. */
export async function registerMachine(chain: Chain, owner: PrivateKeyAccount) {
  const key = privateKeyFromBytes('P-256', randomBytes(32))
  const { registry, p256Sha256Verifier } = chain.deployment
  const { timestamp } = await chain.publicClient.getBlock()
  const deadline = timestamp + 86_400n
  const digest = registerDigest({
    chainId: chain.chainId,
    registry,
    owner: owner.address,
    keyId: keyId(key.publicKey),
    verifier: p256Sha256Verifier,
    deadline,
  })
  const { x, y } = key.publicKey
  const abi = machineRegistryAbi
  const machineId = (await machineCount(chain.publicClient, registry)) + 1n
  await sendAs(chain.rpcUrl, owner, chain.chainId, {
    to: registry,
    data: encodeFunctionData({
      abi,
      functionName: 'register',
      args: [
        owner.address,
        { curve: 1, verifier: p256Sha256Verifier, x, y },
        deadline,
        signTypedDigest(key, digest),
      ],
    }),
  })
  await sendAs(chain.rpcUrl, owner, chain.chainId, {
    to: registry,
    data: encodeFunctionData({ abi, functionName: 'activate', args: [machineId] }),
  })
  return { machineId, key }
}

function machineCount(client: PublicClient, registry: Hex): Promise<bigint> {
  return client.readContract({
    address: registry,
    abi: machineRegistryAbi,
    functionName: 'machineCount',
  })
}

/** Opens and funds an agreement: 1 cent a unit, the payee is the machine's owner. */
export async function openAgreement(
  chain: Chain,
  people: { payer: PrivateKeyAccount; payee: PrivateKeyAccount },
  machineId: bigint,
  fundMinor: bigint,
) {
  const { payer, payee } = people
  const { clearingHouse, linearTariff, asset } = chain.deployment
  const { timestamp } = await chain.publicClient.getBlock()
  const terms: Terms = {
    payer: payer.address,
    payee: payee.address,
    asset: asset.address,
    machineId,
    meters: [{ stream: 'level', ruleHash: keccak256('0x02'), startHead: zeroHash }],
    signerKind: 1,
    signer: toHex(machineId, { size: 32 }),
    tariff: linearTariff,
    tariffData: encodeTariffData({ kind: 'linear', prices: [10_000n], scale: 0 }),
    limits: [{ burst: 10n ** 9n, perHour: 0n }],
    capMinor: 10n ** 12n,
    start: timestamp,
    periodSeconds: 86_400,
    periods: 30,
    backfillSeconds: 3_600,
    lateSeconds: 3_600,
    gapTimeoutSeconds: 3_600,
    settleSeconds: 3_600,
    shared: false,
    openBy: timestamp + 86_400n,
    salt: toHex(randomBytes(32)),
  }
  const id = agreementId({ chainId: chain.chainId, clearingHouse, terms })
  const auth = await payee.sign({ hash: id })
  const abi = clearingHouseAbi
  await sendAs(chain.rpcUrl, payer, chain.chainId, {
    to: clearingHouse,
    data: encodeFunctionData({ abi, functionName: 'open', args: [terms, '0x', auth] }),
  })
  await sendAs(chain.rpcUrl, payer, chain.chainId, {
    to: asset.address,
    data: encodeFunctionData({
      abi: testEuroAbi,
      functionName: 'approve',
      args: [clearingHouse, fundMinor],
    }),
  })
  await sendAs(chain.rpcUrl, payer, chain.chainId, {
    to: clearingHouse,
    data: encodeFunctionData({ abi, functionName: 'fund', args: [id, fundMinor] }),
  })
  return { id, terms }
}

/** The intent to settle a register of the first period, signed by the machine. */
export async function settleIntent(chain: Chain, id: Hex, key: PrivateKey, register: bigint) {
  const { clearingHouse } = chain.deployment
  const { timestamp } = await chain.publicClient.getBlock()
  const value: MeterValue = {
    agreementId: id,
    period: 0,
    asOf: timestamp,
    registers: [register],
    evidenceHead: HEAD,
  }
  const digest = meterValueDigest({ chainId: chain.chainId, clearingHouse, value })
  const data = encodeFunctionData({
    abi: clearingHouseAbi,
    functionName: 'settle',
    args: [[value], [signTypedDigest(key, digest)]],
  })
  return { intentId: `settle:${id}:${register}`, kind: 'settle', to: clearingHouse, data }
}
