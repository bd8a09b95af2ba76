import {
  acceptOffer,
  buy,
  cancelAllOrders,
  cancelOrders,
  type Deployment,
  type GoodFigures,
  listForSale,
  type MarketAction,
  type MarketOrder,
  type MarketQuery,
  makeOffer,
  marketOf,
  type OrderSide,
  replacedOrders,
  seenGood,
} from '@liquefy/client'
import { formatDecimal, type Good, type Hex } from '@liquefy/protocol'
import { Command, Option } from 'commander'
import { isAddress } from 'viem'
import { type Acting, acting, senderOn } from '../acting.ts'
import { agreementIdOf } from '../agreement-id.ts'
import { type Context, contextOf } from '../context.ts'
import { CliError } from '../failure.ts'
import { machineIdOf } from '../machine-id.ts'
import { moneyText } from '../money.ts'
import { table } from '../output.ts'
import { namesOf } from '../wallet.ts'
import { wholeNumber } from '../whole-number.ts'

const DAY_SECONDS = 86_400n
const MOST_DAYS = 366n
const SHORTEST_PREFIX = 6
const SHOWN = 50

/** `liquefy market`: list, offer and buy machines, receivables, usage rights and shares. */
export function marketCommand(): Command {
  const command = new Command('market').description(
    'buy and sell machines, what agreements will pay, usage rights and shares',
  )
  command.addCommand(listCommand())
  command.addCommand(showCommand())
  command.addCommand(orderCommand('sale'))
  command.addCommand(orderCommand('offer'))
  command.addCommand(buyCommand())
  command.addCommand(acceptCommand())
  command.addCommand(cancelCommand())
  return command
}

type ListOptions = {
  side?: OrderSide
  kind?: NonNullable<MarketQuery['kind']>
  machine?: string
  maker?: Hex
  text?: string
  maxPrice?: string
  minYield?: string
  near?: string
  within?: string
  sort?: NonNullable<MarketQuery['sort']>
  offset?: string
}

function listCommand(): Command {
  return new Command('list')
    .description('what can be had now, newest first')
    .addOption(new Option('--side <side>', 'sale or offer').choices(['sale', 'offer']))
    .addOption(
      new Option('--kind <kind>', 'of good').choices(['machine', 'receivable', 'right', 'share']),
    )
    .option('--machine <id>', 'with this machine behind it')
    .option('--maker <address>', 'of one maker, with what cannot be had any more')
    .option('--text <words>', 'part of a name or id')
    .option('--max-price <minor>', 'smallest units of the asset')
    .option('--min-yield <percent>', 'income a year to price')
    .option('--near <place>', 'latitude,longitude in degrees; with --within')
    .option('--within <km>', 'kilometres around --near')
    .addOption(new Option('--sort <by>', 'order').choices(['newest', 'price', 'yield']))
    .option('--offset <n>', 'where a list goes on')
    .action(async (options: ListOptions, command: Command) => {
      const context = contextOf(command)
      const client = context.node()
      const [page, { asset }] = await Promise.all([
        client.marketOrders(queryOf(options)),
        client.deployment(),
      ])
      const money = moneyText(asset)
      context.out.result(page, () =>
        page.orders.length === 0
          ? 'Nothing of this kind can be had now. Offer what you want: liquefy market offer'
          : [
              table([
                ['order', 'what', '', 'price', 'a year', 'yield', 'until'],
                ...page.orders.map((one) => [
                  one.orderId.slice(0, 10),
                  one.title,
                  one.state === 'open' ? (one.side === 'sale' ? 'for sale' : 'wanted') : one.state,
                  money(one.remainingMinor),
                  money(one.figures.yearMinor),
                  yieldText(one.figures),
                  dayOf(one.endMs),
                ]),
              ]),
              ...(page.nextOffset === null
                ? []
                : [`More: liquefy market list --offset ${page.nextOffset}`]),
            ].join('\n'),
      )
    })
}

