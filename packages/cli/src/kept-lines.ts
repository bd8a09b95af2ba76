import { decodeEnvelope, type Hex } from '@liquefy/protocol'
import { linesOf } from './bundle-file.ts'
import { CliError } from './failure.ts'

/** What a line says of an envelope whose bytes the node has erased. */
interface ErasedLine {
  type: 'erased'
  logIndex: string
  digest: Hex
  proof: unknown
  metered: unknown
}

/**
 * The lines of a bundle with the bytes of erased envelopes put in from a bundle that somebody exported before. Nothing of the copy is believed: the audit
 * checks it against the leaves that the node has kept. Without a copy the lines stay as they are.
 *
 * @throws CliError `ERASED` if the copy does not have one.
 */
export async function* withKept(
  lines: AsyncIterable<string>,
  copy: string | undefined,
): AsyncGenerator<string> {
  let kept: ReadonlyMap<Hex, string> | undefined
  for await (const line of lines) {
    if (copy === undefined || !line.startsWith('{"type":"erased"')) {
      yield line
      continue
    }
    kept ??= await bytesIn(copy)
    const { type: _, digest, proof, metered, ...place } = JSON.parse(line) as ErasedLine
    const raw = kept.get(digest)
    if (raw === undefined) {
      throw new CliError(
        'ERASED',
        `Envelope ${place.logIndex} was erased, and ${copy} does not have it. Name a bundle of this agreement that was exported before.`,
      )
    }
    yield JSON.stringify({ type: 'envelope', ...place, raw, proof, metered })
  }
}

/** Bytes (base64) of the envelopes in an exported bundle, by the digest that they have. */
async function bytesIn(copy: string): Promise<Map<Hex, string>> {
  const kept = new Map<Hex, string>()
  for await (const line of linesOf(copy)) {
    if (!line.startsWith('{"type":"envelope"')) continue
    const { raw } = JSON.parse(line) as { raw: string }
    const decoded = decodeEnvelope(Buffer.from(raw, 'base64'))
    if (decoded.ok) kept.set(decoded.envelope.digest, raw)
  }
  return kept
}
