import {
  formatSub,
  LiquefyError,
  readCalibrationCertificate,
  type Subject,
} from '@liquefy/protocol'

/** @throws LiquefyError `CERTIFICATE_INVALID` unless the bytes are a calibration certificate of this stream. */
export function requireCertificate(bytes: Uint8Array, subject: Subject): void {
  const read = readCalibrationCertificate(bytes)
  if (!read.ok) {
    throw new LiquefyError(read.code, `Ask the laboratory for it again: ${read.message}.`)
  }
  const [own, named] = [formatSub(subject), formatSub(read.certificate)]
  if (own !== named) {
    throw new LiquefyError(
      'CERTIFICATE_INVALID',
      `It is the certificate of ${named}. Ask for one of ${own}.`,
    )
  }
}
