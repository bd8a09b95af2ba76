import { randomBytes } from 'node:crypto'
import { authorizedFundingCall, signAuthorization } from '@liquefy/client'
import { adjustmentDigest, fundingDigest, type Hex, signTypedDigest } from '@liquefy/protocol'
import { bytesToHex, keccak256 } from 'viem'
import type { PrivateKeyAccount } from 'viem/accounts'
import type { Measure } from './actions.ts'
import {
  houseCall,
  idOf,
  meterValueOf,
  openCall,
  provide,
  registerMachines,
  signValue,
  termsOf,
} from './business.ts'
import type { BenchLedger } from './ledger.ts'

const FAR = 2n ** 40n
const DAY_SECONDS = 86_400
const SMALL_MINOR = 1_000n

/** An agreement's life: opened, funded in three ways, short of escrow, topped up, corrected both ways, paid out and closed. */
export async function moneyActions(
  ledger: BenchLedger,
  people: { payer: PrivateKeyAccount; payee: PrivateKeyAccount },
  measure: Measure,
): Promise<void> {
  const { payer, payee } = people
  const send = (account: PrivateKeyAccount, functionName: string, args: readonly unknown[]) =>
    ledger.send(account, houseCall(ledger, functionName, args))
  const machines = await registerMachines(ledger, payee, 'P-256', 1)
  const [machine] = machines
  if (!machine) throw new Error('No machine was registered.')
  const terms = await termsOf(
    ledger,
    { payer: payer.address, payee: payee.address },
    machine,
    // Short, so that adjusting needs no other benchmark's patience.
    { periodSeconds: DAY_SECONDS, lateSeconds: 0 },
  )
  const id = idOf(ledger, terms)
  await measure('open', ledger.send(payee, await openCall(ledger, terms, people)))
  await provide(ledger, payer, 100n * SMALL_MINOR)
  await measure('fund', send(payer, 'fund', [id, SMALL_MINOR]))
  await measure('fundSigned', send(payee, 'fundSigned', await signedFunding(ledger, payer, id)))
  const { clearingHouse, asset } = ledger.node.deployment
  const deployment = { chainId: ledger.chainId, clearingHouse }
  const authorization = await signAuthorization({
    ...ledger.senderOf(payer),
    deployment,
    agreementId: id,
    asset: asset.address,
    amountMinor: SMALL_MINOR,
  })
  const authorized = authorizedFundingCall(deployment, authorization)
  await measure('fundWithAuthorization', ledger.send(payee, authorized))

  await ledger.pass(DAY_SECONDS / 2)
  const agreement = { id, terms, machine }
  const value = meterValueOf(agreement, await ledger.now(), [4_000n, 100n])
  await send(payer, 'settle', [[value], [signValue(ledger, machine, value)]])
  await send(payer, 'fund', [id, 20n * SMALL_MINOR])
  await measure('collect', send(payee, 'collect', [id, [0]]))

  await ledger.pass(DAY_SECONDS)
  const adjustment = {
    agreementId: id,
    period: 0,
    amount: SMALL_MINOR,
    evidenceHead: keccak256('0x02'),
  }
  const digest = adjustmentDigest({ chainId: ledger.chainId, clearingHouse, adjustment })
  const signature = signTypedDigest(machine.key, digest)
  await measure('adjust', send(payer, 'adjust', [adjustment, signature]))
  await measure('credit', send(payer, 'credit', [[id]]))
  await measure('refund', send(payee, 'refund', [id, 0, 10n]))
  await measure('withdraw', send(payee, 'withdraw', [asset.address, 100n, payee.address]))
  await measure('close', send(payee, 'close', [id]))
}

/** Arguments of `fundSigned` with the payer's word; what he has allowed the clearing house to take stands already. */
async function signedFunding(ledger: BenchLedger, payer: PrivateKeyAccount, agreementId: Hex) {
  const { clearingHouse } = ledger.node.deployment
  const funding = {
    agreementId,
    from: payer.address,
    amount: SMALL_MINOR,
    salt: bytesToHex(randomBytes(32)),
    deadline: FAR,
  }
  const auth = await payer.sign({
    hash: fundingDigest({ chainId: ledger.chainId, clearingHouse, funding }),
  })
  return [funding, auth, '0x'] as const
}
