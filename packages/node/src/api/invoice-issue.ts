import type { Hex } from '@liquefy/client'
import { type Invoice, type InvoiceInput, invoiceOf } from '../documents/invoice.ts'
import { invoiceXml } from '../documents/invoice-xml.ts'
import type { Queryable } from '../store/database.ts'
import { type IssuedInvoice, readNewestInvoice, saveInvoice } from '../store/invoices.ts'

/**
 * The invoice of a final period, issued now or as it was issued before: the newest one byte for byte while nothing but its number, type and
 * date would differ, else the next correction, which is kept.
 *
 * @param read what an invoice is made from, as it is now; told which one stands, undefined before the first.
 */
export async function issueInvoice(
  db: Queryable,
  { agreementId, period }: { agreementId: Hex; period: number },
  nowMs: number,
  read: (standing: IssuedInvoice | undefined) => Promise<InvoiceInput>,
): Promise<Pick<Invoice, 'number'> & { xml: string }> {
  for (;;) {
    const standing = await readNewestInvoice(db, agreementId, period)
    const input = await read(standing)
    if (standing) {
      const again = invoiceOf(input, standing)
      if (invoiceXml(again) === standing.xml) return { number: again.number, xml: standing.xml }
    }
    const correction = standing ? standing.correction + 1 : 0
    const invoice = invoiceOf(input, { correction, issuedMs: nowMs })
    const xml = invoiceXml(invoice)
    // The key of the table is the lock: of two at once, and in two processes too, one issues and the other looks again.
    if (await saveInvoice(db, agreementId, period, { correction, issuedMs: nowMs, xml })) {
      return { number: invoice.number, xml }
    }
  }
}
