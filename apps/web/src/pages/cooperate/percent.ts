const format = new Intl.NumberFormat(undefined, { maximumFractionDigits: 2 })

/** Parts per million as a percentage, "12.5%". */
export const ppmPercent = (ppm: number): string => `${format.format(ppm / 10_000)}%`

/** 10,000 parts as a percentage, "2.5%". */
export const bpsPercent = (bps: number): string => `${format.format(bps / 100)}%`

/** A percentage to a hundredth in 10,000 parts, or what is wrong with it. */
export const bpsIn = (text: string): number | string => {
  const wanted = text.trim()
  if (!/^\d{1,3}(\.\d{1,2})?$/.test(wanted)) return 'Write a percentage like 5 or 2.5.'
  const bps = Math.round(Number(wanted) * 100)
  return bps > 10_000 ? 'It must not be more than 100.' : bps
}
