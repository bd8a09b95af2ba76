/**
 * Charge points by site, as the import profile declares them. Who pays follows from the charge point alone: the files spell a site in several
 * ways, and some sessions of the first days name the operator's test bench.
 */
const CHARGE_POINTS_BY_SITE: Readonly<Record<string, readonly string[]>> = {
  'Atholl Street Car Park, Dunkeld': ['51249'],
  'Broxden Park & Ride, Perth': ['50244', '50245', '50283', '50284', '50285', '50286', '51519'],
  'Canal Street Car Park 3rd floor, Perth': ['51318', '51319', '51320', '51321', '51492', '51493'],
  'Crown Inn Wynd Car Park, Auchterarder': ['51250'],
  'Friarton Depot, Perth': ['50275', '51517'],
  'King Street Car Park, Crieff': ['50813', '50993'],
  'Kinross Park and Ride, Kinross': ['50279', '50280', '50745', '51516'],
  'Leslie Street Car Park, Blairgowrie': ['50994'],
  'Mill Street, Perth': ['50838', '50839'],
  'Moness Terrace Car Park, Aberfeldy': ['50811', '50995'],
  'Rie-Achan Road Car Park, Pitlochry': ['50281', '50282', '50297'],
  'South Inch Car Park, Perth': ['50276', '50277', '50278', '50575'],
}

const SITE_OF = new Map(
  Object.entries(CHARGE_POINTS_BY_SITE).flatMap(([site, points]) =>
    points.map((point) => [point, site] as const),
  ),
)

/** The site of a charge point by the declared table; undefined for one that it does not have. */
export function siteOf(chargePoint: string): string | undefined {
  return SITE_OF.get(chargePoint)
}
