import {
  bookHours,
  buyRight,
  cancelHours,
  type Hex,
  type HoursWanted,
  issueRight,
  lendRight,
  offerHours,
  setCalendarZone,
  transferRight,
  type UsageRightView,
} from '@liquefy/client'
import {
  ALL_HOURS,
  countHours,
  type HourBits,
  hoursText,
  mondayOf,
  parseHours,
  weekOfDay,
} from '@liquefy/protocol'
import { Command } from 'commander'
import { zeroAddress } from 'viem'
import { type Acting, accountNamed, acting, senderOn } from '../acting.ts'
import { type Context, contextOf } from '../context.ts'
import { CliError } from '../failure.ts'
import { machineIdOf } from '../machine-id.ts'
import { moneyText } from '../money.ts'
import { table } from '../output.ts'
import { namesOf } from '../wallet.ts'
import { wholeNumber } from '../whole-number.ts'

/** Of an hour: uint96. */
const MOST_PRICE = 2n ** 96n - 1n

interface HoursOptions extends Acting {
  hours?: string
  perWeek?: string
  from: string
  weeks: string
  to?: string
}

const wanting = (command: Command, who: string) =>
  acting(command, who)
    .option('--hours <hours>', 'the same hours every week: "Sat 8-12", "Mon-Fri 9-17; Sun 10-11"')
    .option('--per-week <number>', 'instead: so many hours a week, booked later')
    .requiredOption('--from <day>', 'in its first week, such as 2026-01-05')
    .option('--weeks <number>', 'for so many weeks, at most 53', '1')

/** `liquefy right`: hours of machines. */
export function rightCommand(): Command {
  const command = new Command('right').description(
    'hours of machines: who holds which, and buying them',
  )
  for (const part of [
    zoneCommand(),
    calendarCommand(),
    offerCommand(),
    issueCommand(),
    buyCommand(),
    hoursCommand('book', 'hours of a week by a right that has so many a week', bookHours),
    hoursCommand('cancel', 'hours of a week, given back a day before they begin', cancelHours),
    lendCommand(),
    transferCommand(),
    listCommand(),
    showCommand(),
  ]) {
    command.addCommand(part)
  }
  return command
}

function zoneCommand(): Command {
  return acting(new Command('zone'), 'issuer')
    .description('begin a machine’s calendar: the time zone of its weeks')
    .argument('<machineId>')
    .argument('<zone>', 'such as Europe/Berlin')
    .action(async (given: string, zone: string, who: Acting, command: Command) => {
      const machineId = BigInt(machineIdOf(given))
      const { context, action } = await actionOf(command, who)
      await setCalendarZone({ ...action, machineId, zone })
      context.out.result(
        { machineId: given, zone },
        `The weeks of machine ${given} are those of ${zone}.`,
      )
    })
}

function calendarCommand(): Command {
  return new Command('calendar')
    .description('a week of a machine: who holds which hours, and what is on sale')
    .argument('<machineId>')
    .option('--week <day>', 'a day of it; the present week unless told')
    .action(async (given: string, options: { week?: string }, command: Command) => {
      const { node, out, folder } = contextOf(command)
      const client = node()
      const fromWeek = options.week === undefined ? undefined : weekOf(options.week)
      const [calendar, { asset }] = await Promise.all([
        client.machineCalendar(machineIdOf(given), fromWeek === undefined ? {} : { fromWeek }),
        client.deployment(),
      ])
      const names = namesOf(folder)
      out.result(calendar, () => {
        const [week] = calendar.weeks
        if (!week)
          return `Machine ${given} has no calendar yet: liquefy right zone ${given} Europe/Berlin`
        const { offer } = calendar
        return table([
          ['week of', `${week.monday}, ${calendar.zone}`],
          [
            'length',
            `${week.seconds / 3_600} hours${week.oddHours.length > 0 ? ': the clock changes' : ''}`,
          ],
          ...week.holders.map(({ rightId, holder, bits }) => [
            `right ${rightId}`,
            `${hoursText(BigInt(bits))}: ${names.get(holder) ?? holder}`,
          ]),
          ['promised', `${week.promisedHours} hours that may still be booked`],
          [
            'on sale',
            offer
              ? `${hoursText(BigInt(offer.openBits) & ~BigInt(week.occupied))}, ${moneyText(asset)(offer.pricePerHourMinor)} an hour, until ${mondayOf(offer.untilWeek)}`
              : 'nothing',
          ],
        ])
      })
    })
}

