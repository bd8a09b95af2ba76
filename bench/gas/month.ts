import type { PrivateKeyAccount } from 'viem/accounts'
import {
  assetCall,
  FUND_MINOR,
  houseCall,
  idOf,
  meterValueOf,
  openCall,
  registerMachines,
  signValue,
  termsOf,
} from './business.ts'
import type { BenchLedger } from './ledger.ts'
import type { ExactPayer } from './x402.ts'

const HOURS = 30 * 24
const HOUR_SECONDS = 3_600
const PRICE_MINOR = 250_000n

/** What 720 payments of one hour each cost with x402 `exact`: each is a transaction. */
export async function monthOfExact(
  payer: ExactPayer,
  onDone: (done: number, all: number) => void,
): Promise<bigint> {
  let gas = 0n
  for (let hour = 1; hour <= HOURS; hour += 1) {
    gas += await payer.pay(PRICE_MINOR)
    onDone(hour, HOURS)
  }
  return gas
}

/**
 * What a month of hourly use costs as an agreement, alone on the ledger: opening, approval, funding, one settlement of the last of 720
 * values that the machine signed, crediting, withdrawal and closing.
 */
export async function monthOfOurs(
  ledger: BenchLedger,
  people: { payer: PrivateKeyAccount; payee: PrivateKeyAccount },
): Promise<{ all: bigint; settle: bigint }> {
  const { payer, payee } = people
  const machines = await registerMachines(ledger, payee, 'P-256', 1)
  const [machine] = machines
  if (!machine) throw new Error('No machine was registered.')
  const parties = { payer: payer.address, payee: payee.address }
  const terms = await termsOf(ledger, parties, machine)
  const id = idOf(ledger, terms)
  const { clearingHouse, asset } = ledger.node.deployment
  const gasOf = async (account: PrivateKeyAccount, call: Parameters<typeof ledger.send>[1]) =>
    (await ledger.send(account, call)).gasUsed

  await ledger.send(payer, assetCall(ledger, 'mint', [payer.address, FUND_MINOR]))
  let all = await gasOf(payer, await openCall(ledger, terms, people))
  all += await gasOf(payer, assetCall(ledger, 'approve', [clearingHouse, FUND_MINOR]))
  all += await gasOf(payer, houseCall(ledger, 'fund', [id, FUND_MINOR]))

  await ledger.pass(HOURS * HOUR_SECONDS)
  const used = [BigInt(HOURS) * 60n, BigInt(HOURS)]
  const value = meterValueOf({ id, terms, machine }, await ledger.now(), used)
  const settle = await gasOf(
    payer,
    houseCall(ledger, 'settle', [[value], [signValue(ledger, machine, value)]]),
  )
  all += settle
  all += await gasOf(payee, houseCall(ledger, 'credit', [[id]]))
  const paid = (BigInt(used[0] ?? 0n) * 25n + BigInt(used[1] ?? 0n) * 10n) / 10n
  all += await gasOf(payee, houseCall(ledger, 'withdraw', [asset.address, paid, payee.address]))
  all += await gasOf(payee, houseCall(ledger, 'close', [id]))
  return { all, settle }
}
