import {
  encodeEnvelope,
  encodeToken,
  type Hex,
  registryAudience,
  ZERO_DIGEST,
} from '@liquefy/protocol'
import type { LoadMachine, NodeHost } from '../load/node-host.ts'

/** A second each, and as many in an envelope as make an hour: about 32 kB. */
export const READINGS = 31_536_000
const ENVELOPE = 3_600
/** Envelopes of one request: below the 8 MiB that a body may have. */
const BODY = 160
const STREAM = 'power'
const DAY_SECONDS = 86_400

/**
 * Signs a year of readings, one a second up to `endMs`, and posts them as a device does that comes back after a year, each body while the next one is
 * signed. Resolves when all are logged.
 *
 * @throws Error if the node did not log one of them.
 */
export async function sendYear(
  node: Pick<NodeHost, 'url' | 'chainId' | 'registry'>,
  machine: LoadMachine,
  endMs: number,
  say: (line: string) => void,
): Promise<void> {
  let prev: Hex = ZERO_DIGEST
  let underWay: Promise<void> = Promise.resolve()
  const envelopes = READINGS / ENVELOPE
  for (let at = 0; at < envelopes; at += BODY) {
    const body: Uint8Array[] = []
    for (let place = at; place < Math.min(at + BODY, envelopes); place += 1) {
      const { bytes, digest } = sign(node, machine, prev, place, endMs)
      prev = digest
      body.push(bytes)
    }
    await underWay
    underWay = post(node, machine, body)
    if ((at / BODY) % 10 === 0) say(`${at} of ${envelopes} hours are sent`)
  }
  await underWay
}

function sign(
  { chainId, registry }: Pick<NodeHost, 'chainId' | 'registry'>,
  { key, machineId }: LoadMachine,
  prev: Hex,
  place: number,
  endMs: number,
): { bytes: Uint8Array; digest: Hex } {
  const firstSecond = place * ENVELOPE
  const startMs = endMs - (READINGS - firstSecond) * 1_000
  return encodeEnvelope({
    signer: key,
    iss: { chainId, registry, machineId },
    machineId,
    stream: STREAM,
    iat: Math.floor(startMs / 1_000) + ENVELOPE,
    seq: BigInt(place + 1),
    prev,
    content: {
      kind: 'readings',
      readings: Array.from({ length: ENVELOPE }, (_, second) => ({
        timeMs: startMs + second * 1_000,
        unit: 'W',
        value: wattsAt(firstSecond + second),
      })),
    },
  })
}

/** A year with its seasons, its days, and a little that is different each second. */
function wattsAt(second: number): bigint {
  const season = 2_500 * Math.sin((second / READINGS) * Math.PI)
  const hour = 900 * Math.sin((second / DAY_SECONDS) * 2 * Math.PI)
  return BigInt(Math.round(4_000 + season + hour + ((second * 7_919) % 211)))
}

async function post(
  { url, chainId, registry }: Pick<NodeHost, 'url' | 'chainId' | 'registry'>,
  { key, machineId }: LoadMachine,
  body: readonly Uint8Array[],
): Promise<void> {
  const issuedAt = Math.floor(Date.now() / 1_000)
  const audience = registryAudience(chainId, registry)
  const token = encodeToken({ key, machineId, audience, issuedAt, expiresAt: issuedAt + 600 })
  const response = await fetch(new URL(`/v1/machines/${machineId}/envelopes`, url), {
    method: 'POST',
    headers: { 'content-type': 'application/cbor-seq', authorization: `Bearer ${token}` },
    body: Buffer.concat(body),
  })
  const answer = await response.text()
  const logged = answer.split('"logIndex"').length - 1
  if (!response.ok || logged !== body.length) {
    throw new Error(`The node logged ${logged} of ${body.length}: ${answer.slice(0, 300)}`)
  }
}
