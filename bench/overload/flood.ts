/**
 * More than a node can take, from a process of its own: MQTT connections that write as far as TCP lets them, whatever is acknowledged, some
 * of which never read or never acknowledge; and HTTP posts that are repeated at once when they are turned away. It notes every digest that
 * it was told is logged. When its envelopes are used up it begins anew: repetitions cost the node a signature check too.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { parser as createParser, generate } from 'mqtt-packet'
import type { FloodPlan, FloodReport } from './flood-host.ts'

const BODY_ENVELOPES = 200
/** One more than a node takes of a machine at a time. */
const BODIES = 3
const CHUNK_ENVELOPES = 32

type Machine = FloodPlan['machines'][number]

const report: FloodReport = { offered: 0, receipted: 0, refused: {}, ended: 0 }
const acknowledged = new Set<string>()
let isOver = false

process.once('disconnect', () => process.exit())
process.once('message', (plan: FloodPlan) => void run(plan))

async function run(plan: FloodPlan): Promise<void> {
  const queues = readQueues(plan)
  const agent = new Agent({ keepAlive: true, maxSockets: 1_000 })
  const endings = plan.machines.map((machine, index) => {
    const queue = queues[index] ?? []
    return machine.kind === 'http'
      ? floodByHttp(plan, machine, queue, agent)
      : floodByMqtt(plan, machine, queue)
  })
  setTimeout(() => {
    isOver = true
    for (const end of endings) end()
    agent.destroy()
    writeFileSync(plan.acknowledgedPath, Buffer.from([...acknowledged].join(''), 'hex'))
    process.send?.(report)
  }, plan.seconds * 1_000)
}

function readQueues(plan: FloodPlan): Buffer[][] {
  const queues: Buffer[][] = plan.machines.map(() => [])
  const file = readFileSync(plan.path)
  for (let at = 0; at < file.length; ) {
    const length = file.readUInt32LE(at + 4)
    queues[file.readUInt32LE(at)]?.push(file.subarray(at + 8, at + 8 + length))
    at += 8 + length
  }
  return queues
}

function refusedBy(code: string): void {
  report.refused[code] = (report.refused[code] ?? 0) + 1
}

function take({
  entries,
}: {
  entries: { digest?: string; logIndex?: string; code: string }[]
}): void {
  for (const { digest, logIndex, code } of entries) {
    if (logIndex === undefined || digest === undefined) refusedBy(code)
    else {
      report.receipted += 1
      acknowledged.add(digest.slice(2))
    }
  }
}

// ── MQTT ──────────────────────────────────────────────────────────────────────────────────────────────────────

function floodByMqtt({ mqttUrl }: FloodPlan, machine: Machine, queue: Buffer[]): () => void {
  const { machineId, token, kind } = machine
  const { hostname, port } = new URL(mqttUrl)
  const topic = (name: string) => `liquefy/v1/${machineId}/${name}`
  const socket: Socket = connect(Number(port), hostname)
  const parser = createParser()
  let next = 0
  let messageId = 0

  function write(): void {
    while (!isOver && socket.writable) {
      const frames: Buffer[] = []
      for (let count = 0; count < CHUNK_ENVELOPES; count += 1) {
        messageId = (messageId % 65_535) + 1
        const payload = queue[next % queue.length] ?? Buffer.of()
        next += 1
        frames.push(
          generate({
            cmd: 'publish',
            topic: topic('envelope'),
            payload,
            qos: 1,
            messageId,
            dup: false,
            retain: false,
          }),
        )
      }
      report.offered += CHUNK_ENVELOPES
      if (!socket.write(Buffer.concat(frames))) return
    }
  }

  parser.on('packet', (packet) => {
    if (packet.cmd === 'suback') {
      if (kind === 'mqtt-deaf') socket.pause()
      write()
    } else if (packet.cmd === 'publish') {
      if (kind === 'mqtt') {
        socket.write(generate({ cmd: 'puback', messageId: packet.messageId ?? 0 }))
      }
      const json = JSON.parse(packet.payload.toString())
      if (packet.topic === topic('receipt')) take(json)
      else refusedBy(json.code)
    }
  })
  socket.on('connect', () => {
    socket.write(
      generate({
        cmd: 'connect',
        protocolId: 'MQTT',
        protocolVersion: 4,
        clean: true,
        clientId: machineId,
        keepalive: 0,
        username: machineId,
        password: Buffer.from(token),
      }),
    )
    const subscriptions = ['receipt', 'refused'].map((name) => ({
      topic: topic(name),
      qos: 1 as const,
    }))
    socket.write(generate({ cmd: 'subscribe', messageId: 1, subscriptions }))
  })
  socket.on('data', (chunk) => parser.parse(chunk))
  socket.on('drain', write)
  socket.on('error', () => undefined)
  socket.on('close', () => {
    if (!isOver) report.ended += 1
  })
  return () => socket.destroy()
}

// ── HTTP ──────────────────────────────────────────────────────────────────────────────────────────────────────

function floodByHttp(plan: FloodPlan, machine: Machine, queue: Buffer[], agent: Agent): () => void {
  const bodies: Buffer[] = []
  for (let at = 0; at < queue.length; at += BODY_ENVELOPES) {
    bodies.push(Buffer.concat(queue.slice(at, at + BODY_ENVELOPES)))
  }
  let next = 0

  function post(index: number): void {
    const body = bodies[index % bodies.length] ?? Buffer.of()
    const asked = request(
      new URL(`/v1/machines/${machine.machineId}/envelopes`, plan.url),
      {
        method: 'POST',
        agent,
        headers: {
          authorization: `Bearer ${machine.token}`,
          'content-type': 'application/cbor-seq',
          'content-length': body.length,
        },
      },
      (answer) => {
        const chunks: Buffer[] = []
        answer.on('data', (chunk) => chunks.push(chunk))
        answer.on('error', () => undefined)
        answer.on('end', () => {
          if (answer.statusCode === 200) take(JSON.parse(Buffer.concat(chunks).toString()))
          else refusedBy(`HTTP_${answer.statusCode}`)
          if (isOver) return
          if (answer.statusCode === 200) {
            next += 1
            post(next)
          } else post(index)
        })
      },
    )
    asked.on('error', () => {
      if (isOver) return
      report.ended += 1
      setTimeout(() => post(index), 10)
    })
    report.offered += Math.min(BODY_ENVELOPES, queue.length)
    asked.end(body)
  }

  for (; next < BODIES; next += 1) post(next)
  return () => undefined
}
