import type { TariffUnit } from '@liquefy/protocol'

/** Codes of UN/ECE Recommendation 20 by the unit that a tariff speaks of (SenML, or what prices are quoted in). */
const CODES: Readonly<Record<string, string>> = {
  g: 'GRM',
  kg: 'KGM',
  t: 'TNE',
  ml: 'MLT',
  l: 'LTR',
  L: 'LTR',
  m3: 'MTQ',
  Wh: 'WHR',
  kWh: 'KWH',
  MWh: 'MWH',
  J: 'JOU',
  VAh: 'C79',
  mm: 'MMT',
  m: 'MTR',
  km: 'KMT',
  m2: 'MTK',
  ms: 'C26',
  s: 'SEC',
  min: 'MIN',
  h: 'HUR',
  d: 'DAY',
  B: 'AD',
  MB: '4L',
  A: 'AMP',
  Ah: 'AMH',
  C: 'COU',
}
/** One piece: of a unit without a code, whose name then stands in words beside it. */
export const PIECE = 'C62'

/** The code of a unit; `C62` (one) for what is counted, and for a unit that the recommendation does not have. */
export function unitCode({ unit }: Pick<TariffUnit, 'unit'>): string {
  return CODES[unit] ?? PIECE
}
