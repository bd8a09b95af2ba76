import { setTimeout as sleep } from 'node:timers/promises'
import { clearingHouseAbi } from '@liquefy/abi'
import { auditBundle, viemLedgerReader } from '@liquefy/audit'
import pg from 'pg'
import { createPublicClient, http } from 'viem'
import { ESCROW_MINOR, PRICE, type Site, type World } from './world.ts'

/** What a run came to. */
export interface Judgement {
  /** What is not as it must be, in words; empty if all is. */
  wrong: string[]
  envelopes: number
  receipted: number
  paidMinor: bigint
  settlements: number
}

const POLL_MS = 500
/** What an honest device may hear of an envelope; the second while the node's clock was behind. */
const HONEST_CODES = ['OK', 'CLOCK_SKEW']

interface LoggedRow {
  seq: string
  digest: string
  logged_at: string
  log_index: string
  code: string
}

/**
 * Lets the devices finish, waits until all is paid, and holds everything against what the devices counted: the log, the registers, the ledger's
 * own events, an audit that trusts nobody, and the node's own check of its money. Each of them has `patienceMs` to become right.
 */
export async function judge(world: World, patienceMs = 180_000): Promise<Judgement> {
  await world.fleet.finish()
  const judgement: Judgement = {
    wrong: [...world.fleet.contradictions],
    envelopes: 0,
    receipted: 0,
    paidMinor: 0n,
    settlements: 0,
  }
  for (const site of world.sites) await judgeMoney(world, site, judgement, patienceMs)
  const pool = new pg.Pool({ connectionString: world.database.directUrl(), max: 1 })
  try {
    for (const site of world.sites) await judgeLog(world, site, pool, judgement)
    await judgeOutbox(world, pool, judgement)
  } finally {
    await pool.end()
  }
  for (const site of world.sites) await judgeLedger(world, site, judgement)
  for (const site of world.sites) await judgeAudit(world, site, judgement, patienceMs)
  await judgeHealth(world, judgement, patienceMs)
  return judgement
}

/** What the undisturbed run comes to: the counter's difference, at its price. */
function owedOf(world: World, { machineId }: Site): bigint {
  const { first, last } = world.fleet.counted(machineId)
  return PRICE * (last - first)
}

async function judgeMoney(
  world: World,
  site: Site,
  { wrong }: Judgement,
  patienceMs: number,
): Promise<void> {
  const owed = String(owedOf(world, site))
  const expected = {
    owedMinor: owed,
    includedMinor: owed,
    escrowMinor: String(ESCROW_MINOR - BigInt(owed)),
  }
  const found = await settled(
    async () => {
      const { owedMinor, includedMinor, escrowMinor } = await world
        .client()
        .agreement(site.agreementId)
      return { owedMinor, includedMinor, escrowMinor }
    },
    expected,
    patienceMs,
  )
  if (found)
    wrong.push(`machine ${site.machineId}: money is ${found}, not ${JSON.stringify(expected)}`)
}

/** Asks until the answer is the expected one; answers what it was last if it never is. */
async function settled(
  ask: () => Promise<unknown>,
  expected: unknown,
  patienceMs: number,
): Promise<string | undefined> {
  const end = Date.now() + patienceMs
  const wanted = JSON.stringify(expected)
  for (;;) {
    const found = await ask().then(JSON.stringify, String)
    if (found === wanted) return undefined
    if (Date.now() > end) return found
    await sleep(POLL_MS)
  }
}

