/** The reader's last midnight, ms since 1970: what "today" counts from. */
export const todayMs = (): number => new Date().setHours(0, 0, 0, 0)
