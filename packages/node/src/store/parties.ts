import type { Hex, PartyDetails } from '@liquefy/client'
import type { Queryable } from './database.ts'
import { bytesOf } from './hex.ts'

/** Keeps what somebody says of himself, in place of what he said before. */
export async function saveParty(
  db: Queryable,
  address: Hex,
  { name, street, postcode, city, country, vatId, taxNumber, registration, vat }: PartyDetails,
): Promise<void> {
  const own = [name, street, postcode, city, country, vatId, taxNumber, registration]
  await db.query(
    `INSERT INTO parties VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
     ON CONFLICT (address) DO UPDATE SET name = $2, street = $3, postcode = $4, city = $5, country = $6,
       vat_id = $7, tax_number = $8, registration = $9, vat_category = $10, vat_rate = $11, vat_reason = $12`,
    [bytesOf(address), ...own, vat.category, vat.ratePercent, vat.reason],
  )
}

/** What somebody said of himself; undefined: nothing yet. */
export async function readParty(db: Queryable, address: Hex): Promise<PartyDetails | undefined> {
  const { rows } = await db.query('SELECT * FROM parties WHERE address = $1', [bytesOf(address)])
  const [row] = rows
  return (
    row && {
      name: row.name,
      street: row.street,
      postcode: row.postcode,
      city: row.city,
      country: row.country,
      vatId: row.vat_id,
      taxNumber: row.tax_number,
      registration: row.registration,
      vat: { category: row.vat_category, ratePercent: row.vat_rate, reason: row.vat_reason },
    }
  )
}
