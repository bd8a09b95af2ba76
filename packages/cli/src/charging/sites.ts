/** A site as the import profile declares it: the charge points that it pays for, and how else the files spell it. */
interface DeclaredSite {
  chargePoints: readonly string[]
  spellings: readonly string[]
}

const SITES: Readonly<Record<string, DeclaredSite>> = {
  'Atholl Street Car Park, Dunkeld': { chargePoints: ['51249'], spellings: [] },
  'Broxden Park & Ride, Perth': {
    chargePoints: ['50244', '50245', '50283', '50284', '50285', '50286', '51519'],
    spellings: ['Broxden Park & Ride'],
  },
  'Canal Street Car Park 3rd floor, Perth': {
    chargePoints: ['51318', '51319', '51320', '51321', '51492', '51493'],
    spellings: ['Canal Street Car Park', 'Canal Street Car Park 3rd floor '],
  },
  'Crown Inn Wynd Car Park, Auchterarder': { chargePoints: ['51250'], spellings: [] },
  'Friarton Depot, Perth': { chargePoints: ['50275', '51517'], spellings: ['Friarton Depot'] },
  'King Street Car Park, Crieff': {
    chargePoints: ['50813', '50993'],
    spellings: ['King Street Car Park'],
  },
  'Kinross Park and Ride, Kinross': {
    chargePoints: ['50279', '50280', '50745', '51516'],
    spellings: ['Kinross Park and Ride'],
  },
  'Leslie Street Car Park, Blairgowrie': {
    chargePoints: ['50994'],
    spellings: [' Leslie Street Car Park, Blairgowrie'],
  },
  'Mill Street, Perth': { chargePoints: ['50838', '50839'], spellings: [] },
  'Moness Terrace Car Park, Aberfeldy': { chargePoints: ['50811', '50995'], spellings: [] },
  'Rie-Achan Road Car Park, Pitlochry': {
    chargePoints: ['50281', '50282', '50297'],
    spellings: [],
  },
  'South Inch Car Park, Perth': {
    chargePoints: ['50276', '50277', '50278', '50575'],
    spellings: ['South Inch Car Park'],
  },
}

/** What some rows of a charge point's first days name instead of its site; who pays is still the charge point's site. */
const TEST_SITE = '***TEST SITE*** Charge Your Car HQ'

const SITE_OF = new Map(
  Object.entries(SITES).flatMap(([site, { chargePoints }]) =>
    chargePoints.map((point) => [point, site] as const),
  ),
)

/** The site that pays, and how the row names it. */
export type SiteOfRow =
  | { ok: true; site: string; named: 'by its name' | 'by a spelling' | 'as a test site' }
  | { ok: false; code: 'CHARGE_POINT_UNKNOWN' | 'SITE_UNKNOWN' }

/**
 * The site of a charge point by the declared table. What the row says must be the site's name, one of its declared spellings, or the
 * operator's test site: a row that names anything else contradicts the table, and nobody guesses who pays.
 */
export function siteOf(chargePoint: string, rowSays: string): SiteOfRow {
  const site = SITE_OF.get(chargePoint)
  if (site === undefined) return { ok: false, code: 'CHARGE_POINT_UNKNOWN' }
  if (rowSays === site) return { ok: true, site, named: 'by its name' }
  if (rowSays === TEST_SITE) return { ok: true, site, named: 'as a test site' }
  const isSpelling = SITES[site]?.spellings.includes(rowSays)
  return isSpelling
    ? { ok: true, site, named: 'by a spelling' }
    : { ok: false, code: 'SITE_UNKNOWN' }
}