function offerCommand(): Command {
  return acting(new Command('offer'), 'issuer')
    .description('put hours of a machine on sale, to anybody; replaces what was on sale')
    .argument('<machineId>')
    .requiredOption(
      '--price <amount>',
      'an hour, in smallest units of the asset; 0 takes everything off sale',
    )
    .option('--hours <hours>', 'which can be bought week by week; all unless told')
    .option('--until <day>', 'first week that is not on sale; a year from now unless told')
    .action(
      async (
        given: string,
        options: Acting & { price: string; hours?: string; until?: string },
        command: Command,
      ) => {
        const machineId = BigInt(machineIdOf(given))
        const { context, action, asset } = await actionOf(command, options)
        const pricePerHourMinor = wholeNumber('--price', options.price, MOST_PRICE)
        const openBits = options.hours === undefined ? ALL_HOURS : bitsOf(options.hours)
        const untilWeek = weekOf(options.until ?? inAYear())
        await offerHours({
          ...action,
          machineId,
          asset: asset.address,
          pricePerHourMinor,
          openBits,
          untilWeek,
        })
        const words =
          pricePerHourMinor === 0n
            ? `No hours of machine ${given} are on sale any more.`
            : `On sale: machine ${given}, ${hoursText(openBits)}, ${moneyText(asset)(String(pricePerHourMinor))} an hour, until ${mondayOf(untilWeek)}.`
        context.out.result(
          { machineId: given, pricePerHourMinor: String(pricePerHourMinor), untilWeek },
          words,
        )
      },
    )
}

function issueCommand(): Command {
  return wanting(new Command('issue'), 'issuer')
    .description('give hours of a machine away')
    .argument('<machineId>')
    .requiredOption('--to <who>', 'address, or one of the embedded chain’s people')
    .action(async (given: string, options: HoursOptions, command: Command) => {
      const machineId = BigInt(machineIdOf(given))
      const { context, action } = await actionOf(command, options)
      const to = accountNamed(context, options.to ?? '')
      const rightId = await issueRight({ ...action, machineId, hours: hoursOf(options), to })
      await tell(context, rightId, `belongs to ${options.to}`)
    })
}

function buyCommand(): Command {
  return wanting(new Command('buy'), 'buyer')
    .description('buy hours of a machine that are on sale')
    .argument('<machineId>')
    .option('--to <who>', 'for somebody else: address, or one of the embedded chain’s people')
    .action(async (given: string, options: HoursOptions, command: Command) => {
      const machineId = BigInt(machineIdOf(given))
      const { context, action, asset } = await actionOf(command, options)
      const hours = hoursOf(options)
      const { offer } = await context.node().machineCalendar(given)
      if (!offer)
        throw new CliError('HOURS_NOT_ON_SALE', `No hours of machine ${given} are on sale.`)
      const totalMinor = BigInt(offer.pricePerHourMinor) * BigInt(totalHours(hours))
      const rightId = await buyRight({
        ...action,
        machineId,
        hours,
        price: { asset: offer.asset, totalMinor },
        ...(options.to === undefined ? {} : { to: accountNamed(context, options.to) }),
      })
      await tell(context, rightId, `was bought for ${moneyText(asset)(String(totalMinor))}`)
    })
}

function hoursCommand(
  name: 'book' | 'cancel',
  description: string,
  act: typeof bookHours,
): Command {
  return acting(new Command(name), 'who uses it')
    .description(`${name} ${description}`)
    .argument('<rightId>')
    .requiredOption('--week <day>', 'a day of the week')
    .requiredOption('--hours <hours>', '"Sat 8-12"')
    .action(
      async (
        given: string,
        options: Acting & { week: string; hours: string },
        command: Command,
      ) => {
        const [week, bits] = [weekOf(options.week), bitsOf(options.hours)]
        const { context, action } = await actionOf(command, options)
        await act({ ...action, rightId: rightIdOf(given), week, bits })
        context.out.result(
          { rightId: given, week, hours: countHours(bits) },
          `Week of ${mondayOf(week)}: ${hoursText(bits)} ${name === 'book' ? 'booked' : 'given back'}.`,
        )
      },
    )
}

function lendCommand(): Command {
  return acting(new Command('lend'), 'owner')
    .description('lend a right for a while; it can be taken back, and selling it ends it')
    .argument('<rightId>')
    .option(
      '--to <who>',
      'address, or one of the embedded chain’s people; left out, it is taken back',
    )
    .option('--until <time>', 'such as 2027-01-01 or 2027-01-01T12:00Z')
    .action(
      async (
        given: string,
        options: Acting & { to?: string; until?: string },
        command: Command,
      ) => {
        const rightId = rightIdOf(given)
        const { context, action } = await actionOf(command, options)
        const { to, until } = options
        const user = to === undefined ? zeroAddress : accountNamed(context, to)
        const untilSeconds = to === undefined ? 0n : secondsOf(until)
        await lendRight({ ...action, rightId, user, untilSeconds })
        context.out.result(
          { rightId: given, user: to === undefined ? null : user },
          to === undefined
            ? `Right ${given} is lent to nobody.`
            : `Right ${given} is lent to ${to} until ${until}.`,
        )
      },
    )
}