function queryOf(options: ListOptions): MarketQuery {
  const { side, kind, machine, maker, text, maxPrice, minYield, sort, offset } = options
  return {
    ...(side ? { side } : {}),
    ...(kind ? { kind } : {}),
    ...(machine ? { machineId: machineIdOf(machine) } : {}),
    ...(maker ? { maker, all: true } : {}),
    ...(text ? { text } : {}),
    ...(maxPrice ? { maxPriceMinor: String(wholeNumber('--max-price', maxPrice)) } : {}),
    ...(minYield ? { minYieldPpm: Math.round(numberOf('--min-yield', minYield) * 10_000) } : {}),
    ...placeOf(options),
    ...(sort ? { sort } : {}),
    ...(offset ? { offset: Number(wholeNumber('--offset', offset)) } : {}),
    limit: SHOWN,
  }
}

function placeOf({ near, within }: ListOptions): MarketQuery {
  if (near === undefined) return {}
  const [latitude, longitude] = near.split(',').map((one) => numberOf('--near', one))
  if (latitude === undefined || longitude === undefined) {
    throw new CliError('PLACE_INVALID', '--near takes two numbers, such as 53.55,9.99.')
  }
  return {
    latitudeE7: Math.round(latitude * 1e7),
    longitudeE7: Math.round(longitude * 1e7),
    withinKm: Math.ceil(numberOf('--within', within ?? '50')),
  }
}

function showCommand(): Command {
  return new Command('show')
    .description('one order, and what a buyer needs to know of its good')
    .argument('<order>', 'order id, or its beginning')
    .action(async (given: string, _options: object, command: Command) => {
      const context = contextOf(command)
      const client = context.node()
      const [order, { asset }] = await Promise.all([orderOf(context, given), client.deployment()])
      context.out.result(order, () => table(rowsOf(order, asset, namesOf(context.folder))))
    })
}

function rowsOf(
  order: MarketOrder,
  asset: Deployment['asset'],
  names: ReadonlyMap<string, string>,
): string[][] {
  const money = moneyText(asset)
  const { figures, maker } = order
  const { receivable, account, hours } = figures
  return [
    ['order', order.orderId],
    [order.side === 'sale' ? 'for sale' : 'wanted', order.title],
    ['by', names.get(maker) ?? maker],
    ['price', money(order.remainingMinor)],
    ...(order.kind === 'share'
      ? [
          [
            'left',
            `${formatDecimal(BigInt(order.remaining), order.decimals)} of ${formatDecimal(BigInt(order.amount), order.decimals)}; parts of ${order.partSize} smallest units`,
          ],
        ]
      : []),
    ['until', new Date(order.endMs).toISOString()],
    ['state', order.problem ?? order.state],
    ['a year', `${money(figures.yearMinor)} in ${figures.lookBackDays} days, costs not taken off`],
    ['yield', yieldText(figures)],
    ['payers', String(figures.payers)],
    ...figures.machines.map(({ name, machineId, state, uptimePpm, registeredMs }) => [
      `machine ${machineId}`,
      `${name}, ${state}, since ${dayOf(registeredMs)}; measured in ${percent(uptimePpm)} of the last 30 days`,
    ]),
    ...(account
      ? [
          [
            'its account',
            `${money(account.balanceMinor)}: its owner can take it out until it is sold`,
          ],
        ]
      : []),
    ...(figures.rightInWords ? [['hours', figures.rightInWords]] : []),
    ...(hours?.words ?? []).map((words) => ['usage rights', words]),
    ...(receivable
      ? [
          ['agreement', receivable.agreementId],
          ['payer', names.get(receivable.payer) ?? receivable.payer],
          ['tariff', receivable.tariffInWords],
          ['in escrow', money(receivable.escrowMinor)],
          ['measured, unpaid', money(receivable.unpaidMinor)],
          ['paid, uncredited', `${money(receivable.accruedMinor)}: goes to the seller`],
          [
            'ends',
            receivable.endsMs === null ? 'not known' : new Date(receivable.endsMs).toISOString(),
          ],
        ]
      : []),
  ]
}

type GoodOptions = Acting & {
  machine?: string
  receivable?: string
  right?: string
  share?: string
  amount?: string
  price: string
  days: string
}

