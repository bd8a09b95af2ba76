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

export const [FOUNDER] = FRIENDS
/** Charters the boat from Monday to Friday. */
export const CHARTERER = 'Saaristo Charter Oy'
/** Lent the friends a part of the price. */
export const LENDER = 'Harbour Savings Bank'
/** Sells them an engine. */
export const ENGINE_YARD = 'Konehuone Oy'

export const PEOPLE = [...FRIENDS, CHARTERER, LENDER, ENGINE_YARD]
