import type { Hex } from 'viem'
import { readBase64 } from './base64.ts'

/** What a line says that stands in the form in which nodes write envelopes; `metered` is JSON yet to be read. */
export interface PlainEnvelope {
  stream: string
  seq: bigint
  logIndex: bigint
  loggedAt: number
  code: string
  raw: Uint8Array
  proof: Hex[]
  metered: string
}

const BEGINNING =
  /^\{"type":"envelope","stream":"([A-Za-z0-9_-]{1,64})","seq":"(0|[1-9][0-9]{0,17})","logIndex":"(0|[1-9][0-9]{0,17})","loggedAt":(0|[1-9][0-9]{0,14}),"code":"([A-Za-z0-9_-]{1,64})","raw":"/
const PROOF = '","proof":['
const METERED = '],"metered":'
const HASH = /^0x[0-9a-f]{64}$/
const HASH_LENGTH = 66

/**
 * Reads envelope lines without the detour by way of JSON, which takes most of the time that a line takes. Undefined for whatever is not in that very form,
 * be it right or wrong: `line.ts` reads that.
 */
export function plainEnvelopeReader(): (text: string) => PlainEnvelope | undefined {
  // Neighbours in the log share most of what they say; what is the same string need not be looked at, nor kept, twice.
  let lastStream = ''
  let lastProof: Hex[] = []

  return (text) => {
    const [beginning, stream = '', seq = '', logIndex = '', loggedAt, code = ''] =
      BEGINNING.exec(text) ?? []
    if (beginning === undefined) return undefined
    const rawEnd = text.indexOf('"', beginning.length)
    const raw = rawEnd < 0 ? undefined : readBase64(text, beginning.length, rawEnd)
    if (!raw || !text.startsWith(PROOF, rawEnd)) return undefined
    const proof: Hex[] = []
    let at = rawEnd + PROOF.length
    while (text.charCodeAt(at) === 34) {
      const hash = text.slice(at + 1, at + 1 + HASH_LENGTH) as Hex
      const known = lastProof[proof.length]
      if (hash !== known && !HASH.test(hash)) return undefined
      proof.push(hash === known ? known : hash)
      at += 1 + HASH_LENGTH
      if (text.charCodeAt(at) !== 34) return undefined
      at += 1
      if (text.charCodeAt(at) !== 44) break
      at += 1
      if (text.charCodeAt(at) !== 34) return undefined
    }
    if (!text.startsWith(METERED, at) || !text.endsWith('}')) return undefined
    if (stream !== lastStream) lastStream = stream
    lastProof = proof
    return {
      stream: lastStream,
      seq: BigInt(seq),
      logIndex: BigInt(logIndex),
      loggedAt: Number(loggedAt),
      code,
      raw,
      proof,
      metered: text.slice(at + METERED.length, -1),
    }
  }
}
