import { VERDICTS } from '@liquefy/protocol'

const words: Record<string, { words: string }> = VERDICTS

/** A verdict's code in plain words, as part of a sentence; the code itself where it is not one of the protocol's. */
export const verdictWords = (code: string): string => {
  const sentence = words[code]?.words ?? code
  return sentence.replace(/\.$/, '')
}
