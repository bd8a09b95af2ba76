import type { AgreementDraft, MeterDraft, Place } from '@liquefy/client'
import type { PackEvery } from '@liquefy/machine'
import { checkTariffUnits, readingUnits } from '@liquefy/protocol'
import type { ProcessSource } from './process.ts'

/** A meter of one of the machine's streams, from its first envelope. */
export type MeterDefinition<Stream extends string = string> = Omit<MeterDraft, 'startHead'> & {
  stream: Stream
}

/** What a machine earns, and from whom. Amounts in smallest units of the asset; times in seconds. */
export interface AgreementDefinition<Stream extends string = string, Party extends string = string>
  extends Omit<AgreementDraft, 'shared' | 'priceUnits'> {
  payer: Party
  payee: Party
  meters: readonly MeterDefinition<Stream>[]
  /** The unit that each price is per, in the order of the meters. */
  priceUnits: readonly string[]
  /** Escrow is filled up to this when it falls below half. */
  escrowMinor: bigint
}

export interface StreamDefinition {
  /** Of its records; both if two records make one reading, as `lat` and `lon` a position. */
  unit: string | readonly string[]
  /** Unbilled streams may carry floats. */
  billed: boolean
}

export interface MachineDefinition<Stream extends string = string, Party extends string = string> {
  name: string
  /** Who owns the machine's token; a party of its agreement. */
  owner: Party
  seed: number
  /** Where it stands, if it does not measure that. */
  place?: Place
  streams: Record<Stream, StreamDefinition>
  process: ProcessSource
  agreement: AgreementDefinition<NoInfer<Stream>, NoInfer<Party>>
}

/** A business in one place: machines, streams, rules, tariff, parties. Runs simulated and, with real devices, as it is. */
export interface Product<Party extends string = string> {
  name: string
  /** By role: the names of people that the deployment knows. */
  parties: Record<Party, string>
  machines: readonly MachineDefinition<string, NoInfer<Party>>[]
  /** How often each machine reads, how readings become envelopes, and how often meter values are signed. */
  readEveryMs: number
  packEvery: PackEvery
  signEveryMs: number
  /** The process runs this many times faster than the clock. */
  speedUp: number
}

/**
 * Checks a product as a whole and gives it back, fully typed.
 *
 * @throws RangeError naming the machine whose meter names a stream that is missing or unbilled, whose prices are per
 * another unit than its meters count, or whose name is taken.
 */
export function defineProduct<const Party extends string>(product: Product<Party>): Product<Party> {
  const names = new Set<string>()
  for (const { name, streams, agreement } of product.machines) {
    if (names.has(name)) throw new RangeError(`Two machines are called "${name}".`)
    names.add(name)
    for (const { stream, rule } of agreement.meters) {
      const defined = streams[stream]
      if (!defined?.billed) {
        throw new RangeError(
          `"${name}" meters "${stream}", which is not one of its billed streams.`,
        )
      }
      const [read, ruled] = [[defined.unit].flat().join(' and '), readingUnits(rule).join(' and ')]
      if (read !== ruled) {
        throw new RangeError(`"${name}" reads "${stream}" in ${read}, its rule in ${ruled}.`)
      }
    }
    const mismatch = checkTariffUnits(agreement.meters, agreement.priceUnits)
    if (mismatch) throw new RangeError(`"${name}": ${mismatch}`)
  }
  return product
}
