import { randomBytes } from 'node:crypto'
import { machineAccountAbi } from '@liquefy/abi'
import {
  acceptForAccount,
  accountAddress,
  callFromAccount,
  closeCall,
  createAccount,
  signAccountPayment,
  signOpening,
  signTopUp,
  signTransfer,
} from '@liquefy/client'
import { bytesToHex } from 'viem'
import type { PrivateKeyAccount } from 'viem/accounts'
import type { Measure } from './actions.ts'
import { assetCall, idOf, registerMachines, termsOf } from './business.ts'
import type { BenchLedger } from './ledger.ts'

const FAR = 2n ** 40n
const MINOR = 1_000n

/** A machine's account: its owner lets it spend and sell; it pays, and agrees with another machine's account, by its key. */
export async function accountActions(
  ledger: BenchLedger,
  people: { payer: PrivateKeyAccount; payee: PrivateKeyAccount },
  measure: Measure,
): Promise<void> {
  const { payer, payee } = people
  const { deployment } = ledger.node
  const asset = deployment.asset.address
  const partyOf = async (owner: PrivateKeyAccount) => {
    const [machine] = await registerMachines(ledger, owner, 'P-256', 1)
    if (!machine) throw new Error('No machine was registered.')
    const one = { deployment, ...ledger.senderOf(owner), machineId: machine.machineId }
    await createAccount(one)
    const address = accountAddress(one)
    const send = (functionName: string, args: readonly unknown[]) =>
      ledger.send(owner, { address, abi: machineAccountAbi, functionName, args })
    return { machine, one, key: machine.key, address, send }
  }
  const [truck, charger] = [await partyOf(payer), await partyOf(payee)]
  await ledger.send(payer, assetCall(ledger, 'mint', [truck.address, 100n * MINOR]))

  const policy = {
    perPayment: 10n * MINOR,
    perDay: 100n * MINOR,
    expiry: FAR,
    counterparties: [charger.address],
  }
  await measure('setPolicy', truck.send('setPolicy', [asset, policy]))
  await measure('setPaused', truck.send('setPaused', [true]))
  await truck.send('setPaused', [false])
  await measure('setSelling', charger.send('setSelling', [asset, FAR]))
  await measure('publishKey', truck.send('publishKey', []))

  const salt = bytesToHex(randomBytes(32))
  const { key } = truck
  const paying = { ...truck.one, key, asset, to: charger.address, amountMinor: MINOR, salt }
  const { payment, signature } = await signAccountPayment(paying)
  await measure('pay', truck.send('pay', [payment, signature]))
  const booked = await signTransfer({
    ...truck.one,
    key,
    authorization: {
      asset,
      to: charger.address,
      amount: MINOR,
      toSubmits: false,
      validAfter: 0n,
      validBefore: FAR,
      nonce: salt,
      name: 'Test Euro (no value)',
      version: '1',
    },
  })
  await measure('book', truck.send('book', [booked.authorization, booked.day, booked.signature]))

  const parties = { payer: truck.address, payee: charger.address }
  const terms = await termsOf(ledger, parties, charger.machine)
  const payeeAuth = await acceptForAccount({ ...charger.one, key: charger.key, terms })
  const { opening, ...opened } = await signOpening({ ...truck.one, key, terms, amountMinor: MINOR })
  const args = [terms, payeeAuth, opening.amount, opening.deadline, opened.signature]
  await measure('openAgreement', truck.send('openAgreement', args))
  const agreementId = idOf(ledger, terms)
  const topUp = await signTopUp({ ...truck.one, key, agreementId, amountMinor: MINOR, salt })
  const { amount, deadline } = topUp.topUp
  await measure(
    'fundAgreement',
    truck.send('fundAgreement', [agreementId, amount, salt, deadline, topUp.signature]),
  )
  const call = closeCall({ deployment, agreementId })
  await measure('execute', callFromAccount({ ...charger.one, call }))
  await measure('reclaim', truck.send('reclaim', [asset]))
}
