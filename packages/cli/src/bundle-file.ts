import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import type { Hex } from '@liquefy/protocol'
import { CliError } from './failure.ts'

/** The lines of an exported bundle. @throws CliError `FILE_UNREADABLE`. */
export async function* linesOf(path: string): AsyncGenerator<string> {
  const input = createReadStream(path)
  try {
    yield* createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })
  } catch (cause) {
    throw new CliError(
      'FILE_UNREADABLE',
      `${path} cannot be read. Name a file that \`liquefy evidence export\` wrote.`,
      {
        cause,
      },
    )
  }
}

/** What the header says the bundle is about, not checked; undefined if it says nothing of the kind. @throws CliError `FILE_UNREADABLE`. */
export async function bundleAgreement(path: string): Promise<Hex | undefined> {
  for await (const line of linesOf(path)) {
    const id = agreementIn(line)?.toLowerCase()
    return id !== undefined && /^0x[0-9a-f]{64}$/.test(id) ? (id as Hex) : undefined
  }
  return undefined
}

function agreementIn(line: string): string | undefined {
  try {
    const header: { agreementId?: unknown } | null = JSON.parse(line)
    return typeof header?.agreementId === 'string' ? header.agreementId : undefined
  } catch {
    return undefined
  }
}
