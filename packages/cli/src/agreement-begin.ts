/** A chain whose blocks come faster than one a second runs ahead of the clock by no more than this. */
const LEAD_SECONDS = 600

/** When an agreement begins that does not say: now by the clock, which readings bear; by the chain where that one lives in another time. */
export function beginOf(chainSeconds: number, clockSeconds: number): number {
  return chainSeconds - clockSeconds > LEAD_SECONDS ? chainSeconds : clockSeconds
}
