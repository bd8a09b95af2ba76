import { measureActions } from './actions.ts'
import { assetCall } from './business.ts'
import type { BenchLedger } from './ledger.ts'
import { startLedger } from './ledger.ts'
import { monthOfExact, monthOfOurs } from './month.ts'
import { settleAttested, settleByOwnKeys } from './settle.ts'
import { measureVaults } from './vault.ts'
import { exactPayer } from './x402.ts'

/** Gas by key, as `bench/results.json` holds them. */
export type GasResults = Record<string, number>

/** Measures what the ledger charges: our settlements and public actions, and its peers, all on one embedded chain. */
export async function benchGas(say: (line: string) => void): Promise<GasResults> {
  const ledger = await startLedger()
  try {
    return await measure(ledger, say)
  } finally {
    await ledger.stop()
  }
}

async function measure(ledger: BenchLedger, say: (line: string) => void): Promise<GasResults> {
  const [payer, payee, facilitator] = ledger.accounts
  if (!payer || !payee || !facilitator) throw new Error('The embedded ledger has too few people.')
  const people = { payer, payee }
  // The peers go first: what they sign is dated by the computer's clock, which the benchmark moves later.
  say('ERC-20 transfer')
  await ledger.send(payer, assetCall(ledger, 'mint', [payer.address, 10n ** 12n]))
  const transfer = () =>
    ledger.send(payer, assetCall(ledger, 'transfer', [payee.address, 250_000n]))
  await transfer()
  const erc20Transfer = (await transfer()).gasUsed
  say('x402 exact, by its own packages: a month of 720 payments')
  const exact = exactPayer(ledger, { payer, payee: payee.address, facilitator })
  const x402Exact = await exact.pay(250_000n)
  const monthHourlyX402 = await monthOfExact(exact, (done, all) => {
    if (done % 120 === 0) say(`  ${done} of ${all} payments`)
  })
  say('settling 100 agreements by their own P-256 keys')
  const own = await settleByOwnKeys(ledger, people, 'P-256')
  say('settling 100 agreements by their own secp256k1 keys')
  const secp256k1 = await settleByOwnKeys(ledger, people, 'secp256k1')
  say('settling 100 agreements under one attestor')
  const attested = await settleAttested(ledger, people)
  say('a month of hourly use as an agreement')
  const month = await monthOfOurs(ledger, people)
  say('vaults with 2, 40 and 5,000 owners')
  const vaults = await measureVaults(ledger, people)
  say('every public action')
  const actions = await measureActions(ledger, people)
  const results = {
    settleOwnKey: own.ofHundred,
    settleOwnKeySlotsWarm: own.slotsWarm,
    settleOwnKeyAlone: own.alone,
    settleAttested: attested.ofHundred,
    settleAttestedSlotsWarm: attested.slotsWarm,
    settleSecp256k1: secp256k1.ofHundred,
    settleSecp256k1SlotsWarm: secp256k1.slotsWarm,
    settleSecp256k1Alone: secp256k1.alone,
    erc20Transfer,
    x402Exact,
    monthHourlyOurs: month.all,
    monthHourlyOursSettleOnly: month.settle,
    monthHourlyOursSettledHourly: own.ofHundred * 720n,
    monthHourlyX402,
    createVault: vaults.create,
    collectToVault: vaults.collect,
    settleToOwner: vaults.settleToOwner,
    claim2Owners: vaults.claims[2],
    claim40Owners: vaults.claims[40],
    claim5000Owners: vaults.claims[5_000],
    ...actions,
  }
  return Object.fromEntries(Object.entries(results).map(([key, gas]) => [key, Number(gas)]))
}
