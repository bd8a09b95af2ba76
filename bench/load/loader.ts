/**
 * Sends signed envelopes over MQTT 3.1.1, QoS 1, one connection a machine, as fast as acknowledgements come: a process of its own, so
 * that what it costs is counted in. It subscribes to receipts as machines do. Written by hand because a client library costs more than the node
 * that is measured.
 */
import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import type { LoaderPlan, LoaderReport } from './loader-host.ts'

const CONNACK = 2
const PUBLISH = 3
const PUBACK = 4
const SUBACK = 9

const plan: LoaderPlan = JSON.parse(process.argv[2] ?? '{}')
const queues: Buffer[][] = plan.machines.map(() => [])
const file = readFileSync(plan.path)
for (let at = 0; at < file.length; ) {
  const index = file.readUInt32LE(at)
  const length = file.readUInt32LE(at + 4)
  queues[index]?.push(file.subarray(at + 8, at + 8 + length))
  at += 8 + length
}

let acknowledged = 0
let goal = 0
let reached: (() => void) | undefined

function remaining(length: number): number[] {
  const bytes: number[] = []
  let rest = length
  do {
    bytes.push((rest & 0x7f) | (rest > 127 ? 0x80 : 0))
    rest >>= 7
  } while (rest > 0)
  return bytes
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value)
  const head = Buffer.alloc(2)
  head.writeUInt16BE(bytes.length)
  return Buffer.concat([head, bytes])
}

function packet(first: number, ...parts: (Buffer | Uint8Array)[]): Buffer {
  const body = Buffer.concat(parts)
  return Buffer.concat([Buffer.from([first, ...remaining(body.length)]), body])
}

class Device {
  readonly #socket: Socket
  readonly #topic: Buffer
  readonly #queue: Buffer[]
  #rest: Buffer = Buffer.alloc(0)
  #next = 0
  #packetId = 0
  #allowed = 0
  #inFlight = 0
  readonly ready: Promise<void>
  #isReady: () => void = () => undefined

  constructor(index: number) {
    const { machineId, token } = plan.machines[index] ?? { machineId: '', token: '' }
    this.#queue = queues[index] ?? []
    this.#topic = text(`liquefy/v1/${machineId}/envelope`)
    this.ready = new Promise((resolve) => {
      this.#isReady = resolve
    })
    const { hostname, port } = new URL(plan.mqttUrl)
    this.#socket = connect(Number(port), hostname, () => {
      this.#socket.setNoDelay(true)
      this.#socket.write(
        packet(
          0x10,
          text('MQTT'),
          Buffer.from([4, 0xc2, 0, 60]),
          text(machineId),
          text(machineId),
          text(token),
        ),
      )
      const receipt = text(`liquefy/v1/${machineId}/receipt`)
      this.#socket.write(packet(0x82, Buffer.from([0, 1]), receipt, Buffer.from([1])))
    })
    this.#socket.on('data', (chunk) => this.#read(chunk))
    this.#socket.on('error', fail)
    this.#socket.on('close', () => fail(new Error('the node closed a connection')))
  }

  /** Sends so many more envelopes. */
  allow(count: number): void {
    this.#allowed += count
    this.#send()
  }

  #send(): void {
    if (this.#inFlight >= plan.window || this.#allowed === 0) return
    this.#socket.cork()
    while (this.#inFlight < plan.window && this.#allowed > 0) {
      const envelope = this.#queue[this.#next]
      if (envelope === undefined) break
      this.#next += 1
      this.#allowed -= 1
      this.#inFlight += 1
      this.#packetId = (this.#packetId % 65_535) + 1
      const length = this.#topic.length + 2 + envelope.length
      this.#socket.write(
        Buffer.concat([
          Buffer.from([0x32, ...remaining(length)]),
          this.#topic,
          Buffer.from([this.#packetId >> 8, this.#packetId & 255]),
        ]),
      )
      this.#socket.write(envelope)
    }
    process.nextTick(() => this.#socket.uncork())
  }

  #read(chunk: Buffer): void {
    const bytes = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk]) : chunk
    let at = 0
    for (;;) {
      let length = 0
      let shift = 0
      let body = at + 1
      let whole = false
      while (body < bytes.length) {
        const byte = bytes[body] ?? 0
        body += 1
        length += (byte & 0x7f) << shift
        shift += 7
        if (byte < 0x80) {
          whole = true
          break
        }
      }
      if (!whole || body + length > bytes.length) break
      this.#take(bytes[at] ?? 0, bytes.subarray(body, body + length))
      at = body + length
    }
    this.#rest = at === bytes.length ? Buffer.alloc(0) : bytes.subarray(at)
    this.#send()
  }

  #done(count: number): void {
    this.#inFlight -= count
    acknowledged += count
    if (acknowledged >= goal) {
      reached?.()
      reached = undefined
    }
  }

  #take(first: number, body: Buffer): void {
    const type = first >> 4
    if (type === PUBACK) {
      if (!plan.byReceipt) this.#done(1)
    } else if (type === PUBLISH) {
      const topicEnd = 2 + body.readUInt16BE(0)
      if (plan.byReceipt) this.#done(entriesOf(body.subarray(topicEnd + 2)))
      this.#socket.write(Buffer.from([0x40, 2, body[topicEnd] ?? 0, body[topicEnd + 1] ?? 0]))
    } else if (type === SUBACK) this.#isReady()
    else if (type === CONNACK && body[1] !== 0) fail(new Error(`log-in refused: ${body[1]}`))
  }
}

function entriesOf(receipt: Buffer): number {
  return (JSON.parse(receipt.toString()) as { entries: unknown[] }).entries.length
}

function fail(error: Error): void {
  process.stderr.write(`loader: ${error.message}\n`)
  process.exit(1)
}

const devices = plan.machines.map((_, index) => new Device(index))
await Promise.all(devices.map(({ ready }) => ready))

process.on('message', (count: number) => {
  const before = process.cpuUsage()
  const startedMs = performance.now()
  goal = acknowledged + count * devices.length
  reached = () => {
    const { user, system } = process.cpuUsage(before)
    const report: LoaderReport = {
      acknowledged: count * devices.length,
      seconds: (performance.now() - startedMs) / 1_000,
      cpuMicros: user + system,
    }
    process.send?.(report)
  }
  for (const device of devices) device.allow(count)
})
process.send?.('ready')
