import { Readable } from 'node:stream'
import type { Agreement, Hex, PartyDetails, PeriodView } from '@liquefy/client'
import { finalFromMs, type TariffUnit, type Terms, tariffUnits } from '@liquefy/protocol'
import type { FastifyInstance, FastifyReply, FastifyRequest, FastifySchema } from 'fastify'
import { wholeCents } from '../documents/cents.ts'
import { currencyOf } from '../documents/currency.ts'
import { billOf, type Invoice, type InvoiceInput, proformaOf } from '../documents/invoice.ts'
import { invoiceXml } from '../documents/invoice-xml.ts'
import { buyerProblem } from '../documents/party-check.ts'
import {
  type SettlementLine,
  type StatementContent,
  settlementLine,
  statementOf,
} from '../documents/statement.ts'
import { statementCsv } from '../documents/statement-csv.ts'
import { MOST_ROWS, type NewestSettlements, statementPdf } from '../documents/statement-pdf.ts'
import { readPartyMachines } from '../store/machine-accounts.ts'
import { readParty } from '../store/parties.ts'
import { countSettlements, type LedgerPlace, readSettlements } from '../store/settlements.ts'
import type { MeteredAgreement } from '../transact/agreements.ts'
import { knownAgreement, wholeAgreementView } from './agreement-view.ts'
import type { ApiContext } from './context.ts'
import { issueInvoice } from './invoice-issue.ts'
import { BusyError, ProblemError } from './problem.ts'
import { idOf } from './route.ts'
import * as schemas from './schemas.ts'
import { sessionOf } from './session-routes.ts'
import { inTurn, oneAtATime } from './turns.ts'

/** Read at once for a CSV, which has all of them. */
const SETTLEMENTS_A_PAGE = 1_000
/** Drawing a PDF takes as much processor time as anybody who asks for one likes: the node must acknowledge what machines send meanwhile. */
const MOST_DRAWINGS_WAITING = 8
const drawingBusy = () =>
  new BusyError(
    'DRAWING_BUSY',
    'Too many PDFs wait to be drawn. Ask again in a few seconds, or take the CSV, which needs no drawing.',
    5,
  )

type Params = { id: string }

/** Documents of an agreement: its statement for everybody, the invoice of a period for its two parties. */
export function addDocumentRoutes(app: FastifyInstance, context: ApiContext): void {
  const draw = oneAtATime(MOST_DRAWINGS_WAITING)
  app.get<{ Params: Params; Querystring: { period?: number } }>(
    '/v1/agreements/:id/statement.csv',
    {
      schema: documentSchema(
        'What is owed and paid, as CSV (RFC 4180)',
        'text/csv',
        schemas.statementQuery,
      ),
    },
    async ({ params: { id }, query: { period } }, reply) => {
      const content = await statementContent(context, id, period)
      return named(reply, 'text/csv; charset=utf-8', `${fileName('statement', content)}.csv`).send(
        Readable.from(statementCsv(content, settlementPages(context, id, period)), {
          objectMode: false,
        }),
      )
    },
  )
  app.get<{ Params: Params; Querystring: { period?: number; timeZone?: string } }>(
    '/v1/agreements/:id/statement.pdf',
    {
      schema: documentSchema(
        'What is owed and paid, as PDF; times in `timeZone`, an IANA name',
        'application/pdf',
        schemas.statementPdfQuery,
      ),
    },
    async ({ params: { id }, query: { period, timeZone = 'UTC' } }, reply) => {
      requireTimeZone(timeZone)
      const drawing = async () => {
        const content = await statementContent(context, id, period)
        const settlements = await newestSettlements(context, id, period)
        return {
          name: `${fileName('statement', content)}.pdf`,
          pdf: await statementPdf(content, settlements, timeZone),
        }
      }
      const { name, pdf } = await inTurn(draw, drawing, drawingBusy)
      return named(reply, 'application/pdf', name).send(pdf)
    },
  )
  app.get<{ Params: Params; Querystring: { period: number } }>(
    '/v1/agreements/:id/invoice.xml',
    {
      schema: {
        ...documentSchema(
          'The e-invoice of one period (EN 16931), for the payer and the payee',
          'application/xml',
          schemas.invoiceQuery,
        ),
        security: [{ session: [] }],
      } as FastifySchema,
    },
    async (request, reply) => {
      const invoice = await periodInvoice(context, request)
      return named(reply, 'application/xml; charset=utf-8', `${invoice.number}.xml`).send(
        invoice.xml,
      )
    },
  )
}

