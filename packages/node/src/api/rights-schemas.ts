/** JSON Schemas of what the API takes and answers about hours of machines. */

import {
  address,
  digits,
  hex,
  integer,
  list,
  machineId,
  machineState,
  object,
  objectOrNull,
  orNull,
  text,
} from './schemas.ts'

const hourBits = { type: 'string', pattern: '^0x[0-9a-f]{42}$' } as const
const usageRightFields = {
  rightId: digits,
  machineId: digits,
  firstWeek: integer,
  weeksCount: integer,
  bits: hourBits,
  hoursPerWeek: integer,
  changes: list(object({ week: integer, bits: hourBits })),
  owner: hex,
  user: orNull(hex),
  userUntilMs: orNull(integer),
  words: text,
  issuedMs: integer,
  txHash: hex,
  sale: objectOrNull({ asset: hex, amountMinor: digits }),
}
export const usageRight = object(usageRightFields)
export const usageRights = list(usageRight)
export const machineRights = object({
  machineId: digits,
  zone: orNull(text),
  state: machineState,
  rights: usageRights,
})
export const machineCalendar = object({
  machineId: digits,
  zone: orNull(text),
  owner: hex,
  offer: objectOrNull({
    asset: hex,
    pricePerHourMinor: digits,
    openBits: hourBits,
    untilWeek: integer,
  }),
  thisWeek: orNull(integer),
  weeks: list(
    object({
      week: integer,
      monday: text,
      startsMs: integer,
      endsMs: integer,
      seconds: integer,
      occupied: hourBits,
      promisedHours: integer,
      oddHours: list(object({ hour: integer, seconds: integer })),
      holders: list(
        object({
          rightId: digits,
          holder: hex,
          bits: hourBits,
          spans: list(object({ fromMs: integer, toMs: integer })),
        }),
      ),
    }),
  ),
})
export const calendarQuery = object(
  {
    fromWeek: { type: 'integer', minimum: 0, maximum: 100_000 },
    weeks: { type: 'integer', minimum: 1, maximum: 8, default: 1 },
  },
  ['fromWeek', 'weeks'],
)
export const rightsQuery = object({ owner: address })
export const rightParams = object({ rightId: machineId })
