import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { encodeCalibrationCertificate, readCalibrationCertificate } from '../src/index.ts'
import { fromHex, toHex } from '../src/trust/bytes.ts'
import { KEYS, START_MS, START_SECONDS } from './trust/craft.ts'

/** Writes docs/protocol/vectors/calibration.json. Signatures are random, so that each run makes other bytes that say the same. */
const path = join(import.meta.dirname, '../../../docs/protocol/vectors/calibration.json')
const statement = {
  calibrationLaboratory: 'Prüfstelle Bern',
  machineId: 7n,
  stream: 'level',
  iat: START_SECONDS,
  unit: 'g',
  validFromMs: START_MS,
  validUntilMs: START_MS + 365 * 86_400_000,
  expandedUncertaintyPpm: 5_000,
  uniqueIdentifier: 'PB-2026-0017',
  item: 'SN-4711',
}
const accepted = Object.values(KEYS).flatMap((key) =>
  [statement, { ...statement, documentDigest: `0x${'ab'.repeat(32)}` as const }].map((says) => {
    const bytes = encodeCalibrationCertificate(key, says)
    const read = readCalibrationCertificate(bytes)
    if (!read.ok) throw new Error(read.message)
    const { machineId, ...certificate } = read.certificate
    const document = 'documentDigest' in says ? 'with' : 'without'
    return {
      name: `${key.curve}, ${document} a document`,
      bytes: toHex(bytes),
      says: { ...certificate, machineId: String(machineId) },
    }
  }),
)
const good = Buffer.from(fromHex(accepted[0]?.bytes ?? '0x'))
const flipped = (at: number) => {
  if (at < 0) throw new Error('The certificate has no such part.')
  return good.with(at, (good[at] ?? 0) ^ 1)
}
const key = Buffer.from(fromHex(KEYS['P-256'].publicKey.x))
const refused = [
  ['a bit of the signature', flipped(good.length - 1)],
  ['a bit of the serial number', flipped(good.indexOf(statement.item))],
  ['a bit of the stream', flipped(good.indexOf('7/level'))],
  ['a bit of the unit', flipped(good.indexOf(Uint8Array.of(1, 0x61, 0x67)) + 2)],
  ['a bit of the key', flipped(good.indexOf(key))],
  ['without its tag', good.subarray(1)],
  ['a byte too many', Buffer.concat([good, Uint8Array.of(0)])],
  ['a byte too few', good.subarray(0, -1)],
] as const
const vectors = {
  accepted,
  refused: refused.map(([name, bytes]) => ({ name, bytes: toHex(bytes) })),
}
writeFileSync(path, `${JSON.stringify(vectors, undefined, 2)}\n`)