function documentSchema(summary: string, type: string, querystring: object): FastifySchema {
  return {
    summary,
    params: schemas.agreementParams,
    querystring,
    produces: [type],
    response: { 200: { type: 'string' }, default: schemas.problem },
  } as FastifySchema
}

/** A download. No cache keeps it: it changes, and an invoice is private. */
function named(reply: FastifyReply, type: string, name: string): FastifyReply {
  return reply
    .type(type)
    .header('content-disposition', `attachment; filename="${name}"`)
    .header('cache-control', 'no-store')
}

function fileName(what: string, { agreementId, period }: StatementContent): string {
  const id = agreementId.slice(2, 14)
  return period === undefined ? `${what}-${id}` : `${what}-${id}-${period}`
}

function requireTimeZone(timeZone: string): void {
  try {
    new Intl.DateTimeFormat('en', { timeZone })
  } catch {
    throw new ProblemError(
      400,
      'REQUEST_INVALID',
      `"${timeZone}" is no time zone of IANA, like Europe/Berlin.`,
    )
  }
}

async function statementContent(
  context: ApiContext,
  id: string,
  wantedPeriod: number | undefined,
): Promise<StatementContent> {
  const agreementId = idOf(id)
  const [agreement, head] = await Promise.all([
    wholeAgreementView(context, agreementId),
    context.evidence.head(),
  ])
  const metered = context.agreements.get(agreementId)
  if (wantedPeriod !== undefined) requirePeriod(metered?.terms, wantedPeriod)
  return statementOf({
    agreement,
    units: unitsOf(metered),
    deployment: context.deployment,
    head,
    wantedPeriod,
    nowMs: context.clock.nowMs(),
  })
}

/** All settlements, newest first, read as they are written. */
async function* settlementPages(
  context: ApiContext,
  id: string,
  period: number | undefined,
): AsyncGenerator<SettlementLine[]> {
  const place = { deployment: context.deployment, finalBlock: context.block().final }
  let before: LedgerPlace | undefined
  do {
    const page = await readSettlements(context.database.pool, idOf(id), SETTLEMENTS_A_PAGE, {
      before,
      period,
    })
    yield page.map((one) => settlementLine(one, place))
    before = page.length < SETTLEMENTS_A_PAGE ? undefined : page.at(-1)
  } while (before)
}

/** No more settlements than are drawn, and how many are left out. */
async function newestSettlements(
  context: ApiContext,
  id: string,
  period: number | undefined,
): Promise<NewestSettlements> {
  const { pool } = context.database
  const agreementId = idOf(id)
  const place = { deployment: context.deployment, finalBlock: context.block().final }
  const newest = await readSettlements(pool, agreementId, MOST_ROWS, { period })
  const before = newest.at(-1)
  return {
    shown: newest.toReversed().map((one) => settlementLine(one, place)),
    earlier: before ? await countSettlements(pool, agreementId, { before, period }) : 0,
  }
}

async function periodInvoice(
  context: ApiContext,
  request: FastifyRequest<{ Params: Params; Querystring: { period: number } }>,
): Promise<Pick<Invoice, 'number'> & { xml: string }> {
  const { database, clock } = context
  const agreementId = idOf(request.params.id)
  const { period } = request.query
  const { address } = await sessionOf(context, request)
  await requireParty(context, agreementId, address)
  const terms = requirePeriod(context.agreements.get(agreementId)?.terms, period)
  const nowMs = clock.nowMs()
  if (nowMs < finalFromMs(terms, period)) {
    const proforma = proformaOf(
      await invoiceInput(context, { agreementId, wanted: period, terms, isIssued: false }),
      nowMs,
    )
    return { number: proforma.number, xml: invoiceXml(proforma) }
  }
  return issueInvoice(database.pool, { agreementId, period }, nowMs, (standing) =>
    invoiceInput(context, { agreementId, wanted: period, terms, isIssued: standing !== undefined }),
  )
}

