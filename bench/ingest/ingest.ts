import { signatureLimit } from '../load/signature-limit.ts'
import { type UnderLoad, underLoad } from './under-load.ts'

const ROUNDS = 5
const LIMIT_SECONDS = 2

interface Round {
  rate: number
  /** Mean of before and after. */
  limit: number
  nodeMicros: number
  databaseMicros: number
  loaderMicros: number
}

/**
 * Envelopes of 60 readings, P-256, verified, chained, committed and acknowledged in a second, over MQTT, and what part that is of the
 * signature limit measured before and after each round. Database and loader run on the same cores. Medians.
 */
export async function benchIngest(say: (line: string) => void): Promise<Record<string, number>> {
  return underLoad(ROUNDS, say, async (load) => {
    const rounds: Round[] = []
    let limit = await signatureLimit(load.sample, LIMIT_SECONDS)
    for (let index = 0; index < ROUNDS; index += 1) {
      const round = await measure(load)
      const limitAfter = await signatureLimit(load.sample, LIMIT_SECONDS)
      rounds.push({ ...round, limit: (limit + limitAfter) / 2 })
      limit = limitAfter
      say(`round ${index + 1}: ${Math.round(round.rate)} a second, the limit is ${limit}`)
    }
    const ownLimit = await signatureLimit(load.sample, LIMIT_SECONDS, 'protocol')
    const medianOf = (figure: (round: Round) => number) =>
      rounds.map(figure).sort((a, b) => a - b)[ROUNDS >> 1] ?? 0
    return {
      envelopesPerSecond: Math.round(medianOf(({ rate }) => rate)),
      signatureLimitPerSecond: Math.round(medianOf((round) => round.limit)),
      ratioToSignatureLimit:
        Math.round(medianOf((round) => round.rate / round.limit) * 1_000) / 1_000,
      ownVerifyPerSecond: ownLimit,
      nodeMicrosPerEnvelope: Math.round(medianOf(({ nodeMicros }) => nodeMicros)),
      databaseMicrosPerEnvelope: Math.round(medianOf(({ databaseMicros }) => databaseMicros)),
      loaderMicrosPerEnvelope: Math.round(medianOf(({ loaderMicros }) => loaderMicros)),
    }
  })
}

async function measure({ node, round }: UnderLoad): Promise<Omit<Round, 'limit'>> {
  const before = await node.usage()
  const { acknowledged, seconds, cpuMicros } = await round()
  const after = await node.usage()
  return {
    rate: acknowledged / seconds,
    nodeMicros: (after.cpuMicros - before.cpuMicros) / acknowledged,
    databaseMicros: (after.databaseMicros - before.databaseMicros) / acknowledged,
    loaderMicros: cpuMicros / acknowledged,
  }
}
