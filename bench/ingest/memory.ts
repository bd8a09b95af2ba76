import { underLoad } from './under-load.ts'

const ROUNDS = 12
const MB = 2 ** 20

/**
 * Resident memory of the node's process, its threads counted in and its database not, while it takes all that it can: the most that it ever had, and by
 * how much the mean of the last third of the rounds lies above that of the second.
 */
export async function benchMemory(say: (line: string) => void): Promise<Record<string, number>> {
  return underLoad(ROUNDS, say, async ({ node, round }) => {
    const resident: number[] = []
    let envelopes = 0
    for (let index = 0; index < ROUNDS; index += 1) {
      envelopes += (await round()).acknowledged
      resident.push((await node.usage()).rssBytes / MB)
      say(`round ${index + 1}: ${Math.round(resident.at(-1) ?? 0)} MB`)
    }
    const third = ROUNDS / 3
    const second = mean(resident.slice(third, 2 * third))
    return {
      envelopes,
      peakRssMb: node.peakRssMb(),
      endRssMb: Math.round(resident.at(-1) ?? 0),
      growthMb: Math.round(mean(resident.slice(2 * third)) - second),
    }
  })
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}