function orderCommand(side: OrderSide): Command {
  return acting(new Command(side === 'sale' ? 'sell' : 'offer'))
    .description(side === 'sale' ? 'put something up for sale' : 'offer a price for something')
    .option('--machine <id>', 'a whole machine')
    .option('--receivable <agreement>', 'what an agreement will pay from now on')
    .option('--right <id>', 'a usage right')
    .option('--share <vault>', 'shares of a vault; with --amount')
    .option('--amount <units>', 'smallest units of the share')
    .requiredOption('--price <minor>', 'for all of it, smallest units of the asset')
    .option('--days <n>', 'how long it stands', '30')
    .action(async (options: GoodOptions, command: Command) => {
      const context = contextOf(command)
      const good = await goodOf(context, options)
      const { action, money } = await actionOf(context, options)
      const draft = {
        good,
        priceMinor: wholeNumber('--price', options.price),
        lastsSeconds: daysOf(options.days) * DAY_SECONDS,
      }
      const client = context.node()
      const signed =
        side === 'offer'
          ? await makeOffer({ ...action, ...draft })
          : await listForSale({
              ...action,
              ...draft,
              replaced: await standing(context, action, good),
            })
      const posted = await client.postOrder(signed)
      context.out.result(
        posted,
        `${posted.title}: ${side === 'sale' ? 'for sale at' : 'wanted for'} ${money(posted.priceMinor)}. Order ${posted.orderId}`,
      )
    })
}

/** Earlier sales of the same good, which an approval would bring back to life. */
async function standing(context: Context, action: MarketAction, good: Good) {
  const maker = action.wallet.account.address
  const mine = await context
    .node()
    .marketOrders({ maker, kind: good.kind, all: true, limit: SHOWN })
  return replacedOrders(mine.orders, marketOf(action.deployment), good)
}

function buyCommand(): Command {
  return acting(new Command('buy'))
    .description('buy what is for sale, all of it or a part of shares')
    .argument('<order>', 'order id, or its beginning')
    .option('--amount <units>', 'of shares, smallest units; all that are left unless told')
    .action(async (given: string, options: Acting & { amount?: string }, command: Command) => {
      const context = contextOf(command)
      const order = await orderOf(context, given)
      const { action, money } = await actionOf(context, options)
      const { receipt, part } = await filled(order, options.amount, (one) =>
        buy({ ...action, ...order, part: one, seen: seenGood(order) }),
      )
      context.out.result(
        { orderId: order.orderId, txHash: receipt.transactionHash, part: part?.toString() ?? null },
        `Bought: ${order.title}, ${money(String(priceOf(order, part)))}.`,
      )
    })
}

function acceptCommand(): Command {
  return acting(new Command('accept'))
    .description('give what somebody offers a price for')
    .argument('<order>', 'order id, or its beginning')
    .option('--amount <units>', 'of shares, smallest units; all that are wanted unless told')
    .action(async (given: string, options: Acting & { amount?: string }, command: Command) => {
      const context = contextOf(command)
      const order = await orderOf(context, given)
      const { action, money } = await actionOf(context, options)
      const { receipt, part } = await filled(order, options.amount, (one) =>
        acceptOffer({ ...action, ...order, part: one }),
      )
      context.out.result(
        { orderId: order.orderId, txHash: receipt.transactionHash, part: part?.toString() ?? null },
        `Sold: ${order.title}, ${money(String(priceOf(order, part)))}.`,
      )
    })
}

async function filled<Receipt>(
  order: MarketOrder,
  amount: string | undefined,
  fill: (part: bigint | undefined) => Promise<Receipt>,
): Promise<{ receipt: Receipt; part: bigint | undefined }> {
  const part = partOf(order, amount)
  return { receipt: await fill(part), part }
}

function partOf(order: MarketOrder, amount: string | undefined): bigint | undefined {
  if (order.kind !== 'share') return undefined
  return amount === undefined ? BigInt(order.remaining) : wholeNumber('--amount', amount)
}

const priceOf = ({ priceMinor, amount }: MarketOrder, part: bigint | undefined): bigint =>
  part === undefined ? BigInt(priceMinor) : (BigInt(priceMinor) * part) / BigInt(amount)

