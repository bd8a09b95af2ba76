/**
 * Sends envelopes signed beforehand at their times over MQTT, QoS 1, one connection a machine, and watches the node's events over its API: a
 * process of its own, so that what it costs is counted in, and one clock for both ends of every latency.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { createClient } from '@liquefy/client'
import { encodeToken, type Hex, privateKeyFromBytes, registryAudience } from '@liquefy/protocol'
import { connectAsync, type MqttClient } from 'mqtt'
import type { LatencyPlan, LatencyReport, PlannedMachine } from './plan.ts'
import { type SignedTurn, seqsIn, signTurns } from './signed-machine.ts'

/** A machine, what it sends, and when it wrote each, in ms of this process. */
interface Sender {
  client: MqttClient
  machineId: string
  turns: SignedTurn[]
  writtenMs: number[]
  /** Envelopes seen in events of either kind. */
  owed: number
  paid: number
  paidMinor: number
  isPaid: boolean
}

const TOKEN_SECONDS = 3_000
/** Signing takes as long as it takes; sending begins when all is ready. */
const START_MS = 500
const TICK_MS = 1
const PATIENCE_MS = 60_000

process.once('message', (plan: LatencyPlan) => {
  run(plan).then(
    (report) => process.send?.(report, () => process.exit(0)),
    (error: unknown) => {
      process.stderr.write(`loader: ${error instanceof Error ? error.stack : String(error)}\n`)
      process.exit(1)
    },
  )
})

async function run(plan: LatencyPlan): Promise<LatencyReport> {
  const fromMs = Date.now()
  const senders = new Map<Hex, Sender>()
  for (const { everyMs, machines } of [plan.owed, plan.paid]) {
    const isPaid = machines === plan.paid.machines
    for (const [index, machine] of machines.entries()) {
      const offsetMs = (index * everyMs) / machines.length
      const turns = signTurns(plan, machine, {
        fromMs: fromMs + offsetMs,
        everyMs,
        withValue: isPaid,
      })
      const client = await connectMachine(plan, machine)
      const { machineId, agreementId } = machine
      const counts = { owed: 0, paid: 0, paidMinor: 0 }
      senders.set(agreementId, { client, machineId, turns, writtenMs: [], isPaid, ...counts })
    }
  }
  const watch = watchEvents(plan, senders)
  await watch.connected
  const before = process.cpuUsage()
  const startedMs = performance.now()
  const latestSendMs = await sendAll([...senders.values()], Date.now() + START_MS - fromMs)
  const { user, system } = process.cpuUsage(before)
  const loaderCores = (user + system) / 1_000 / (performance.now() - startedMs)
  await untilSeen([...senders.values()])
  watch.stop()
  for (const { client } of senders.values()) client.end(true)
  const sent = [...senders.values()].reduce((sum, { writtenMs }) => sum + writtenMs.length, 0)
  return { sent, ...watch.latencies, latestSendMs, loaderCores }
}

async function connectMachine(plan: LatencyPlan, machine: PlannedMachine): Promise<MqttClient> {
  const { machineId, scalarHex } = machine
  const issuedAt = Math.floor(Date.now() / 1_000)
  const client = await connectAsync(plan.mqttUrl, {
    clientId: machineId,
    username: machineId,
    password: encodeToken({
      key: privateKeyFromBytes('P-256', Buffer.from(scalarHex, 'hex')),
      machineId: BigInt(machineId),
      audience: registryAudience(plan.chainId, plan.registry),
      issuedAt,
      expiresAt: issuedAt + TOKEN_SECONDS,
    }),
    protocolVersion: 4,
    reconnectPeriod: 0,
  })
  const topic = (name: string) => `liquefy/v1/${machineId}/${name}`
  await client.subscribeAsync([topic('receipt'), topic('meter/answer')], { qos: 1 })
  client.on('message', (name, payload) => {
    if (name !== topic('meter/answer')) return
    const answer = JSON.parse(payload.toString()) as { code: string }
    if (answer.code !== 'ACCEPTED') throw new Error(`A meter value was refused: ${payload}`)
  })
  return client
}

/** Sends everything at its time, moved by `delayMs`; answers by how much the latest one was late. */
async function sendAll(senders: readonly Sender[], delayMs: number): Promise<number> {
  const queue = senders
    .flatMap((sender) => sender.turns.map((turn) => ({ sender, turn })))
    .sort((a, b) => a.turn.atMs - b.turn.atMs)
  let latestMs = 0
  for (let at = 0; at < queue.length; ) {
    const nowMs = Date.now() - delayMs
    for (; at < queue.length; at += 1) {
      const { sender, turn } = queue[at] as (typeof queue)[number]
      if (turn.atMs > nowMs) break
      latestMs = Math.max(latestMs, nowMs - turn.atMs)
      sender.writtenMs.push(performance.now())
      publish(sender, 'envelope', Buffer.from(turn.envelope))
      if (turn.meterValue !== undefined) publish(sender, 'meter', Buffer.from(turn.meterValue))
    }
    await sleep(TICK_MS)
  }
  return latestMs
}

function publish({ client, machineId }: Sender, name: string, payload: Buffer): void {
  client.publish(`liquefy/v1/${machineId}/${name}`, payload, { qos: 1 })
}

function watchEvents(plan: LatencyPlan, senders: ReadonlyMap<Hex, Sender>) {
  const ending = new AbortController()
  const connected = Promise.withResolvers<void>()
  const owedMs: number[] = []
  const paidMs: number[] = []
  const note = (sender: Sender, latencies: number[], from: number, to: number) => {
    const nowMs = performance.now()
    for (let index = from; index < to; index += 1) {
      const turn = sender.turns[index]
      const first = sender.turns[0]
      if (!turn || !first) throw new Error('An event tells of an envelope that was never sent.')
      const isWarm = turn.atMs - first.atMs >= plan.warmUpSeconds * 1_000
      if (isWarm) latencies.push(nowMs - (sender.writtenMs[index] ?? Number.NaN))
    }
  }
  void createClient({ url: plan.apiUrl }).events({
    signal: ending.signal,
    onState: (isOpen) => isOpen && connected.resolve(),
    onEvent(event) {
      if (event.type !== 'owed' && event.type !== 'settled') return
      const sender = senders.get(event.agreementId)
      if (!sender) return
      if (event.type === 'owed') {
        const seqs = seqsIn(Number(event.registers[0]), plan.readings)
        if (!sender.isPaid) note(sender, owedMs, sender.owed, seqs)
        sender.owed = Math.max(sender.owed, seqs)
      } else {
        sender.paidMinor += Number(event.paidMinor)
        const seqs = seqsIn(sender.paidMinor, plan.readings)
        note(sender, paidMs, sender.paid, seqs)
        sender.paid = seqs
      }
    },
  })
  return {
    connected: connected.promise,
    latencies: { owedMs, paidMs },
    stop: () => ending.abort(),
  }
}

/** Waits until every envelope was owed, and paid where it is to be. @throws Error if that does not come about. */
async function untilSeen(senders: readonly Sender[]): Promise<void> {
  const endMs = performance.now() + PATIENCE_MS
  const isSeen = ({ turns, owed, paid, isPaid }: Sender) =>
    owed === turns.length && (!isPaid || paid === turns.length)
  while (!senders.every(isSeen)) {
    if (performance.now() > endMs) throw new Error('Not everything was owed and paid in a minute.')
    await sleep(50)
  }
}