function transferCommand(): Command {
  return acting(new Command('transfer'), 'owner')
    .description('give a right to another owner')
    .argument('<rightId>')
    .requiredOption('--to <who>', 'address, or one of the embedded chain’s people')
    .action(async (given: string, options: Acting & { to: string }, command: Command) => {
      const { context, action } = await actionOf(command, options)
      const to = accountNamed(context, options.to)
      await transferRight({ ...action, rightId: rightIdOf(given), to })
      context.out.result(
        { rightId: given, owner: to },
        `Right ${given} belongs to ${options.to} now.`,
      )
    })
}

function listCommand(): Command {
  return new Command('list')
    .description('rights that somebody owns or has borrowed')
    .requiredOption('--of <who>', 'address, or one of the embedded chain’s people')
    .action(async (options: { of: string }, command: Command) => {
      const context = contextOf(command)
      const rights = await context.node().rights(accountNamed(context, options.of))
      context.out.result({ rights }, () =>
        rights.length === 0
          ? `${options.of} holds no hours of any machine.`
          : table([
              ['right', 'machine', 'hours'],
              ...rights.map(({ rightId, machineId, words }) => [rightId, machineId, words]),
            ]),
      )
    })
}

function showCommand(): Command {
  return new Command('show')
    .description('one right: whose it is, its hours, what is booked or given up')
    .argument('<rightId>')
    .action(async (given: string, _options: object, command: Command) => {
      const { node, out, folder } = contextOf(command)
      const client = node()
      const [right, { asset }] = await Promise.all([
        client.right(String(rightIdOf(given))),
        client.deployment(),
      ])
      const names = namesOf(folder)
      const name = (address: Hex) => names.get(address) ?? address
      out.result(right, () =>
        table([
          ['machine', right.machineId],
          ['hours', right.words],
          ['owner', name(right.owner)],
          ...lentTo(right, name),
          ['paid', right.sale ? moneyText(asset)(right.sale.amountMinor) : 'nothing: it was given'],
          ...right.changes.map(({ week, bits }) => [
            right.hoursPerWeek === 0 ? 'given up' : 'booked',
            `week of ${mondayOf(week)}: ${hoursText(BigInt(bits))}`,
          ]),
        ]),
      )
    })
}

function lentTo({ user, userUntilMs }: UsageRightView, name: (address: Hex) => string): string[][] {
  if (user === null || userUntilMs === null) return []
  // Beyond what a date can say, it is for good.
  const until = userUntilMs > 8.64e15 ? 'for good' : `until ${new Date(userUntilMs).toISOString()}`
  return [['lent to', `${name(user)}, ${until}`]]
}

async function tell(context: Context, rightId: bigint, words: string): Promise<void> {
  context.out.result(
    { rightId: String(rightId) },
    `Right ${rightId} ${words}. See it: liquefy right show ${rightId}`,
  )
}

async function actionOf(command: Command, who: Acting) {
  const context = contextOf(command)
  const action = await senderOn(context, who)
  return { context, action, asset: action.deployment.asset }
}

function hoursOf({ hours, perWeek, from, weeks }: HoursOptions): HoursWanted {
  const when = { firstWeek: weekOf(from), weeksCount: countOf(weeks) }
  if ((hours === undefined) === (perWeek === undefined)) {
    throw new CliError('HOURS_INVALID', 'Say either --hours "Sat 8-12" or --per-week 10.')
  }
  if (hours !== undefined) return { ...when, bits: bitsOf(hours) }
  return { ...when, hoursPerWeek: countOf(perWeek ?? '') }
}

function totalHours(hours: HoursWanted): number {
  const aWeek = 'bits' in hours ? countHours(hours.bits) : hours.hoursPerWeek
  return aWeek * hours.weeksCount
}

function bitsOf(text: string): HourBits {
  const bits = parseHours(text)
  if (bits !== undefined) return bits
  throw new CliError(
    'HOURS_INVALID',
    `"${text}" names no hours of a week. Write "Sat 8-12" or "Mon-Fri 9-17; Sun 10-11"; past midnight is two parts.`,
  )
}

function weekOf(day: string): number {
  const week = weekOfDay(day)
  if (week !== undefined) return week
  throw new CliError('DAY_INVALID', `"${day}" is no day: write it as 2026-01-05.`)
}

function rightIdOf(text: string): bigint {
  if (/^[1-9]\d{0,76}$/.test(text)) return BigInt(text)
  throw new CliError(
    'RIGHT_INVALID',
    `${text} is no id of a right: a number from 1. See \`liquefy right list\`.`,
  )
}

function countOf(text: string): number {
  if (/^[1-9]\d{0,2}$/.test(text)) return Number(text)
  throw new CliError('NUMBER_INVALID', `"${text}" is no number from 1.`)
}

function secondsOf(text: string | undefined): bigint {
  const ms = Date.parse(text ?? '')
  if (Number.isNaN(ms)) {
    throw new CliError(
      'TIME_INVALID',
      `Say --until with a time such as 2027-01-01 or 2027-01-01T12:00Z.`,
    )
  }
  return BigInt(Math.floor(ms / 1_000))
}

function inAYear(): string {
  return new Date(Date.now() + 365 * 86_400_000).toISOString().slice(0, 10)
}
