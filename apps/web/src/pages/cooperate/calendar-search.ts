/** What the address says of a calendar: which week, the present one if it says nothing. */
export interface CalendarSearch {
  week?: number
}

const mostWeek = 100_000

export const calendarSearchOf = ({ week }: Record<string, unknown>): CalendarSearch =>
  typeof week === 'number' && Number.isInteger(week) && week >= 0 && week <= mostWeek
    ? { week }
    : {}
