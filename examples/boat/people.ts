/** Who appears. Each has a key of his own on the example's ledger. */

/** Forty friends; the first of them found the boat and registers it. */
export const FRIENDS = [
  'Aino Virtanen',
  'Eero Korhonen',
  'Helmi Nieminen',
  'Otso Mäkinen',
  'Lumi Mäkelä',
  'Väinö Hämäläinen',
  'Saga Lindström',
  'Onni Laine',
  'Kerttu Heikkinen',
  'Axel Holmberg',
  'Pihla Koskinen',
  'Toivo Järvinen',
  'Alma Lehtonen',
  'Kaapo Saarinen',
  'Freja Nyman',
  'Urho Salminen',
  'Siiri Niemi',
  'Arvid Sjöberg',
  'Venla Heinonen',
  'Oiva Salonen',
  'Elsa Turunen',
  'Niilo Tuominen',
  'Ingrid Söderholm',
  'Vilho Rantanen',
  'Hilla Karjalainen',
  'Leevi Jokinen',
  'Astrid Wikström',
  'Eino Mattila',
  'Aune Savolainen',
  'Rasmus Blomqvist',
  'Iida Lahtinen',
  'Tauno Ahonen',
  'Linnea Forsman',
  'Veikko Ojala',
  'Kaisa Leppänen',
  'Emil Grönroos',
  'Martta Kinnunen',
  'Arvo Väisänen',
  'Stina Ekholm',
  'Ilmari Hiltunen',
] as const

export type Friend = (typeof FRIENDS)[number]

/** Of a hundred shares the founder has four, the next eighteen friends three each, all others two. */
export function sharesOf(friend: Friend): bigint {
  const place = FRIENDS.indexOf(friend)
  if (place === 0) return 4n
  return place <= 18 ? 3n : 2n
}

export const [FOUNDER, ...BUYERS] = FRIENDS
/** Gives another friend a share in the middle of the charter. */
export const GIVER = 'Saga Lindström'
export const RECEIVER = 'Urho Salminen'
/** Charters the boat from Monday to Friday. */
export const CHARTERER = 'Saaristo Charter Oy'
/** Lent the friends what the boat's repair cost. */
export const LENDER = 'Harbour Savings Bank'
/** Has the berth. */
export const HARBOUR_OFFICE = 'Harbour office Tammisaari'
/** Sells them an engine. */
export const ENGINE_YARD = 'Konehuone Oy'

export const PEOPLE = [...FRIENDS, CHARTERER, LENDER, HARBOUR_OFFICE, ENGINE_YARD]
