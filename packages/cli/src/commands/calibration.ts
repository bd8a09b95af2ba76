import { writeFileSync } from 'node:fs'
import { loadKey } from '@liquefy/machine'
import {
  type CalibrationCertificate,
  encodeCalibrationCertificate,
  formatSub,
  type Hex,
  keyId,
  MAX_CERTIFICATE_BYTES,
  MAX_UNCERTAINTY_PPM,
  parseDecimal,
  parseSub,
  ppmText,
  readCalibrationCertificate,
  senmlToUcum,
  sha256,
} from '@liquefy/protocol'
import { Command } from 'commander'
import { toHex } from 'viem'
import { contextOf } from '../context.ts'
import { readBytes } from '../document-file.ts'
import { CliError, EXIT } from '../failure.ts'
import { machinePassphrase, machinePin } from '../machine-secrets.ts'
import { table } from '../output.ts'

interface IssueFlags {
  of: string
  unit: string
  from: string
  until: string
  uncertainty: string
  number: string
  item: string
  name: string
  document?: string
  out?: string
}

/** A ten-thousandth of a percent is one part in a million. */
const PPM_DECIMALS = 4

/** `liquefy calibration`: certificates by which a laboratory vouches for a sensor. */
export function calibrationCommand(done: (exitCode: number) => void): Command {
  return new Command('calibration')
    .description('certificates by which a laboratory vouches for the sensor of a stream')
    .addCommand(issue())
    .addCommand(check(done))
}

function issue(): Command {
  return new Command('issue')
    .description('sign a certificate with the key of a laboratory')
    .argument('<folder>', 'folder of the laboratory’s key: `liquefy machine keygen` makes one')
    .requiredOption('--of <machineId/stream>', 'what was calibrated: 7/level')
    .requiredOption('--unit <unit>', 'what it shows: a UCUM code, or a SenML unit')
    .requiredOption('--from <time>', 'in force from then on (ISO 8601)')
    .requiredOption('--until <time>', 'in force before then (ISO 8601)')
    .requiredOption('--uncertainty <percent>', 'expanded uncertainty (k = 2) of the reading: 0.5')
    .requiredOption('--number <text>', 'number of the certificate')
    .requiredOption('--item <text>', 'serial number of the sensor')
    .requiredOption('--name <text>', 'what the laboratory calls itself')
    .option('--document <file>', 'the certificate for people; its SHA-256 stands in this one')
    .option('--out <file>', 'default: <number>.calibration in the working folder')
    .action((folder: string, flags: IssueFlags, command: Command) => {
      const { out } = contextOf(command)
      const key = loadKey(folder, machinePassphrase(), machinePin())
      const bytes = encodeCalibrationCertificate(key, {
        calibrationLaboratory: flags.name,
        ...subjectOf(flags.of),
        iat: Math.floor(Date.now() / 1000),
        unit: senmlToUcum(flags.unit) ?? flags.unit,
        validFromMs: timeOf(flags.from),
        validUntilMs: timeOf(flags.until),
        expandedUncertaintyPpm: ppmOf(flags.uncertainty),
        uniqueIdentifier: flags.number,
        item: flags.item,
        ...(flags.document && { documentDigest: digestOf(flags.document) }),
      })
      const file = flags.out ?? `${flags.number.replaceAll(/[^A-Za-z0-9.-]/g, '-')}.calibration`
      // An issued certificate is not written over: the one before may be in a stream already.
      writeFileSync(file, bytes, { flag: 'wx' })
      const laboratory = keyId(key.publicKey)
      out.result(
        { file, laboratory, of: flags.of },
        `${file} vouches for ${flags.of}. Agreements name this laboratory as ${laboratory}.`,
      )
    })
}

function check(done: (exitCode: number) => void): Command {
  return new Command('check')
    .description('verify a certificate, and say what it says')
    .argument('<file>', 'what `liquefy calibration issue` wrote')
    .action((file: string, _options: object, command: Command) => {
      const { out } = contextOf(command)
      const read = readCalibrationCertificate(bytesOf(file))
      if (!read.ok) {
        const { code, message } = read
        out.result({ file, fault: { code, message } }, `FAULT ${code}: ${message}`)
        return done(EXIT.faultFound)
      }
      const { certificate } = read
      const { machineId, laboratoryKey: _, ...rest } = certificate
      out.result({ file, fault: null, machineId: String(machineId), ...rest }, () =>
        certificateText(certificate),
      )
    })
}

function certificateText(certificate: CalibrationCertificate): string {
  const time = (timeMs: number) => new Date(timeMs).toISOString()
  return table([
    ['certificate', certificate.uniqueIdentifier],
    ['of', `${formatSub(certificate)}, sensor ${certificate.item}`],
    ['unit', `${certificate.unit} (UCUM)`],
    ['within', `${ppmText(certificate.expandedUncertaintyPpm)} of the reading (k = 2)`],
    ['in force', `${time(certificate.validFromMs)} until ${time(certificate.validUntilMs)}`],
    [
      'signed by',
      `${certificate.laboratory}, which calls itself ${certificate.calibrationLaboratory}`,
    ],
    ...(certificate.documentDigest ? [['document', certificate.documentDigest]] : []),
    ['digest', certificate.digest],
  ])
}

function subjectOf(text: string) {
  const subject = parseSub(text)
  if (subject) return subject
  throw new CliError('STREAM_INVALID', `--of takes <machineId>/<stream>, as 7/level, not ${text}.`)
}

function timeOf(text: string): number {
  const timeMs = Date.parse(text)
  if (Number.isSafeInteger(timeMs) && timeMs >= 0) return timeMs
  throw new CliError('TIME_INVALID', `${text} is no time: write it as 2027-01-31T12:00:00Z.`)
}

function ppmOf(percent: string): number {
  const ppm = parseDecimal(percent, PPM_DECIMALS)
  if (ppm >= 0n && ppm <= BigInt(MAX_UNCERTAINTY_PPM)) return Number(ppm)
  throw new CliError('UNCERTAINTY_INVALID', `--uncertainty takes 0 to 100 percent, not ${percent}.`)
}

function digestOf(file: string): Hex {
  return toHex(sha256(readBytes(file)))
}

function bytesOf(file: string): Uint8Array {
  const bytes = readBytes(file)
  // Whatever is longer is none, and is not worth hashing.
  return bytes.subarray(0, MAX_CERTIFICATE_BYTES + 1)
}