function cancelCommand(): Command {
  return acting(new Command('cancel'))
    .description('take an order of yours back, on the ledger and for ever')
    .argument('[order]', 'order id, or its beginning')
    .option('--all', 'all that you ever signed for this market, posted or not')
    .action(
      async (given: string | undefined, options: Acting & { all?: true }, command: Command) => {
        const context = contextOf(command)
        const { action } = await actionOf(context, options)
        if (options.all) {
          await cancelAllOrders(action)
          context.out.result(
            { cancelled: 'all' },
            'All orders that you signed until now are cancelled.',
          )
          return
        }
        if (given === undefined) {
          throw new CliError('ORDER_INVALID', 'Say which order, or --all.')
        }
        const { order, orderId } = await orderOf(context, given)
        await cancelOrders({ ...action, orders: [order] })
        context.out.result({ cancelled: orderId }, `Order ${orderId} is cancelled.`)
      },
    )
}

async function actionOf(context: Context, who: Acting) {
  const action = await senderOn(context, who)
  return { action, money: moneyText(action.deployment.asset) }
}

async function goodOf(context: Context, options: GoodOptions): Promise<Good> {
  const { machine, receivable, right, share, amount } = options
  const named = [machine, receivable, right, share].filter((one) => one !== undefined)
  if (named.length !== 1) {
    throw new CliError(
      'GOOD_MISSING',
      'Say what: one of --machine, --receivable, --right and --share.',
    )
  }
  if (machine !== undefined) return { kind: 'machine', machineId: BigInt(machineIdOf(machine)) }
  if (receivable !== undefined) {
    return { kind: 'receivable', agreementId: await agreementIdOf(context, receivable) }
  }
  if (right !== undefined) return { kind: 'right', rightId: wholeNumber('--right', right) }
  if (share === undefined || !isAddress(share, { strict: false })) {
    throw new CliError('GOOD_MISSING', `${share} is no address of a vault.`)
  }
  if (amount === undefined) {
    throw new CliError('AMOUNT_INVALID', 'Say how many shares: --amount, in smallest units.')
  }
  const token = share.toLowerCase() as Hex
  return { kind: 'share', token, amount: wholeNumber('--amount', amount) }
}

/** The order that somebody means: its whole id, or a beginning that only one has that can be had. */
async function orderOf(context: Context, given: string): Promise<MarketOrder> {
  const text = given.toLowerCase()
  const client = context.node()
  if (/^0x[0-9a-f]{64}$/.test(text)) return client.marketOrder(text as Hex)
  if (!/^0x[0-9a-f]{0,63}$/.test(text) || text.length < SHORTEST_PREFIX) {
    throw new CliError(
      'ORDER_INVALID',
      `${given} is no order id: give 0x and 64 hex digits, or their beginning. See \`liquefy market list\`.`,
    )
  }
  const { orders } = await client.marketOrders({ text })
  const [first, second] = orders.filter(({ orderId }) => orderId.startsWith(text))
  if (first && !second) return first
  throw new CliError(
    'ORDER_UNKNOWN',
    first
      ? `More than one order begins with ${given}: give more digits.`
      : `No order that can be had begins with ${given}. See \`liquefy market list\`.`,
  )
}

function numberOf(option: string, text: string): number {
  if (/^-?\d{1,9}(\.\d{1,9})?$/.test(text.trim())) return Number(text)
  throw new CliError('AMOUNT_INVALID', `${option} takes a number, not ${text}.`)
}

function daysOf(text: string): bigint {
  const days = wholeNumber('--days', text)
  if (days > 0n && days <= MOST_DAYS) return days
  throw new CliError('AMOUNT_INVALID', `--days takes 1 to ${MOST_DAYS}.`)
}

const dayOf = (timeMs: number) => new Date(timeMs).toISOString().slice(0, 10)
const percent = (ppm: number) => `${(ppm / 10_000).toFixed(1)}%`

function yieldText({ yieldPpm, lookBackDays }: GoodFigures): string {
  if (yieldPpm === null) return '–'
  return `${percent(yieldPpm)}${lookBackDays < 365 ? ` (from ${lookBackDays} d)` : ''}`
}
