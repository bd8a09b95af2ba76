/** A whole number of shares from one to `most`, or what is wrong with it; `mostWords` says what there are so many of. */
export const sharesIn = (text: string, most: bigint, mostWords: string): bigint | string => {
  const wanted = text.trim()
  if (!/^\d{1,30}$/.test(wanted)) return 'Shares are whole: write a number like 3.'
  const shares = BigInt(wanted)
  if (shares === 0n) return 'It must be one at least.'
  return shares > most ? `Only ${most} are ${mostWords}.` : shares
}