/** What the invoice of a period says, as it is now. */
async function invoiceInput(
  context: ApiContext,
  {
    agreementId,
    wanted,
    terms,
    isIssued,
  }: { agreementId: Hex; wanted: number; terms: Terms; isIssued: boolean },
): Promise<InvoiceInput> {
  const { deployment } = context
  const agreement = await wholeAgreementView(context, agreementId)
  const metered = context.agreements.get(agreementId)
  const currency = currencyOf(deployment)
  if (currency === undefined) {
    throw new ProblemError(
      409,
      'CURRENCY_UNKNOWN',
      `It is not known which currency ${deployment.asset.symbol} is a claim to, so that no invoice can be in it: use the statement.`,
    )
  }
  const period = requireBilled(context, agreement, { wanted, isIssued })
  // In this order, so that whoever lacks both details is always told of the seller first.
  const seller = await detailsOf(context, agreement.payee, 'seller')
  const buyer = await detailsOf(context, agreement.payer, 'buyer')
  const lacking = buyerProblem(seller, buyer)
  if (lacking) {
    throw new ProblemError(
      409,
      'DETAILS_MISSING',
      `${lacking} of the buyer, ${personName(context, agreement.payer)}: he fills it in under "My details".`,
    )
  }
  return {
    agreement,
    terms,
    tariff: metered?.tariff,
    units: unitsOf(metered),
    deployment,
    period,
    seller,
    buyer,
    currency,
  }
}

function unitsOf(metered: MeteredAgreement | undefined): TariffUnit[] {
  return metered?.terms ? tariffUnits(metered.terms, metered.rules) : []
}

/** INV-24: an invoice has private details of two people, and is for them alone. Whose machine's account is a party is one too. */
async function requireParty(context: ApiContext, agreementId: Hex, address: Hex): Promise<void> {
  const { payer, payee } = knownAgreement(context, agreementId)
  const machines = await readPartyMachines(context.database.pool, [payer, payee])
  const parties = [payer, payee, ...[...machines.values()].map(({ owner }) => owner)]
  if (parties.some((party) => party.toLowerCase() === address)) return
  throw new ProblemError(
    403,
    'NOT_PARTY',
    'The invoice names its buyer and seller, and is for them alone. Its statement is for everybody.',
  )
}

function requirePeriod(terms: Terms | undefined, period: number): Terms {
  if (terms && period < terms.periods) return terms
  throw new ProblemError(
    404,
    'PERIOD_UNKNOWN',
    terms
      ? `There is no period ${period}: the agreement has ${terms.periods}, counted from 0.`
      : 'The terms of this agreement are beyond what this node can read.',
  )
}

function requireBilled(
  { deployment }: ApiContext,
  agreement: Agreement,
  { wanted, isIssued }: { wanted: number; isIssued: boolean },
): PeriodView {
  const period = agreement.periods.find((one) => one.period === wanted)
  // What was invoiced and then given back whole is corrected to nothing.
  if (period && isIssued) return period
  if (period && wholeCents(billOf(period).costMinor, deployment.asset.decimals) > 0n) return period
  throw new ProblemError(
    409,
    'NOTHING_TO_INVOICE',
    `Less than a cent is owed for period ${wanted}: there is nothing to invoice.`,
  )
}

async function detailsOf(
  context: ApiContext,
  address: Hex,
  role: 'seller' | 'buyer',
): Promise<PartyDetails> {
  const details = await readParty(context.database.pool, address)
  if (details) return details
  throw new ProblemError(
    409,
    'DETAILS_MISSING',
    `An invoice needs name, address and VAT of its ${role}, ${personName(context, address)}: whoever that is signs in and fills in "My details".`,
  )
}

function personName({ deployment }: ApiContext, address: Hex): string {
  const known = deployment.people.find(
    (person) => person.address.toLowerCase() === address.toLowerCase(),
  )
  return known ? `${known.name} (${address})` : address
}
