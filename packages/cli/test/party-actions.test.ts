import { clearingHouseAbi, testEuroAbi } from '@liquefy/abi'
import {
  type AgreementAction,
  approve,
  authorizeAgreement,
  balanceOf,
  closeAgreement,
  fund,
  fundSigned,
  fundWithAuthorization,
  fundWithPermit,
  openAgreement,
  signAuthorization,
  signFunding,
  signPermit,
  type Wallet,
  withdraw,
} from '@liquefy/client'
import {
  agreementId,
  encodeTariffData,
  type Hex,
  machineSigner,
  privateKeyFromBytes,
  SIGNER_KIND,
  type Terms,
} from '@liquefy/protocol'
import { concatHex, createWalletClient, http, pad, toHex } from 'viem'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type LiveNode, startLiveNode } from './live-node.ts'

let live: LiveNode
let machineId: bigint

beforeAll(async () => {
  live = await startLiveNode({ settle: { minMinor: 2n ** 96n, maxAgeMs: 2 ** 31 - 1 } })
  machineId = await live.register(privateKeyFromBytes('P-256', new Uint8Array(32).fill(7, 0, 32)))
})

afterAll(() => live?.stop())

const by = (wallet: Wallet): AgreementAction => ({
  deployment: live.node.deployment,
  publicClient: live.node.chain.publicClient,
  wallet,
})

/** Somebody with coin for gas, who is no party. */
function stranger(): Wallet {
  return createWalletClient({
    account: live.node.keys.operator,
    chain: live.node.chain.publicClient.chain,
    transport: http(live.node.rpcUrl),
  })
}

let salt = 0n

/** Terms without meters: money alone is what these tests look at. */
function newTerms(change: Partial<Terms> = {}): Terms {
  const { deployment } = live.node
  const now = BigInt(Math.floor(Date.now() / 1000))
  salt += 1n
  return {
    payer: live.payer.account.address,
    payee: live.payee.account.address,
    asset: deployment.asset.address,
    machineId,
    meters: [],
    signerKind: SIGNER_KIND.machine,
    signer: machineSigner(machineId),
    tariff: deployment.linearTariff,
    tariffData: encodeTariffData({ kind: 'linear', prices: [], scale: 0 }),
    limits: [],
    capMinor: 10n ** 9n,
    start: now - 60n,
    periodSeconds: 3_600,
    periods: 3,
    backfillSeconds: 0,
    lateSeconds: 0,
    gapTimeoutSeconds: 0,
    settleSeconds: 0,
    shared: false,
    openBy: now + 3_600n,
    salt: toHex(salt, { size: 32 }),
    ...change,
  }
}

async function openNew(): Promise<Hex> {
  const terms = newTerms()
  const payerSignature = await authorizeAgreement({ ...by(live.payer), terms })
  return openAgreement({ ...by(live.payee), terms, payerSignature })
}

const tokensOf = (account: Hex) =>
  live.node.chain.publicClient.readContract({
    address: live.node.deployment.asset.address,
    abi: testEuroAbi,
    functionName: 'balanceOf',
    args: [account],
  })

const escrowOf = async (id: Hex) =>
  live.node.chain.publicClient.readContract({
    address: live.node.deployment.clearingHouse,
    abi: clearingHouseAbi,
    functionName: 'escrowOf',
    args: [id],
  })

/** Funds in one way, and proves that exactly the amount left the payer and reached the escrow. */
async function movesExactly(id: Hex, amountMinor: bigint, work: () => Promise<unknown>) {
  const { address } = live.payer.account
  const [tokens, escrow] = await Promise.all([tokensOf(address), escrowOf(id)])
  await work()
  expect(tokens - (await tokensOf(address))).toBe(amountMinor)
  expect((await escrowOf(id)) - escrow).toBe(amountMinor)
}

describe('each way of funding moves exactly its amount, and counts once', () => {
  const asset = () => live.node.deployment.asset.address

  test('approve and fund', async () => {
    const id = await openNew()
    await approve({ ...by(live.payer), asset: asset(), amountMinor: 11n })
    await movesExactly(id, 11n, () =>
      fund({ ...by(live.payer), agreementId: id, amountMinor: 11n }),
    )
    await expect(
      fund({ ...by(live.payer), agreementId: id, amountMinor: 11n }),
    ).rejects.toMatchObject({ errorName: 'ERC20InsufficientAllowance' })
  })

  test('a permit, in one transaction of the payer', async () => {
    const id = await openNew()
    const payment = { agreementId: id, asset: asset(), amountMinor: 12n }
    await movesExactly(id, 12n, () => fundWithPermit({ ...by(live.payer), ...payment }))
  })

  test('a signed funding with a permit, relayed by a stranger; its replay is refused', async () => {
    const id = await openNew()
    const payment = { ...by(live.payer), agreementId: id, asset: asset(), amountMinor: 13n }
    const signed = { ...(await signFunding(payment)), permit: await signPermit(payment) }
    await movesExactly(id, 13n, () => fundSigned({ ...by(stranger()), ...signed }))
    await approve({ ...payment, amountMinor: 13n })
    await expect(fundSigned({ ...by(stranger()), ...signed })).rejects.toMatchObject({
      code: 'TRANSACTION_REVERTED',
      errorName: 'FundingUsed',
    })
    const more = { ...signed, funding: { ...signed.funding, amount: 12n } }
    await expect(fundSigned({ ...by(stranger()), ...more })).rejects.toMatchObject({
      errorName: 'FundingNotAuthorized',
    })
  })

  test('an ERC-3009 authorization, relayed; neither again nor into another agreement', async () => {
    const [id, other] = [await openNew(), await openNew()]
    const payment = { agreementId: id, asset: asset(), amountMinor: 14n }
    const authorization = await signAuthorization({ ...by(live.payer), ...payment })
    const elsewhere = { ...authorization, agreementId: other }
    await expect(
      fundWithAuthorization({ ...by(stranger()), authorization: elsewhere }),
    ).rejects.toMatchObject({ errorName: 'ERC3009InvalidSignature' })
    await movesExactly(id, 14n, () => fundWithAuthorization({ ...by(stranger()), authorization }))
    await expect(fundWithAuthorization({ ...by(stranger()), authorization })).rejects.toMatchObject(
      {
        errorName: 'ERC3009UsedAuthorization',
      },
    )
  })

  test('a token that takes no signatures says so', async () => {
    const noToken = live.node.deployment.linearTariff
    await expect(
      signPermit({ ...by(live.payer), asset: noToken, amountMinor: 1n }),
    ).rejects.toMatchObject({ code: 'TOKEN_SIGNS_NOTHING' })
  })
})

