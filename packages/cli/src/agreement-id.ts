import type { Hex } from '@liquefy/protocol'
import { bundleAgreement } from './bundle-file.ts'
import type { Context } from './context.ts'
import { CliError } from './failure.ts'

const SHORTEST_PREFIX = 6

/** The agreement that somebody means: its whole id, or a beginning that only one on the node has. */
export async function agreementIdOf(context: Context, given: string): Promise<Hex> {
  const text = idText(given)
  if (isWhole(text)) return text
  const known = await context.node().agreements()
  const [first, second] = known.filter(({ agreementId }) => agreementId.startsWith(text))
  if (!first) {
    throw new CliError(
      'AGREEMENT_UNKNOWN',
      `No agreement begins with ${given}. See \`liquefy agreement list\`.`,
    )
  }
  if (second)
    throw new CliError(
      'AGREEMENT_INVALID',
      `More than one agreement begins with ${given}: give more digits.`,
    )
  return first.agreementId
}

/**
 * The agreement that somebody means, with a bundle and no node: its whole id, or the bundle's own if it begins so. Undefined
 * if the bundle names none: then the audit says what is wrong with it.
 */
export async function agreementIdOfBundle(path: string, given: string): Promise<Hex | undefined> {
  const text = idText(given)
  if (isWhole(text)) return text
  const named = await bundleAgreement(path)
  if (named === undefined || named.startsWith(text)) return named
  throw new CliError(
    'AGREEMENT_UNKNOWN',
    `${path} is evidence of ${named}, which does not begin with ${given}.`,
  )
}

function idText(given: string): string {
  const text = given.toLowerCase()
  if (/^0x[0-9a-f]{0,64}$/.test(text) && text.length >= SHORTEST_PREFIX) return text
  throw new CliError(
    'AGREEMENT_INVALID',
    `${given} is no agreement id: give 0x and 64 hex digits, or their beginning (at least ${SHORTEST_PREFIX - 2} digits).`,
  )
}

const isWhole = (text: string): text is Hex => /^0x[0-9a-f]{64}$/.test(text)
