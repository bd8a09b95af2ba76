import { ppmText } from '@liquefy/protocol'

/** What a calibration leaves open of an amount, in words; empty where there is none. */
export function bandText(
  band: { lowerMinor: string; upperMinor: string; uncertaintyPpm: number } | null,
  money: (minor: string) => string,
): string {
  if (!band) return ''
  return `${money(band.lowerMinor)} to ${money(band.upperMinor)} (${ppmText(band.uncertaintyPpm)})`
}