describe('parties', () => {
  test('both may have signed, and a stranger opens', async () => {
    const terms = newTerms()
    const [payerSignature, payeeSignature] = await Promise.all(
      [live.payer, live.payee].map((wallet) => authorizeAgreement({ ...by(wallet), terms })),
    )
    const id = await openAgreement({
      ...by(stranger()),
      terms,
      payerSignature: payerSignature ?? '0x',
      payeeSignature: payeeSignature ?? '0x',
    })
    expect(id).toBe(agreementId({ ...live.node.deployment, terms }))
    const changed = { ...terms, capMinor: terms.capMinor + 1n }
    await expect(
      openAgreement({ ...by(live.payee), terms: changed, payerSignature: payerSignature ?? '0x' }),
    ).rejects.toMatchObject({ errorName: 'PartyNotAuthorized' })
  })

  test('a payer that is a contract (ERC-1271) signs by whom it accepts', async () => {
    const payer = await deployAccount(live.payer.account.address)
    const terms = newTerms({ payer })
    const byOther = await authorizeAgreement({ ...by(stranger()), terms })
    await expect(
      openAgreement({ ...by(live.payee), terms, payerSignature: byOther }),
    ).rejects.toMatchObject({ errorName: 'PartyNotAuthorized' })
    const payerSignature = await authorizeAgreement({ ...by(live.payer), terms })
    const id = await openAgreement({ ...by(live.payee), terms, payerSignature })
    const payment = { agreementId: id, asset: terms.asset, amountMinor: 15n }
    await movesExactly(id, 15n, () => fundWithPermit({ ...by(live.payer), ...payment }))
    await closeAgreement({ ...by(live.payee), agreementId: id })
    expect(await balanceOf({ ...by(live.payee), account: payer, asset: terms.asset })).toBe(15n)
  })

  test('what is left in escrow goes back to the payer, who withdraws it', async () => {
    const id = await openNew()
    const asset = live.node.deployment.asset.address
    await fundWithPermit({ ...by(live.payer), agreementId: id, asset, amountMinor: 16n })
    await expect(closeAgreement({ ...by(live.payer), agreementId: id })).rejects.toMatchObject({
      errorName: 'CloseTooEarly',
    })
    await closeAgreement({ ...by(live.payee), agreementId: id })
    const account = live.payer.account.address
    expect(await balanceOf({ ...by(live.payer), account, asset })).toBe(16n)
    await withdraw({ ...by(live.payer), asset, amountMinor: 16n })
    await expect(withdraw({ ...by(live.payer), asset, amountMinor: 1n })).rejects.toMatchObject({
      errorName: 'BalanceInsufficient',
    })
  })
})

/** A contract whose `isValidSignature` (ERC-1271) accepts what its owner has signed with ECDSA, and that does nothing else. */
async function deployAccount(owner: Hex): Promise<Hex> {
  const runtime = concatHex([
    // ecrecover(hash, v, r, s) of the call's arguments
    '0x600435600052', // mem[0] = hash
    '0x60a43560001a602052', // mem[32] = v, the first byte of the last word
    '0x606435604052', // mem[64] = r
    '0x608435606052', // mem[96] = s
    '0x6020608060806000600161c350fa50', // staticcall(50000, 1, 0, 128, 128, 32)
    concatHex(['0x73', owner, '0x60805114']), // owner == recovered
    '0x631626ba7e60e01b02', // magic value or zero
    '0x60005260206000f3',
  ])
  const size = toHex((runtime.length - 2) / 2, { size: 1 })
  const bytecode = concatHex(['0x60', size, '0x80600b6000396000f3', runtime])
  const { publicClient } = live.node.chain
  const hash = await live.payee.sendTransaction({
    account: live.payee.account,
    chain: live.payee.chain ?? null,
    data: bytecode,
  })
  const { contractAddress } = await publicClient.waitForTransactionReceipt({ hash })
  if (!contractAddress) throw new Error(`not deployed: ${pad(hash)}`)
  return contractAddress
}
