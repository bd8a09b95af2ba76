import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { buildEnvelopeVectors } from './trust/envelope-vectors.ts'

/** Writes docs/protocol/vectors/envelopes.json. Run it after a deliberate change of the protocol, and read the difference. */
const root = join(import.meta.dirname, '..', '..', '..')
const file = join(root, 'docs', 'protocol', 'vectors', 'envelopes.json')
writeFileSync(file, `${JSON.stringify(buildEnvelopeVectors(), null, 1)}\n`)