async function judgeLog(
  world: World,
  { machineId }: Site,
  pool: pg.Pool,
  judgement: Judgement,
): Promise<void> {
  const { wrong } = judgement
  const { lastSeq, published, receipts } = world.fleet.counted(machineId)
  const { rows } = await pool.query<LoggedRow>(
    `SELECT seq, '0x' || encode(digest, 'hex') AS digest, logged_at, log_index, code
     FROM envelopes WHERE machine_id = $1 ORDER BY seq`,
    [machineId],
  )
  const say = (what: string) => wrong.push(`machine ${machineId}: ${what}`)
  if (rows.length !== Number(lastSeq)) say(`${rows.length} of ${lastSeq} envelopes are logged`)
  for (const [index, row] of rows.entries()) {
    const seq = BigInt(row.seq)
    if (seq !== BigInt(index + 1)) {
      say(`the log has number ${seq} where ${index + 1} should be`)
      break
    }
    const digest = published.get(seq)
    if (digest && digest !== row.digest) say(`number ${seq} is logged with another content`)
    if (!HONEST_CODES.includes(row.code)) say(`number ${seq} was judged ${row.code}`)
  }
  const bySeq = new Map(rows.map((row) => [BigInt(row.seq), row]))
  for (const [seq, { digest, loggedAt, code }] of receipts) {
    const row = bySeq.get(seq)
    const isHeld = row?.digest === digest && Number(row.logged_at) === loggedAt && row.code === code
    if (!isHeld) say(`the receipt of number ${seq} is not what the log has`)
  }
  judgement.envelopes += rows.length
  judgement.receipted += receipts.size
}

/** Every transaction of the operator is one intent: no nonce twice, and none that no intent has. */
async function judgeOutbox(world: World, pool: pg.Pool, { wrong }: Judgement): Promise<void> {
  const { rows } = await pool.query<{ nonce: string }>(
    'SELECT nonce FROM outbox WHERE nonce IS NOT NULL ORDER BY nonce',
  )
  const nonces = rows.map(({ nonce }) => Number(nonce))
  const first = nonces[0] ?? 0
  const gap = nonces.findIndex((nonce, index) => nonce !== first + index)
  if (gap >= 0)
    wrong.push(`the operator's nonces are not one line: ${nonces.slice(gap - 1, gap + 2)}`)
  const sent = Number(await world.chain.call('eth_getTransactionCount', [world.operator, 'latest']))
  const known = first + nonces.length
  if (sent > known) wrong.push(`the ledger has ${sent} transactions of the operator, not ${known}`)
}

/** As the ledger itself tells it, past every proxy. */
async function judgeLedger(world: World, site: Site, judgement: Judgement): Promise<void> {
  const client = createPublicClient({ transport: http(world.chain.url) })
  const events = await client.getContractEvents({
    address: world.deployment.clearingHouse,
    abi: clearingHouseAbi,
    eventName: 'Settled',
    args: { agreementId: site.agreementId },
    fromBlock: 0n,
    strict: true,
  })
  const paid = events.reduce((sum, { args }) => sum + args.paid, 0n)
  const owed = owedOf(world, site)
  if (paid !== owed) {
    judgement.wrong.push(`machine ${site.machineId}: the ledger has paid ${paid}, not ${owed}`)
  }
  judgement.paidMinor += paid
  judgement.settlements += events.length
}

async function judgeAudit(
  world: World,
  site: Site,
  { wrong }: Judgement,
  patienceMs: number,
): Promise<void> {
  const { chainId, registry, clearingHouse, evidenceAnchor } = world.deployment
  const anchored = await settled(
    async () => {
      const { chain } = await world.client().status()
      return chain.anchoredSize === chain.logSize
    },
    true,
    patienceMs,
  )
  if (anchored) wrong.push('the log is not anchored to its end')
  const { firstFault, differenceMinor } = await auditBundle({
    lines: world.client().bundle(site.agreementId),
    ledger: viemLedgerReader({ rpcUrl: world.chain.url, tariffs: world.deployment }),
    expected: { agreementId: site.agreementId, chainId, registry, clearingHouse, evidenceAnchor },
  })
  if (firstFault || differenceMinor !== '0') {
    const found = JSON.stringify({ firstFault, differenceMinor })
    wrong.push(`machine ${site.machineId}: the audit finds ${found}`)
  }
}

async function judgeHealth(world: World, { wrong }: Judgement, patienceMs: number): Promise<void> {
  const found = await settled(
    async () => {
      const health = await fetch(new URL('/healthz', world.url()))
      const { ok, money } = (await health.json()) as { ok: boolean; money: { ok: boolean } }
      return { ok, money: money.ok }
    },
    { ok: true, money: true },
    patienceMs,
  )
  if (found) wrong.push(`the node says of itself ${found}`)
}
