import { decodeEnvelope } from '@liquefy/protocol'
import { parser as createParser, type Packet } from 'mqtt-packet'

/** A system call of a traced process; `began` and `ended` are places in the trace. */
interface Call {
  name: string
  text: string
  began: number
  ended: number
}

/** An envelope that a traced node took and acknowledged. */
export interface Acknowledgement {
  seq: bigint
  by: 'puback' | 'receipt'
  /** Whether the database's log was brought to the disk between the one and the other. */
  isOnDisk: boolean
}

/** Reads what `strace -f -yy -x` wrote of a node whose broker listens on `mqttPort`, and of its database. */
export function acknowledgements(trace: string, mqttPort: number): Acknowledgement[] {
  const calls = callsOf(trace)
  const syncs = calls.filter(
    ({ name, text }) => /^f(data)?sync$/.test(name) && /pg_wal.* = 0$/.test(text),
  )
  const isOnDisk = (from: number, to: number) =>
    syncs.some(({ began, ended }) => began > from && ended < to)

  const taken = new Map<string, { seq: bigint; ended: number }>()
  const found: Acknowledgement[] = []
  const atBroker = calls.filter(({ text }) => text.includes(`127.0.0.1:${mqttPort}->`))
  const received = createParser({ protocolVersion: 4 })
  const sent = createParser({ protocolVersion: 4 })
  let at: Call | undefined
  received.on('packet', (packet: Packet) => {
    if (packet.cmd !== 'publish' || !packet.topic.endsWith('/envelope')) return
    const decoded = decodeEnvelope(packet.payload as Buffer)
    if (!decoded.ok) throw new Error(decoded.message)
    const { seq } = decoded.envelope
    const one = { seq, ended: at?.ended ?? 0 }
    taken.set(`puback ${packet.messageId}`, one).set(`receipt ${seq}`, one)
  })
  sent.on('packet', (packet: Packet) => {
    for (const name of namesOf(packet)) {
      const envelope = taken.get(name)
      if (!envelope) continue
      // A number of a message is used again.
      taken.delete(name)
      const by = packet.cmd === 'puback' ? 'puback' : 'receipt'
      found.push({ seq: envelope.seq, by, isOnDisk: isOnDisk(envelope.ended, at?.began ?? 0) })
    }
  })
  for (const call of atBroker) {
    at = call
    if (/^(read|recvfrom)$/.test(call.name)) received.parse(dataOf(call.text))
    else sent.parse(dataOf(call.text))
  }
  return found
}

function namesOf(packet: Packet): string[] {
  if (packet.cmd === 'puback') return [`puback ${packet.messageId}`]
  if (packet.cmd !== 'publish' || !packet.topic.endsWith('/receipt')) return []
  const { entries } = JSON.parse(packet.payload.toString()) as { entries: { seq: string }[] }
  return entries.map(({ seq }) => `receipt ${seq}`)
}

/** Calls in the order in which they began; those that the trace shows in two halves are put together. */
function callsOf(trace: string): Call[] {
  const calls: Call[] = []
  const begun = new Map<string, Call>()
  for (const [place, line] of trace.split('\n').entries()) {
    const [, pid = '', rest = ''] = /^(\d+) +(.*)$/.exec(line) ?? []
    const resumed = /^<\.\.\. (\w+) resumed>(.*)$/.exec(rest)
    if (resumed) {
      const call = begun.get(pid)
      begun.delete(pid)
      if (call) Object.assign(call, { text: call.text + resumed[2], ended: place })
      continue
    }
    const [, name, text] = /^(\w+)\((.*)$/.exec(rest) ?? []
    if (!name || text === undefined) continue
    const call = { name, text: text.replace('<unfinished ...>', ''), began: place, ended: place }
    calls.push(call)
    if (text.endsWith('<unfinished ...>')) begun.set(pid, call)
  }
  return calls
}

/** The bytes that went over the descriptor: of one buffer, or of several one after another. */
function dataOf(text: string): Buffer {
  const count = Number(/ = (\d+)$/.exec(text)?.[1] ?? 0)
  const strings = [...text.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, string = '']) => string)
  return Buffer.concat(strings.map(bytesOf)).subarray(0, count)
}

const ESCAPES: Record<string, string> = { n: '\n', r: '\r', t: '\t', v: '\v', f: '\f' }

function bytesOf(string: string): Buffer {
  const plain = string.replace(/\\(?:x([0-9a-f]{2})|(.))/g, (_, hex, letter) =>
    hex ? String.fromCharCode(Number.parseInt(hex, 16)) : (ESCAPES[letter] ?? letter),
  )
  return Buffer.from(plain, 'latin1')
}
